"""Outcomes, branches, and when either is in doubt: to the last step, by tables.

`test_evaluation` asks that what is said of a choice holds; here, that no more is in doubt than must be.
"""

import numpy as np
import pytest

from verify.evaluate import bounds
from verify.evaluate.bounds.arithmetic import EXACT, Arithmetic

AT = Arithmetic.judging("float64", {})


@pytest.mark.parametrize(("name", "sign"), [("max", 1.0), ("min", -1.0)])
def test_the_larger_has_its_own_error_unless_it_is_in_doubt(name, sign):
    """The lead, against both errors and a billionth, which are 1 + 2**-30 together."""
    lead = np.array([2.0, -2.0, 0.0, 1 + 2.0**-30, -1 - 2.0**-30, 1 + 2.0**-29, -1 - 2.0**-29])
    for ea, eb in ((0.25, 0.75), (0.75, 0.25)):
        a, b = (sign * lead, np.full(7, ea)), (np.zeros(7), np.full(7, eb))
        v, e = bounds.RULES[name](AT, {}, a, b)
        assert v.tolist() == (sign * np.maximum(lead, 0)).tolist()
        assert e.tolist() == [ea, eb, 0.75, 0.75, 0.75, ea, eb]


def test_a_clamp_has_the_largest_error():
    for errors in ((3.0, 2.0, 1.0), (1.0, 3.0, 2.0), (2.0, 1.0, 3.0)):
        low, a, high = ((np.array([v]), np.array([e])) for v, e in zip((0.0, 0.5, 1.0), errors, strict=True))
        value, e = bounds.RULES["clamp"](AT, {}, low, a, high)
        assert (value, e) == (0.5, 3.0)


@pytest.mark.parametrize("name", ["reduce_max", "reduce_min"])
def test_an_extreme_has_the_error_of_the_entry_that_is_it(name):
    a = (np.array([[1.0, 2.0], [4.0, 3.0]]), np.array([[0.5, 0.25], [0.0, 0.125]]))
    v, e = bounds.RULES[name](AT, {"axes": (1,)}, a)
    assert v.tolist() == ([2.0, 4.0] if name == "reduce_max" else [1.0, 3.0])
    assert e.tolist() == ([0.25, 0.0] if name == "reduce_max" else [0.5, 0.125])
    assert bounds.RULES[name](AT, {"axes": (1,)}, (a[0], EXACT))[1].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("name", ["gt", "ge", "lt", "le", "eq", "ne"])
def test_a_comparison_is_in_doubt_up_to_both_errors_and_a_billionth(name):
    a = (np.array([1.0, 1 + 2.0**-30, 1 + 2.0**-29, 0.0, 2.0]), np.array([0.25, 0.25, 0.25, 0.0, 0.0]))
    b = (np.zeros(5), np.array([0.75, 0.75, 0.75, 0.0, 0.0]))
    assert bounds.RULES[name](AT, {}, a, b)[1].tolist() == [True, True, False, False, False]
    assert bounds.RULES[name](AT, {}, b, a)[1].tolist() == [True, True, False, False, False]


def test_a_sign_is_in_doubt_up_to_its_error_and_a_billionth():
    v = np.array([1.0, -1.0, 1 + 2.0**-30, 1 + 2.0**-29, 0.0, 0.0, 3.0])
    e = np.array([1.0, 1.0, 1.0, 1.0, 0.0, 1.0, 0.0])
    signs, doubts = bounds.RULES["sign"](AT, {}, (v, e))
    assert signs.tolist() == [1, -1, 1, 1, 0, 0, 1]
    assert doubts.tolist() == [2, 2, 2, 0, 0, 2, 0]


def test_a_selection_in_doubt_reaches_the_far_end_of_the_other_branch():
    a, b = (np.full(4, 1.0), np.full(4, 0.5)), (np.full(4, 3.0), np.full(4, 0.25))
    which = (np.array([False, True, False, True]), np.array([False, False, True, True]))
    v, e = bounds.RULES["select_n"](AT, {}, which, a, b)
    assert v.tolist() == [1.0, 3.0, 1.0, 3.0]
    assert e.tolist() == [0.5, 0.25, 2.25, 2.5]


def test_a_selection_among_three_is_refused():
    branch = (np.ones(1), np.zeros(1))
    with pytest.raises(TypeError, match="nest jnp"):
        bounds.RULES["select_n"](AT, {}, branch, branch, branch, branch)


def test_an_outcome_that_may_be_either_is_in_doubt_where_it_is_said_so():
    outcome, doubt = np.array([True, False, True]), np.array([False, False, True])
    where = np.array([False, True, False]), np.zeros(3, dtype=bool)
    v, e = bounds.RULES["either"](AT, {}, (outcome, doubt), where)
    assert v.tolist() == [True, False, True]
    assert e.tolist() == [False, True, True]


def test_a_weighed_number_has_one_rounding_more_where_it_is_said_so():
    a = np.array([3.0, -3.0]), np.array([0.5, 0.5])
    where = np.array([True, False]), np.zeros(2, dtype=bool)
    v, e = bounds.RULES["weighed"](AT, {}, a, where)
    assert v.tolist() == [3.0, -3.0]
    assert e.tolist() == [AT.rounded(*(part[:1] for part in a))[1][0], 0.5]
    assert e[0] > 0.5
