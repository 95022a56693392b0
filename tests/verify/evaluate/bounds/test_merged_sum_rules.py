"""Whatever the order of all their terms, sums of sums are within their bound."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verify.evaluate.bounds import RULES, Arithmetic, evaluate_with_bounds
from verify.evaluate.flattening import flatten_jaxpr
from verify.evaluate.formats import limits
from verify.evaluate.merged_sums import AFFINE_SUM, IN_ANY_ORDER, MERGED_SUM

SEEDS = st.integers(0, 2**32 - 1)


def traced(function, *arrays, last=IN_ANY_ORDER):
    with jax.enable_x64(True):
        program = flatten_jaxpr(jax.make_jaxpr(function)(*arrays))
    assert program.primitives[-1] in last
    return program


def summed(rng, products, dtype):
    """The sum of products and numbers in an order of chance, every result rounded to the dtype."""
    total = np.zeros((), dtype)
    for i in rng.permutation(len(products)):
        term = np.multiply(*(np.asarray(factor, dtype) for factor in products[i]), dtype=dtype)
        total = np.add(total, term, dtype=dtype)
    return float(total)


def numbers(rng, *shape):
    """Numbers of float32 over some magnitudes, of which some cancel and some are 0."""
    drawn = rng.standard_normal(shape) * 10.0 ** rng.integers(-3, 3, shape) * (rng.random(shape) < 0.9)
    return drawn.astype(np.float32).astype(float)


@given(SEEDS)
def test_products_and_a_number_in_any_order(seed):
    rng = np.random.default_rng(seed)
    n, m = rng.integers(1, 9, 2)
    x, w, h, u, b = (numbers(rng, *shape) for shape in ((1, n), (n, 1), (1, m), (m, 1), (1, 1)))
    two = traced(lambda x, w, b: x @ w + b, x, w, b)
    three = traced(lambda x, w, h, u, b: x @ w + h @ u + b, x, w, h, u, b)
    first, second = ([*zip(*pair, strict=True)] for pair in ((x[0], w[:, 0]), (h[0], u[:, 0])))
    at = Arithmetic.judging("float32", {})
    for program, inputs, terms in ((two, (x, w, b), first), (three, (x, w, h, u, b), first + second)):
        [(value, bound)] = evaluate_with_bounds(program, list(inputs), at)
        exact = math.fsum(a * c for a, c in terms) + b[0, 0]
        magnitude = sum(abs(a * c) for a, c in terms) + abs(b[0, 0])
        for _ in range(20):
            found = summed(rng, [*terms, (b[0, 0], 1.0)], np.float32)
            assert abs(found - value[0, 0]) <= bound[0, 0]
        assert abs(value[0, 0] - exact) <= 1e-12 * magnitude
        # It is no larger than all roundings of all terms can make it, but for 1 / n of a product's.
        assert bound[0, 0] <= (len(terms) + 1) * at.u * magnitude * (1 + 1 / n) + 100 * at.eta


@given(SEEDS)
def test_windows_that_overlap_in_any_order_and_padding_is_no_term(seed):
    rng = np.random.default_rng(seed)
    length, taps, channels = rng.integers(3, 7), 3, rng.integers(1, 4)
    w, dout = numbers(rng, channels, taps), numbers(rng, channels, length)

    def gradient(w, dout):
        columns = jnp.tensordot(w, dout, ((0,), (0,)))  # (taps, length)
        x = jnp.zeros(length + taps - 1)

        def windows(x):
            return jnp.stack([x[k : k + length] for k in range(taps)])

        return jax.vjp(windows, x)[1](columns)[0]

    at = Arithmetic.judging("float32", {})
    [(value, bound)] = evaluate_with_bounds(traced(gradient, w, dout), [w, dout], at)
    for place in range(length + taps - 1):
        terms = [
            (w[c, k], dout[c, place - k])
            for k in range(taps)
            for c in range(channels)
            if 0 <= place - k < length
        ]
        for _ in range(5):
            assert abs(summed(rng, terms, np.float32) - value[place]) <= bound[place]
        magnitude = sum(abs(a * b) for a, b in terms)
        assert bound[place] <= len(terms) * at.u * magnitude * (1 + 1e-6) + 100 * at.eta


def test_sums_over_rows_are_merged_by_their_rows():
    rng = np.random.default_rng(0)
    a, b = numbers(rng, 6, 1), numbers(rng, 4, 1)
    at = Arithmetic.judging("float32", {})
    [(_, bound)] = evaluate_with_bounds(traced(lambda a, b: a.sum(0) + b.sum(0), a, b), [a, b], at)
    assert bound == pytest.approx(at.u * 9 * (abs(a).sum() + abs(b).sum()), rel=1e-5)


def test_small_multiples_of_a_quarter_are_added_exactly():
    def gradient(a, b, c):
        return jax.vjp(lambda x: (x, x, x), a)[1]((a, b, c))[0]

    parts = [np.array([0.25, -3.0]), np.array([1.0, 2.5]), np.array([-1.25, 0.5])]
    [(value, bound)] = evaluate_with_bounds(
        traced(gradient, *parts), parts, Arithmetic.judging("float32", {})
    )
    np.testing.assert_array_equal(value, sum(parts))
    np.testing.assert_array_equal(bound, 0)
    [(_, bound)] = evaluate_with_bounds(
        traced(gradient, *parts), [part / 3 for part in parts], Arithmetic.judging("float32", {})
    )
    assert (bound > 0).all()


@pytest.mark.parametrize("large", ["product", "number"])
def test_a_partial_sum_beyond_the_format_says_nothing(large):
    most = limits("float32").max
    x, w, b = np.full((1, 2), 0.75), np.full((2, 1), most if large == "product" else 1.0), np.zeros((1, 1))
    w[1] *= -1
    b += 0.0 if large == "product" else -2.0 * most
    [(_, bound)] = evaluate_with_bounds(
        traced(lambda x, w, b: x @ w + b, x, w, b), [x, w, b], Arithmetic.judging("float32", {})
    )
    assert np.isinf(bound).all()


def test_what_a_mask_removes_stays_exactly_infinite():
    x, w = np.ones((2, 3)), np.full((3, 2), 0.3)
    mask = np.array([[0.0, -np.inf], [0.0, 0.0]])
    [(value, bound)] = evaluate_with_bounds(
        traced(lambda x, w, mask: x @ w + mask, x, w, mask), [x, w, mask], Arithmetic.judging("float32", {})
    )
    assert value[0, 1] == -np.inf
    program = traced(lambda x, w, mask: jnp.exp(x @ w + mask), x, w, mask, last="exp")
    [(value, bound)] = evaluate_with_bounds(program, [x, w, mask], Arithmetic.judging("float32", {}))
    assert value[0, 1] == 0
    assert np.isfinite(bound).all()
    assert bound[0, 1] <= 1e-30


@pytest.mark.parametrize("parts", [2, 3])
def test_many_terms_beside_a_large_number_do_not_overflow(parts):
    """Only a partial sum can, and none of these does."""
    x, w, b = np.full((1, 784), 1e-3), np.full((784, 1), 1e-2), np.full((1, 1), 90.0)
    at = Arithmetic.judging("float16", {})
    given = (x, w, b) if parts == 2 else (x, w, b, b * 0)
    [(value, bound)] = evaluate_with_bounds(
        traced(lambda x, w, *b: x @ w + b[0] if len(b) == 1 else x @ w + b[0] + b[1], *given), [*given], at
    )
    assert bound[0, 0] <= 786 * (at.u * value[0, 0] + 2 * at.eta)
    with np.errstate(over="ignore"):
        huge = [x, w, np.full((1, 1), 1e307)]
    [(_, bound)] = evaluate_with_bounds(
        traced(lambda x, w, b: x @ w + b, *huge), huge, Arithmetic.judging("float64", {})
    )
    assert np.isfinite(bound).all()


def of_numbers(total, *numbers):
    """The bound of a sum of numbers, in pairs, for float32."""
    parameters = {"parts": [(None, (), ())] * len(numbers)}
    value, bound = RULES[MERGED_SUM](Arithmetic.judging("float32", {}), parameters, total, *numbers)
    np.testing.assert_array_equal(value, total[0], strict=True)
    return bound


def test_each_addition_may_underflow_and_one_number_is_not_added():
    at = Arithmetic.judging("float32", {})
    a, b, zero = np.array([2 * at.eta, 2 * at.eta, at.eta / 2]), np.array([3 * at.eta, 0, 0]), np.zeros(3)
    exact = np.zeros(())
    two = of_numbers((a + b, zero), (a, exact), (b, exact))
    # Two numbers; one, which stays as it is; one that may be flushed to 0 by itself.
    np.testing.assert_allclose(two, [2 * at.eta, 0, at.eta], rtol=1e-6)
    three = of_numbers((a + b + a, zero), (a, exact), (b, exact), (a, exact))
    np.testing.assert_allclose(three, [3 * at.eta, 2 * at.eta, 2 * at.eta], rtol=1e-6)


def test_numbers_may_be_as_large_as_their_errors_make_them():
    """[sum e, and (N - 1) u sum(|v| + e)], and N underflows."""
    at = Arithmetic.judging("float32", {})
    numbers = [(np.array([v]), np.array([e])) for v, e in ((0.0, 2.0), (-0.5, 0.25), (1.5, 0.0))]
    bound = of_numbers((np.array([1.0]), np.array([2.25])), *numbers)
    np.testing.assert_allclose(bound, 2.25 + 2 * at.u * (2.0 + 0.75 + 1.5) + 3 * at.eta, rtol=1e-14)


def test_an_exact_infinity_stays_exact_in_a_sum_and_nothing_else_does():
    exact, error = np.zeros(()), np.array([0.0, 0.0, 1e-3])
    a = np.array([-np.inf, 0.1, -np.inf])
    b = np.array([0.1, 0.3, 0.1])
    with np.errstate(invalid="ignore"):
        infinite, finite, in_doubt = of_numbers((a + b, error), (a, error), (b, exact))
    assert infinite == 0
    assert 0 < finite < 1e-6
    assert not in_doubt <= 1  # not a number, or infinite


def test_a_convolution_has_as_many_terms_as_its_fullest_window():
    at = Arithmetic.judging("float32", {})
    x, w, b = np.full((1, 1, 5), 0.1), np.full((1, 1, 3), 0.1), np.full((1, 1, 5), 1e3)
    numbers = jax.lax.conv_dimension_numbers(x.shape, w.shape, ("NCH", "OIH", "NCH"))

    def convolution(x, w):
        return jax.lax.conv_general_dilated(x, w, (1,), ((1, 1),), dimension_numbers=numbers)

    with jax.enable_x64(True):
        conv = flatten_jaxpr(jax.make_jaxpr(convolution)(x, w)).operations[-1]
    product = np.asarray([[[0.02, 0.03, 0.03, 0.03, 0.02]]])
    parameters = {"parts": [(conv.name, conv.parameters.items(), ()), (None, (), ())]}
    exact = np.zeros(())
    total = product + b, exact
    _, bound = RULES[MERGED_SUM](at, parameters, total, (product, exact), (b, exact), (x, exact), (w, exact))
    # Three products and a number: n u |b|, and u M of the products, which have no error of their own here.
    np.testing.assert_allclose(bound, 3 * at.u * b + at.u * product, rtol=1e-9)


@pytest.mark.parametrize("n", [1, 3])
def test_a_product_and_a_number_by_hand(n):
    """[e + e_b + u M + n u (|b| + e_b)], with M = e / (n u), and an underflow."""
    at = Arithmetic.judging("float32", {})
    u = at.u
    e, b, eb = np.array([1e-5, 0.0, 1e-5]), np.array([-0.5, 0.5, 0.0]), np.array([1e-4, 1e-4, 0.0])
    left = np.zeros((3, n)), np.zeros(())
    total = np.ones(3), np.zeros(3)
    parameters = {"inner": (1,)}
    _, bound = RULES[AFFINE_SUM](at, parameters, total, (np.ones(3), e), (b, eb), left)
    by_hand = e + eb + u * (e / (n * u)) + n * u * (abs(b) + eb) + at.eta
    np.testing.assert_allclose(bound, by_hand, rtol=1e-12)
    nothing = np.zeros(1), np.zeros(1)
    assert RULES[AFFINE_SUM](at, parameters, nothing, nothing, nothing, left)[1] == [at.eta]


def test_a_product_and_a_number_that_overflow_or_are_infinite():
    at, n = Arithmetic.judging("float32", {}), 3
    largest, left = limits("float32").max, (np.zeros((1, 3)), np.zeros(()))

    def bound_of(total, error_of_product, number):
        product = np.ones(1), np.array([error_of_product])
        with np.errstate(all="ignore"):
            return RULES[AFFINE_SUM](at, {"inner": (1,)}, total, product, number, left)[1][0]

    finite, none = (np.ones(1), np.zeros(1)), (np.zeros(1), np.zeros(1))
    for magnitude, error, overflows in ((0.4, 0.0, False), (1.1, 0.0, True), (0.0, 1.1, True)):
        number = np.array([largest * magnitude]), np.array([largest * error])
        assert np.isinf(bound_of(finite, 1.0, number)) == overflows
    # The magnitude of the products is in their error.
    assert np.isinf(bound_of(finite, 1.1 * largest * n * at.u, none))
    masked = np.array([-np.inf]), np.zeros(1)
    assert bound_of(masked, 0.0, masked) == 0
