"""Balls in order: as NumPy orders exact numbers; where balls overlap, every order is left open."""

import flint
import numpy as np
import pytest

from verify.evaluate import balls
from verify.evaluate.program import NoRule

NUMBERS = np.array([[3.0, -1.0, 3.0, 2.0], [0.0, 0.0, -2.0, 1.0]])
WIDE = np.array([flint.arb(1), flint.arb(1.25, 0.5), flint.arb(-3)])


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("smallest", [False, True])
def test_which_is_the_largest(axis, smallest):
    parameters = {"axes": (axis,), "smallest": smallest}
    got = balls.RULES["is_largest"](None, parameters, balls.exact_balls(NUMBERS))
    extreme = (NUMBERS.min if smallest else NUMBERS.max)(axis=axis, keepdims=True)
    np.testing.assert_array_equal(got.astype(bool), extreme == NUMBERS)
    assert balls.RULES["is_largest"](None, parameters, balls.exact_balls(NUMBERS)).tolist() == got.tolist()


def test_balls_that_overlap_may_both_be_the_largest():
    parameters = {"axes": (0,), "smallest": False}
    assert balls.RULES["is_largest"](None, parameters, WIDE).tolist() == [None, None, False]
    assert balls.RULES["is_smallest"](None, {**parameters, "smallest": True}, WIDE).tolist() == [
        False,
        False,
        True,
    ]


@pytest.mark.parametrize("name", ["argmax", "argmin"])
@pytest.mark.parametrize("axis", [0, 1])
def test_where_the_largest_is(name, axis):
    got = balls.RULES[name](None, {"axes": (axis,)}, balls.exact_balls(NUMBERS))
    np.testing.assert_array_equal(balls.ball_middle(got), getattr(np, name)(NUMBERS, axis=axis))


def test_where_the_largest_is_may_be_open():
    [index] = np.atleast_1d(balls.RULES["argmax"](None, {"axes": (0,)}, WIDE))
    assert all(index.contains(flint.arb(i)) for i in (0, 1, 2))
    [index] = np.atleast_1d(balls.RULES["argmin"](None, {"axes": (0,)}, WIDE))
    assert index == 2


@pytest.mark.parametrize("which", [0, 1])
def test_a_sorted_sequence(which):
    places = np.broadcast_to(np.arange(4.0), NUMBERS.shape)
    order = np.argsort(NUMBERS, axis=1, kind="stable")
    parameters = {"dimension": 1, "num_keys": 1, "which_result": which}
    got = balls.RULES["sort"](None, parameters, balls.exact_balls(NUMBERS), balls.exact_balls(places))
    np.testing.assert_array_equal(balls.ball_middle(got), order if which else np.sort(NUMBERS, axis=1))
    descending = np.argsort(-NUMBERS, axis=1, kind="stable")[:, :2]
    got = balls.RULES["top_k"](None, {"axis": 1, "k": 2, "which_result": which}, balls.exact_balls(NUMBERS))
    expected = descending if which else np.take_along_axis(NUMBERS, descending, 1)
    np.testing.assert_array_equal(balls.ball_middle(got), expected)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_sequences_along_any_axis(axis):
    numbers = np.random.default_rng(0).permutation(24).astype(float).reshape(2, 3, 4)
    parameters = {"dimension": axis, "num_keys": 1, "which_result": 0}
    got = balls.RULES["sort"](None, parameters, balls.exact_balls(numbers))
    np.testing.assert_array_equal(balls.ball_middle(got), np.sort(numbers, axis=axis), strict=True)
    got = balls.RULES["top_k"](None, {"axis": axis, "k": 2, "which_result": 0}, balls.exact_balls(numbers))
    two = np.take(-np.sort(-numbers, axis=axis), [0, 1], axis=axis)
    np.testing.assert_array_equal(balls.ball_middle(got), two, strict=True)


def test_the_order_of_balls_that_touch_is_open():
    """From 1 to 2, and 1: the second comes first, unless they are equal."""
    wide = flint.arb(0, 0.5)
    keys = np.array([wide + wide.rad() + 1, flint.arb(1)], dtype=object)
    assert keys[0] >= keys[1]
    parameters = {"dimension": 0, "num_keys": 1, "which_result": 1}
    got = balls.RULES["sort"](None, parameters, keys, balls.exact_balls(np.array([5.0, 6.0])))
    assert all(ball.contains(flint.arb(number)) for ball in got for number in (5, 6))


def test_nothing_is_sorted_along_an_axis_of_many_places():
    nothing = balls.exact_balls(np.zeros((0, 3)))
    parameters = {"dimension": 1, "num_keys": 1, "which_result": 0}
    assert balls.RULES["sort"](None, parameters, nothing).shape == (0, 3)


def test_an_order_that_is_open_gives_balls_that_hold_the_whole_payload():
    parameters = {"dimension": 0, "num_keys": 1, "which_result": 1}
    got = balls.RULES["sort"](None, parameters, WIDE, balls.exact_balls(np.array([5.0, 6.0, 9.0])))
    assert all(ball.contains(flint.arb(number)) for ball in got for number in (5, 6, 9))
    with pytest.raises(NoRule, match="sorts by 2 keys"):
        balls.RULES["sort"](None, {**parameters, "num_keys": 2}, WIDE, WIDE)


@pytest.mark.parametrize("reverse", [False, True])
def test_a_cumulative_sum(reverse):
    got = balls.RULES["cumsum"](None, {"axis": 1, "reverse": reverse}, balls.exact_balls(NUMBERS))
    expected = np.flip(np.cumsum(np.flip(NUMBERS, 1), 1), 1) if reverse else np.cumsum(NUMBERS, 1)
    np.testing.assert_array_equal(balls.ball_middle(got), expected)


@pytest.mark.parametrize(("away", "expected"), [(True, [-3, -2, 1, 2, 3]), (False, [-2, -2, 0, 2, 2])])
def test_the_nearest_integer(away, expected):
    numbers = balls.exact_balls(np.array([-2.5, -1.5, 0.5, 1.5, 2.5]))
    parameters = {"rounding_method": int(not away)}
    assert balls.RULES["round"](None, parameters, numbers).tolist() == expected
    [open_] = balls.RULES["round"](None, parameters, np.array([flint.arb(0.5, 0.125)]))
    assert open_.contains(flint.arb(0))
    assert open_.contains(flint.arb(1))


@pytest.mark.parametrize(
    ("name", "expected"), [("reduce_or", [True, None, False]), ("reduce_and", [None, None, False])]
)
def test_outcomes_that_may_not_be_known(name, expected):
    outcomes = np.array([[True, None], [None, None], [False, False]], dtype=object)
    assert balls.RULES[name](None, {"axes": (1,)}, outcomes).tolist() == expected
