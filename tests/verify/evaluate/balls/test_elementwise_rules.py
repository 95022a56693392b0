"""Selections by outcomes in doubt, and where powers and rounding are told apart; more is in test_evaluation.py."""

import flint
import numpy as np
import pytest

from verify.evaluate import balls


def rule(name, *operands, **parameters):
    """The result of a rule for one ball or outcome each."""
    arrays = [np.array([operand], dtype=object) for operand in operands]
    return balls.RULES[name]({}, parameters, *arrays)[0]


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [(True, True, True), (False, False, False), (True, False, None), (None, None, None), (None, True, None)],
)
def test_an_outcome_selected_in_doubt_is_known_where_both_are_the_same(a, b, expected):
    assert rule("select_n", None, a, b) is expected
    assert rule("select_n", False, a, b) is a
    assert rule("select_n", True, a, b) is b


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [(None, True, None), (True, None, None), (None, None, None), (True, True, True), (True, False, False)],
)
def test_outcomes_are_equal_where_both_are_known(a, b, expected):
    assert rule("eq", a, b) is expected


def test_a_power_of_0_is_0_where_the_exponent_is_surely_above_0():
    assert rule("pow", flint.arb(0), flint.arb(0.5, 0.25)) == 0
    assert rule("pow", flint.arb(0), flint.arb(0)) == 1
    wide = flint.arb(0, 0.5)
    from_0 = wide + wide.rad()  # the radius itself is rounded upwards
    assert from_0 >= 0
    assert not rule("pow", flint.arb(0), from_0).is_exact()  # 0 to the power of 0 is 1


@pytest.mark.parametrize(
    ("ball", "to_even", "away"),
    [
        (flint.arb(0.5), (0, 0), (1, 1)),
        (flint.arb(-0.5), (0, 0), (-1, -1)),
        (flint.arb(1.5), (2, 2), (2, 2)),
        (flint.arb(2.5), (2, 2), (3, 3)),
        (flint.arb(-2.5), (-2, -2), (-3, -3)),
        (flint.arb(0.25), (0, 0), (0, 0)),
        (flint.arb(0), (0, 0), (0, 0)),
        (flint.arb(1.75, 0.125), (2, 2), (2, 2)),
        (flint.arb(0, 0.5), (0, 0), (-1, 1)),
        (flint.arb(0, 0.75), (-1, 1), (-1, 1)),
        (flint.arb(2.5, 0.125), (2, 3), (2, 3)),
        (flint.arb(0, 0.5) + flint.arb(0, 0.5).rad() - 0.5, (0, 0), (-1, 1)),  # from -1/2 on
    ],
)
def test_rounding_holds_every_integer_that_a_number_of_the_ball_may_become(ball, to_even, away):
    for method, (low, high) in ((1, to_even), (0, away)):
        result = rule("round", ball, rounding_method=method)
        assert result.contains(low)
        assert result.contains(high)
        if ball.is_exact():
            assert result == low
