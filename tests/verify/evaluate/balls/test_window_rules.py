"""Convolutions and windows of balls: NumPy's at exact numbers, and what overlaps stays open."""

import flint
import numpy as np
import pytest

from verify.evaluate import balls, bounds
from verify.evaluate.bounds.arithmetic import EXACT, Arithmetic

from ..bounds.test_window_rules import CONVOLUTIONS, WINDOWS

AT = Arithmetic.judging("float64", {})


def integers(shape, seed=0):
    return np.random.default_rng(seed).integers(-9, 10, shape).astype(float)


@pytest.mark.parametrize(("lhs", "rhs", "parameters"), CONVOLUTIONS)
def test_a_convolution(lhs, rhs, parameters):
    arrays = integers(lhs), integers(rhs, 1)
    got = balls.RULES["conv_general_dilated"]({}, parameters, *map(balls.exact_balls, arrays))
    expected, _ = bounds.RULES["conv_general_dilated"](AT, parameters, *((array, EXACT) for array in arrays))
    np.testing.assert_array_equal(balls.ball_middle(got), expected)


@pytest.mark.parametrize("name", ["reduce_window_sum", "reduce_window_max", "reduce_window_min"])
@pytest.mark.parametrize(("whole", "parameters"), WINDOWS)
def test_windows(name, whole, parameters):
    array = integers(whole)
    got = balls.RULES[name]({}, parameters, balls.exact_balls(array))
    expected, _ = bounds.RULES[name](AT, parameters, (array, EXACT))
    np.testing.assert_array_equal(balls.ball_middle(got), expected)


@pytest.mark.parametrize("smallest", [False, True])
@pytest.mark.parametrize(("whole", "parameters"), WINDOWS[:3])
def test_the_entry_that_is_taken_and_what_is_added_to_it(whole, parameters, smallest):
    array = integers(whole) // 3  # ties
    chosen = balls.RULES["largest_in_window"](
        {}, {**parameters, "smallest": smallest}, balls.exact_balls(array)
    )
    expected, _ = bounds.RULES["largest_in_window"](AT, {**parameters, "smallest": smallest}, (array, EXACT))
    np.testing.assert_array_equal(chosen.astype(bool), expected)
    source = integers(chosen.shape[:-1], 1)
    added = balls.RULES["add_to_windows"](
        {}, {**parameters, "out_shape": whole}, balls.exact_balls(source), chosen
    )
    total, _ = bounds.RULES["add_to_windows"](
        AT, {**parameters, "out_shape": whole}, (source, EXACT), (expected, np.zeros((), bool))
    )
    np.testing.assert_array_equal(balls.ball_middle(added), total)


def test_an_entry_that_may_be_taken_gets_a_ball_from_0_to_the_number():
    parameters = {"window_dimensions": (3,), "window_strides": (1,), "padding": ((0, 0),)}
    numbers = np.array([flint.arb(1), flint.arb(1.25, 0.5), flint.arb(-3)])
    chosen = balls.RULES["largest_in_window"]({}, {**parameters, "smallest": False}, numbers)
    assert chosen.tolist() == [[None, None, False]]
    added = balls.RULES["add_to_windows"](
        {}, {**parameters, "out_shape": (3,)}, np.array([flint.arb(2)]), chosen
    )
    for ball in added[:2]:
        assert ball.contains(flint.arb(0))
        assert ball.contains(flint.arb(2))
    assert added[2] == 0
