"""The order of numbers is in doubt exactly where their intervals overlap: every order that they allow is covered."""

import itertools

import numpy as np
import pytest

from verify.evaluate import bounds
from verify.evaluate.bounds.arithmetic import EXACT, Arithmetic
from verify.evaluate.bounds.ordering_rules import may_be_largest
from verify.evaluate.program import NoRule

AT = Arithmetic.judging("float64", {})


def drawn(seed, shape=(3, 4)):
    """Few values, so that some are equal, and errors of which some are none."""
    rng = np.random.default_rng(seed)
    return rng.integers(-3, 4, shape).astype(float), rng.choice([0.0, 0.0, 0.25, 0.75, 1.5], shape)


def corners(pair):
    """Rows at the ends of their intervals and in their middle."""
    v, e = (part.ravel() for part in pair)
    return [v + np.array(signs) * e for signs in itertools.product((-1, 0, 1), repeat=len(v))]


@pytest.mark.parametrize("smallest", [False, True])
@pytest.mark.parametrize("seed", range(30))
def test_which_is_the_largest(seed, smallest):
    a = drawn(seed)
    name = "is_smallest" if smallest else "is_largest"
    outcome, doubt = bounds.RULES[name](AT, {"axes": (1,), "smallest": smallest}, a)
    sign = -1 if smallest else 1
    np.testing.assert_array_equal(outcome, sign * a[0] == (sign * a[0]).max(axis=1, keepdims=True))
    doubt = np.broadcast_to(doubt, (3, 4))
    for row in range(3):
        possible = [sign * c == (sign * c).max() for c in corners((a[0][row], a[1][row]))]
        for i in range(4):
            outcomes = {bool(p[i]) for p in possible}
            if not doubt[row, i]:
                assert outcomes == {bool(outcome[row, i])}, (a[0][row], a[1][row], i)
    exact = bounds.RULES[name](AT, {"axes": (0, 1), "smallest": smallest}, (a[0], EXACT))
    assert not exact[1].any()


def test_a_largest_number_that_no_other_reaches_is_in_no_doubt():
    v, e = np.array([[1.0, 2.0, 5.0], [1.0, 4.5, 5.0]]), np.array([[0.5, 0.5, 0.5], [0.1, 0.5, 0.5]])
    largest, doubt = may_be_largest(v, e, (1,))
    assert largest.tolist() == [[False, False, True]] * 2
    assert doubt.tolist() == [[False, False, False], [False, True, True]]


@pytest.mark.parametrize("name", ["argmax", "argmin"])
@pytest.mark.parametrize("seed", range(30))
def test_where_the_largest_is(name, seed):
    a = drawn(seed)
    index, e = bounds.RULES[name](AT, {"axes": (1,)}, a)
    find = getattr(np, name)
    np.testing.assert_array_equal(index, find(a[0], axis=1))
    for row in range(3):
        for c in corners((a[0][row], a[1][row])):
            assert abs(find(c) - index[row]) <= np.broadcast_to(e, 3)[row]
    assert bounds.RULES[name](AT, {"axes": (1,)}, (a[0], EXACT))[1] is EXACT


@pytest.mark.parametrize(("name", "sign"), [("argmax", 1), ("argmin", -1)])
def test_where_the_largest_is_may_be_anywhere_if_it_is_in_doubt(name, sign):
    a = sign * np.array([[1.0, 3.0, 2.0, 0.0], [1.0, 3.0, 2.9, 0.0]])
    index, e = bounds.RULES[name](AT, {"axes": (1,)}, (a, np.full(a.shape, 0.1)))
    assert index.tolist() == [1, 1]
    assert e.tolist() == [0, 3]


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("name", ["sort", "top_k"])
@pytest.mark.parametrize("seed", range(30))
def test_a_sorted_sequence(name, seed, which):
    a = drawn(seed)
    places = (np.broadcast_to(np.arange(4.0), (3, 4)), EXACT)
    if name == "sort":
        parameters = {"dimension": 1, "num_keys": 1, "which_result": which}
        v, e = bounds.RULES["sort"](AT, parameters, a, places)
    else:
        v, e = bounds.RULES["top_k"](AT, {"axis": 1, "k": 3, "which_result": which}, a)
        assert v.shape == (3, 3)
    sign = 1 if name == "sort" else -1
    for row in range(3):
        for c in corners((a[0][row], a[1][row])):
            order = np.argsort(sign * c, kind="stable")[: v.shape[1]]
            expected = order if which else c[order]
            assert np.all(abs(expected - v[row]) <= np.broadcast_to(e, v.shape)[row]), (a[0][row], a[1][row])


def test_an_order_that_no_error_can_change_is_in_no_doubt():
    a = (np.array([3.0, 1.0, 8.0, 2.0]), np.full(4, 0.4))
    parameters = {"dimension": 0, "num_keys": 1}
    payload = (np.arange(4.0), EXACT)
    v, e = bounds.RULES["sort"](AT, {**parameters, "which_result": 1}, a, payload)
    assert v.tolist() == [1, 3, 0, 2]
    assert not np.any(e)
    v, e = bounds.RULES["sort"](AT, {**parameters, "which_result": 0}, a, payload)
    assert v.tolist() == [1, 2, 3, 8]
    assert e.tolist() == [0.4] * 4


def test_where_the_order_is_in_doubt_any_of_the_payload_may_stand():
    key, payload = (
        (np.array([1.1, 5.0, 1.0]), np.full(3, 0.1)),
        (np.array([20.0, 30.0, 10.0]), np.arange(3.0)),
    )
    parameters = {"dimension": 0, "num_keys": 1, "which_result": 1}
    v, e = bounds.RULES["sort"](AT, parameters, key, payload)
    assert v.tolist() == [10, 20, 30]
    assert e.tolist() == [20 + 2, 20 + 2, 1]


def test_a_sort_by_two_keys_is_refused():
    a = (np.ones(3), EXACT)
    with pytest.raises(NoRule, match="sorts by 2 keys"):
        bounds.RULES["sort"](AT, {"dimension": 0, "num_keys": 2, "which_result": 0}, a, a)
