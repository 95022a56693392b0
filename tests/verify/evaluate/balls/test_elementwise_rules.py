"""What outcomes in doubt select, and where powers and rounding are told apart; more is in test_evaluation.py."""

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
    assert not rule("pow", flint.arb(0), flint.arb(0.5, 0.5)).is_exact()  # 0 to the power of 0 is 1
