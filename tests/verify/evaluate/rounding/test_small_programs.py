"""Sigma by hand, of programs of a few operations: what is drawn, when, and what stands beside it."""

import numpy as np
import pytest

from verify.evaluate.bounds import Arithmetic
from verify.evaluate.program import Operation, Program
from verify.evaluate.rounding import evaluate_under_rounding, evaluation
from verify.evaluate.rounding.deviating import Deviating
from verify.evaluate.rounding.sampling import Sampling


def banded(operations, inputs, outputs, dtype="float32", constants=(), shifts_cancel=False, **options):
    """Sigma in units of u of the outputs of a program: inputs first, then constants, then one slot an operation."""
    first = len(inputs) + len(constants)
    program = Program(
        tuple(
            Operation(name, parameters, operands, (first + i,))
            for i, (name, parameters, operands) in enumerate(operations)
        ),
        tuple(enumerate(constants, start=len(inputs))),
        tuple(range(len(inputs))),
        outputs,
        first + len(operations),
        shifts_cancel,
        values=0,
    )
    at = Arithmetic.judging(dtype, {})
    pairs = evaluate_under_rounding(program, [np.array(a) for a in inputs], at, 10.0, **options)
    return [sigma / at.u for _, sigma in pairs]


A, B, PRODUCT = [3.0, -5.0], [0.5, 0.3], ("mul", {}, (0, 1))
SIZES = [1.5, 1.5]


def test_what_nothing_else_uses_is_not_drawn_when_it_moves():
    """Its size is that of the rounding, without the error of an estimate."""
    flat, across = ("reshape", {"out_shape": (1, 2)}, (2,)), ("transpose", {"permutation": (1, 0)}, (3,))
    for operations, shape in (
        ([PRODUCT], (2,)),
        ([PRODUCT, flat], (1, 2)),
        ([PRODUCT, flat, across], (2, 1)),
    ):
        [sigma] = banded(operations, [A, B], (len(operations) + 1,))
        np.testing.assert_allclose(sigma, np.reshape(SIZES, shape), rtol=1e-12)


def test_what_is_used_twice_is_the_same_in_both_places():
    copied, difference = ("copy", {}, (2,)), ("sub", {}, (2, 3))
    [sigma] = banded([PRODUCT, copied, difference], [A, B], (4,))
    assert (sigma < 1e-12).all()
    for outputs in ((2, 3), (2, 3, 4)):
        product, moved, *rest = banded([PRODUCT, copied, difference], [A, B], outputs)
        np.testing.assert_allclose(product, SIZES, rtol=0.3)
        np.testing.assert_array_equal(product, moved)
        assert all((sigma < 1e-12).all() for sigma in rest)


def test_the_sum_of_a_number_with_itself_deviates_twice_as_much():
    """And is rounded, by u times twice the product."""
    [sigma] = banded([PRODUCT, ("add", {}, (2, 2))], [A, B], (3,))
    np.testing.assert_allclose(sigma, np.hypot(2, 2) * np.array(SIZES), rtol=0.3)


@pytest.mark.parametrize(("name", "sign"), [("add", 1), ("add_any", 1), ("sub", -1)])
def test_a_sum_of_two_rounds_unless_both_are_small_multiples_of_a_quarter_exactly(name, sign):
    """A product that is such a multiple here deviates from it elsewhere, and then the sum is rounded."""
    product, quarters = np.array(A) * B, np.array([8.0, 8.25])
    [sigma] = banded([PRODUCT, (name, {}, (3, 2))], [A, B, quarters], (4,), samples=1000)
    np.testing.assert_allclose(sigma, np.hypot(product, product + sign * quarters), rtol=0.1)
    [sigma] = banded([(name, {}, (0, 1))], [product, quarters], (2,))
    assert sigma.tolist() == [0, 0]
    [sigma] = banded([PRODUCT, (name, {"out_dtype": np.dtype("int32")}, (3, 2))], [A, B, quarters], (4,))
    np.testing.assert_allclose(sigma, SIZES, rtol=0.3)  # an integer is not rounded
    lost = [PRODUCT, ("add", {}, (2, 3)), ("exp", {}, (4,))]  # as logits that a mask removes
    [sigma] = banded(lost, [A, B, [-np.inf, -np.inf]], (5,))
    assert (sigma < 1e-12).all()


def test_what_no_output_needs_is_left_out():
    impossible = ("reshape", {"out_shape": (3,)}, (0,))
    product, used, unused = banded([PRODUCT, impossible], [A, B, A], (3, 0, 2))
    np.testing.assert_allclose(product, SIZES, rtol=1e-12)
    assert used.tolist() == unused.tolist() == [0, 0]


