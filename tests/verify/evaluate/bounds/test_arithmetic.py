"""Sums that cannot round: of small multiples of 1/4, or of one number and zeros."""

import itertools

import numpy as np
import pytest

from verify.evaluate.bounds import EXACT, RULES, Arithmetic


def at(dtype):
    return Arithmetic.judging(np.dtype(dtype), {})


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
def test_sums_of_small_quarters_are_exact_in_any_order(dtype):
    quarters = np.array([0.25, -1.5, 30.75, 7.0, -12.25])
    assert at(dtype).sums_exactly(abs(quarters).sum(), (quarters, EXACT))
    narrow = quarters.astype(at(dtype).dtype)
    for order in itertools.permutations(narrow):
        total = order[0]
        for number in order[1:]:
            total = (total + number).astype(narrow.dtype)
        assert float(total) == quarters.sum()


@pytest.mark.parametrize(("dtype", "most"), [("float64", 2.0**51), ("float32", 2.0**22), ("bfloat16", 64.0)])
def test_every_quarter_up_to_the_largest_is_held(dtype, most):
    numbers = np.array([most - 0.25, 0.25]), EXACT
    assert at(dtype).sums_exactly(np.array([most]), numbers)
    assert not at(dtype).sums_exactly(np.array([most + 1]), numbers)


@pytest.mark.parametrize(
    ("value", "error", "dtype"),
    [
        (0.3, 0.0, "float64"),
        (0.125, 0.0, "float64"),
        (1.0, 1e-9, "float64"),
        (2.0**22 + 1, 0.0, "float32"),
        (65.0, 0.0, "bfloat16"),
        (np.inf, 0.0, "float64"),
        (np.nan, 0.0, "float64"),
    ],
    ids=["no multiple", "an eighth", "inexact", "large", "large for bfloat16", "infinite", "not a number"],
)
def test_other_numbers_may_round(value, error, dtype):
    numbers = np.array([value, 1.0])
    assert not at(dtype).sums_exactly(abs(numbers), (numbers, np.array([error, 0.0])))


def test_only_what_cannot_round_is_without_error():
    halves, thirds = np.array([[0.5, 1.0], [-0.5, 0.0]]), np.array([1.0, 2.0]) / 3
    for name in ("add", "sub"):
        _, e = RULES[name](at("float32"), {}, (halves, EXACT), (halves[0], EXACT))
        assert not e.any()
        _, e = RULES[name](at("float32"), {}, (halves, EXACT), (thirds, EXACT))
        assert e.all()


def test_a_sum_of_one_number_and_zeros_does_not_round():
    one_hot = np.array([[0.0, 0.1, 0.0], [0.7, 0.0, 0.3], [0.0, 0.0, 0.0]])
    total, e = RULES["reduce_sum"](at("float32"), {"axes": (1,)}, (one_hot, EXACT))
    np.testing.assert_array_equal(total, one_hot.sum(axis=1))
    np.testing.assert_array_equal(e > 0, [False, True, False])
    _, e = RULES["reduce_sum"](at("float32"), {"axes": (1,)}, (one_hot, np.full((3, 3), 1e-9)))
    assert (e > 0).all()
    _, e = RULES["reduce_sum"](at("float32"), {"axes": (1,)}, (1e-38 * one_hot, EXACT))
    np.testing.assert_array_equal(e > 0, [True, True, False])  # subnormal numbers may be flushed to 0
    eta = at("float32").eta
    _, e = RULES["reduce_sum"](at("float32"), {"axes": (1,)}, (np.array([[eta, 0], [0.999 * eta, 0]]), EXACT))
    np.testing.assert_array_equal(e > 0, [False, True])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_quotient_may_be_a_product_with_a_reciprocal(dtype):
    rng = np.random.default_rng(0)
    a, b = (rng.uniform(1, 2, 2000).astype(dtype) for _ in range(2))
    v, e = RULES["div"](at(dtype), {}, (a.astype(float), EXACT), (b.astype(float), EXACT))
    off = abs(a * (1 / b) - v)
    assert (off <= e).all()
    assert (off > 0.4 * e).any()  # in float64, the bound holds the roundings of both quotients