def test_outcomes_of_exact_numbers_are_exact():
    both = [("gt", {}, (0, 1)), ("lt", {}, (0, 1)), ("and", {}, (2, 3)), ("select_n", {}, (4, 0, 1))]
    [sigma] = banded(both, [A, B], (5,))
    assert sigma.tolist() == [0, 0]


def test_a_constant_has_the_rounding_of_its_format():
    [inexact, exact] = banded([], [A], (1, 2), constants=(np.array([0.1, 0.5]), 0.5))
    np.testing.assert_allclose(inexact, [0.1, 0])
    assert exact == 0


def test_a_shift_that_cancels_leaves_what_the_bound_says():
    """2 (1 + 2 LIBRARY_ULPS) u times what the band reaches: 18 * 10 u of a deviation of 1.5 u."""
    shift = ("stop_gradient", {}, (2,))
    [sigma] = banded([PRODUCT, shift], [A, B], (3,), shifts_cancel=True)
    u = Arithmetic.judging("float32", {}).u
    np.testing.assert_allclose(sigma, 18 * 10 * u * np.array(SIZES), rtol=0.3)
    [sigma] = banded([PRODUCT, shift], [A, B], (3,))
    np.testing.assert_allclose(sigma, SIZES, rtol=0.3)
    [sigma] = banded([("stop_gradient", {}, (0,))], [A], (1,), shifts_cancel=True)
    assert sigma.tolist() == [0, 0]


def test_the_samples_are_float32_wherever_its_range_suffices():
    for dtype, samples in (("float64", np.float64), ("float32", np.float32), ("float16", np.float32)):
        assert evaluation._narrow(np.dtype(dtype)) is samples
    [sigma] = banded([PRODUCT, ("mul", {}, (2, 1))], [[1e200], [1e40]], (3,), dtype="float64")
    np.testing.assert_allclose(sigma, np.sqrt(2) * 1e280, rtol=0.3)


def test_where_a_sigma_or_its_value_is_no_number_nothing_is_known():
    sigmas, values = np.array([np.nan, 1.0, np.inf, 2.0]), np.array([1.0, np.inf, 1.0, 3.0])
    value, sigma = evaluation._finished(values, sigmas)
    assert value is values
    np.testing.assert_array_equal(sigma, [np.inf, np.inf, np.inf, 2.0])


def test_two_deviations_add_their_product_to_the_first_order():
    """Both values 0: nothing but ea eb / (q u), with ea and eb as far as the band reaches, 10 sigma."""
    at = Arithmetic.judging("float32", {})
    sampling = Sampling(at, 16, 10.0, np.random.default_rng(0), np.float64, False)
    a, b = (Deviating(np.zeros(2), np.full((16, 2), size)) for size in (3.0, 4.0))
    found = evaluation._second_order(sampling, "mul", {}, [a, b])
    np.testing.assert_allclose(found, 30 * 40 * at.u / 10)
    one = Deviating(np.zeros(()), np.full(16, 4.0))
    np.testing.assert_allclose(evaluation._second_order(sampling, "mul", {}, [a, one]), 30 * 40 * at.u / 10)
    for exact in ([a, Deviating(np.zeros(2))], [Deviating(np.zeros(2)), a]):
        assert evaluation._second_order(sampling, "mul", {}, exact) is None


def test_the_product_of_two_deviations_stands_beside_the_rounding():
    """Where both numbers are 0, 10 times 1.5 u times 1.5; else, what both deviate by and the rounding decide."""
    u = Arithmetic.judging("float32", {}).u
    zeros = [("mul", {}, (0, 1)), ("sub", {}, (3, 2)), ("mul", {}, (0, 1)), ("sub", {}, (5, 2))]
    inputs = [A, B, [1.5, -1.5]]
    for parameters in ({}, {"out_dtype": np.dtype("int32")}):  # an integer is not rounded
        [sigma] = banded([*zeros, ("mul", parameters, (4, 6))], inputs, (7,), samples=1000)
        np.testing.assert_allclose(sigma, 10 * 1.5 * 1.5 * u, rtol=0.1)
    two = [PRODUCT, ("mul", {}, (0, 0)), ("mul", {}, (2, 3))]
    [sigma] = banded(two, [A, B], (4,), samples=1000)
    np.testing.assert_allclose(sigma, np.sqrt(3) * 1.5 * np.array([9, 25]), rtol=0.1)


def test_the_samples_are_cut_into_parts_of_one_sample_at_least():
    largest = evaluation._PART
    assert evaluation._parts(5, True, 2 * largest) == [range(5)]
    for size, of_each in ((2 * largest, 1), (largest, 1), (largest // 2, 2), (1, 5)):
        parts = evaluation._parts(5, False, size)
        assert [k for part in parts for k in part] == [*range(5)]
        assert len(parts[0]) == of_each
