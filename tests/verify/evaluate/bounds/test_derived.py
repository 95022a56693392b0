"""Every bound is what was derived, and no more: the formulas in exact arithmetic, beside what the rules return.

`test_evaluation` asks that bounds hold. A bound that is too large holds too, and lets a mistake pass.
"""

import dataclasses
from typing import Any

import flint
import numpy as np
import pytest

from verify.case.case import Case
from verify.evaluate import bounds
from verify.evaluate.balls import exact_balls
from verify.evaluate.bounds import evaluation
from verify.evaluate.bounds.arithmetic import (
    EXACT,
    LIBRARY_ULPS,
    SIGMOID_ULPS,
    SMALLEST,
    Arithmetic,
    with_own_rounding,
)
from verify.evaluate.program import run_program
from verify.reference.derivative import traced_derivative
from verify.reference.spec import Spec

OWN_ROUNDINGS = flint.arb(2) ** -40
"""What a rule's own arithmetic may round off, relative to the bound: far less than the smallest term in it."""


@pytest.fixture(autouse=True)
def precision():
    with flint.ctx.workprec(400), np.errstate(all="ignore"):
        yield


@pytest.fixture(params=["float64", "float32", "an underflow that shows"])
def at(request):
    if request.param in ("float64", "float32"):
        return Arithmetic.judging(request.param, {})
    return dataclasses.replace(Arithmetic.judging("float64", {}), eta=0.125)


def a_pair(shape: Any, least: float, most: float, seed: int = 0, exact: bool = False) -> bounds.Pair:
    """Values between two magnitudes, and errors from none to nine tenths of the value."""
    rng = np.random.default_rng(seed)
    v = np.exp(rng.uniform(np.log(least), np.log(most), shape)) * rng.choice([-1.0, 1.0], shape)
    return v, EXACT if exact else abs(v) * rng.choice([0.0, 2.0**-53, 1e-9, 1e-3, 0.5, 0.9], shape)


def rounded(at: Arithmetic, v: Any, e: Any, ulps: float = 0.5) -> Any:
    """The standard model: 2 ulps u of the largest result, and an underflow."""
    return e + 2 * flint.arb(ulps) * at.u * (abs(v) + e) + at.eta


def assert_is(pair: bounds.Pair, value: Any, error: Any) -> None:
    """The value up to its own rounding, and the error up to a few of its own."""
    value, error = np.asarray(value, dtype=object), np.asarray(error, dtype=object)
    v, e = (np.broadcast_to(part, value.shape) for part in pair)
    for index in np.ndindex(value.shape):
        off = abs(exact_balls(v)[index] - value[index])
        assert off <= flint.arb(2) ** -47 * abs(value[index]) + SMALLEST, (index, v[index], value[index])
        off = abs(exact_balls(e)[index] - error[index])
        assert off <= OWN_ROUNDINGS * error[index] + 1e-320, (index, e[index], error[index])


# --- the model itself


@pytest.mark.parametrize(("dtype", "u"), [("float64", 2.0**-53), ("float32", 2.0**-24)])
def test_the_arithmetic_of_a_format(dtype, u):
    alone, judging = (make(dtype, {"b": 3}) for make in (Arithmetic.alone, Arithmetic.judging))
    assert alone.u == u
    assert judging.u == (u + 2.0**-53) / (1 - 2.0**-53)
    for at in (alone, judging):
        assert at.dtype == np.dtype(dtype)
        assert at.sizes == {"b": 3}
        assert at.eta == 2 * float(np.finfo(dtype).tiny)
        assert at.headroom == float(np.finfo(np.float64).max) / float(np.finfo(dtype).max) or u == 2.0**-24
        assert np.isinf(float(np.finfo(dtype).max) * 2 * at.headroom)
        assert np.isfinite(float(np.finfo(dtype).max) * at.headroom)


def test_what_a_library_may_be_off_by():
    """NumPy's release notes of 1.20 and 1.22: less than 4 ulp; a sigmoid rounds three times more, by 1/2 each."""
    assert LIBRARY_ULPS == 4
    assert SIGMOID_ULPS == 4 + 3 * 0.5


def test_a_rounding_takes_its_ulps_of_the_largest_result(at):
    a = a_pair(9, 1e-3, 1e3)
    for ulps in (0.5, 4):
        assert_is(at.rounded(*a, ulps), exact_balls(a[0]), rounded(at, *map(exact_balls, a), ulps))


def test_an_error_is_a_billionth_larger_where_it_is_compared():
    assert with_own_rounding(np.array([1.0, 4.0])).tolist() == [1 + 2.0**-30, 4 + 2.0**-28]


def test_two_arithmetics_differ_by_all_but_their_sizes():
    assert Arithmetic.judging("float64", {"b": 1}) == Arithmetic.judging("float64", {"b": 2})
    assert Arithmetic.judging("float64", {}) != Arithmetic.alone("float64", {})


# --- operations


@pytest.mark.parametrize("exact", [(), (0,), (1,), (0, 1)])
@pytest.mark.parametrize("name", ["add", "add_any", "sub", "mul", "div"])
def test_two_operands(name, exact, at):
    pairs = [a_pair(40, 1e-3, 1e3, seed, seed in exact) for seed in (0, 1)]
    (a, ea), (b, eb) = ([exact_balls(np.broadcast_to(part, 40)) for part in pair] for pair in pairs)
    value, error = {
        "add": (a + b, ea + eb),
        "add_any": (a + b, ea + eb),
        "sub": (a - b, ea + eb),
        "mul": (a * b, abs(a) * eb + ea * abs(b) + ea * eb),
        "div": (
            a / b,
            (ea + abs(a / b) * eb) / (abs(b) - eb * (1 + flint.arb(2) ** -30)) + at.eta * (abs(a) + ea),
        ),
    }[name]
    pair = bounds.RULES[name](at, {}, *pairs)
    # A sum that cancels keeps few digits of its value; its error is what it was.
    v = exact_balls(pair[0]) if name in ("add", "add_any", "sub") else value
    # A quotient may be a product with a reciprocal: two roundings.
    assert_is(pair, v, rounded(at, value, error, 1.0 if name == "div" else 0.5))


@pytest.mark.parametrize("name", ["neg", "abs", "copy", "stop_gradient"])
def test_what_does_not_round_keeps_its_error(name, at):
    a = a_pair(9, 1e-3, 1e3)
    _, e = bounds.RULES[name](at, {}, a)
    np.testing.assert_array_equal(e, a[1])


def test_a_square_and_one_minus_it(at):
    a = a_pair(40, 1e-3, 1e3)
    v, e = map(exact_balls, a)
    assert_is(bounds.RULES["square"](at, {}, a), v * v, rounded(at, v * v, 2 * abs(v) * e + e * e))
    minus, plus = rounded(at, 1 - v, e), rounded(at, 1 + v, e)
    error = abs(1 - v) * plus + minus * abs(1 + v) + minus * plus
    value = (1 - v) * (1 + v)
    pair = bounds.RULES["one_minus_square"](at, {}, a)
    assert_is(pair, value, rounded(at, value, error))


@pytest.mark.parametrize("y", [-3, -1, 0, 1, 2, 3, 5])
@pytest.mark.parametrize("magnitudes", [(1e-3, 1e3), (1e-9, 1e-7)])
def test_a_power(y, magnitudes, at):
    a = a_pair(30, *magnitudes)
    v, e = map(exact_balls, a)
    n = abs(y)
    largest = abs(v) + e
    value, error = v**n, largest**n - abs(v) ** n
    if n > 1:
        error = error + largest**n * ((1 + flint.arb(at.u)) ** (n - 1) - 1)
        error = error + at.eta * sum((largest**k for k in range(1, n - 1)), 1 + 0 * largest)
    known = np.full(30, True)
    if y < 0:
        room = abs(value) - error * (1 + flint.arb(2) ** -30)
        known = np.array([bool(part > 0) for part in room])
        value, error = 1 / value, rounded(at, 1 / value, abs(1 / value) * error / room)
    result, bound = (np.broadcast_to(part, 30) for part in bounds.RULES["integer_pow"](at, {"y": y}, a))
    assert_is((result[known], bound[known]), value[known], error[known])
    assert np.isinf(bound[~known]).all()
    assert known.any() or at.eta == 0.125


def test_a_power_of_0_or_1_is_exact(at):
    a = (np.array([1e300, -2.0]), EXACT)
    for y, expected in ((0, [1.0, 1.0]), (1, [1e300, -2.0])):
        v, e = bounds.RULES["integer_pow"](at, {"y": y}, a)
        assert v.tolist() == expected
        assert np.broadcast_to(e, 2).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize(
    ("shape", "axes", "n"),
    [((7,), (0,), 7), ((3, 4), (1,), 4), ((2, 3, 2), (0, 2), 4), ((2, 3), (0,), 2), ((1, 3), (0,), 1)],
)
def test_a_sum(shape, axes, n, exact, at):
    a = a_pair(shape, 1e-3, 1e3, exact=exact)
    v, e = exact_balls(a[0]), exact_balls(np.broadcast_to(a[1], shape))
    error = e.sum(axis=axes)
    if n > 1:
        error = error + (n - 1) * at.u * (abs(v).sum(axis=axes) + error) + (n - 1) * at.eta
    pair = bounds.RULES["reduce_sum"](at, {"axes": axes}, a)
    assert_is(pair, exact_balls(pair[0]), error)


@pytest.mark.parametrize("exact", [(), (0,), (1,), (0, 1)])
@pytest.mark.parametrize("magnitudes", [(1e-3, 1e3), (1e-21, 1e-18)])
def test_a_product_of_matrices(exact, magnitudes, at):
    pairs = [a_pair(shape, *magnitudes, seed, seed in exact) for seed, shape in enumerate([(3, 5), (5, 2)])]
    (a, ea), (b, eb) = (
        [exact_balls(np.broadcast_to(part, pair[0].shape)) for part in pair] for pair in pairs
    )
    error = abs(a) @ eb + ea @ (abs(b) + eb) + 5 * at.u * (abs(a) + ea) @ (abs(b) + eb) + 5 * at.eta
    pair = bounds.RULES["dot_general"](at, {"dimension_numbers": (((1,), (0,)), ((), ()))}, *pairs)
    assert_is(pair, exact_balls(pair[0]), error)


@pytest.mark.parametrize("reverse", [False, True])
def test_a_cumulative_sum(reverse, at):
    a = a_pair((2, 5), 1e-3, 1e3)
    v, e = map(exact_balls, a)
    total, bound = bounds.RULES["cumsum"](at, {"axis": 1, "reverse": reverse}, a)
    for k in range(5):
        terms = slice(k, None) if reverse else slice(k + 1)
        n = 5 - k if reverse else k + 1
        error = e[:, terms].sum(axis=1)
        if n > 1:
            error = error + (n - 1) * at.u * (abs(v[:, terms]).sum(axis=1) + error) + (n - 1) * at.eta
        assert_is((total[:, k], bound[:, k]), exact_balls(total[:, k]), error)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_power_of_any_exponent(sign, at):
    """The change of log(v), times v; in doubt for a negative base unless the exponent is an exact integer."""
    a, b = a_pair(40, 1e-2, 1e2), a_pair(40, 0.5, 3.0, seed=1)
    a = (sign * abs(a[0]), a[1])
    if sign < 0:
        b = (np.rint(b[0]), np.where(np.arange(40) < 30, 0.0, 0.25))
    (x, ex), (y, ey) = (map(exact_balls, pair) for pair in (a, b))
    power = np.frompyfunc(lambda a, b: a**b if a > 0 else a ** int(float(b)), 2, 1)(x, y)
    billionth = 1 + flint.arb(2) ** -30
    log = np.frompyfunc(lambda a: abs(a).log(), 1, 1)(x)
    ratio = np.frompyfunc(lambda a, ea: -(-ea * billionth / abs(a)).log1p(), 2, 1)(x, ex)
    change = (abs(y) + ey) * ratio + ey * abs(log)
    error = abs(power) * np.frompyfunc(lambda a: a.expm1(), 1, 1)(change)
    expected = np.array([rounded(at, *pair, LIBRARY_ULPS) for pair in zip(power, error, strict=True)])
    v, e = bounds.RULES["pow"](at, {}, a, b)
    known = np.isfinite(e)
    assert (known == ((sign > 0) | (b[1] == 0))).all() or at.eta == 0.125
    assert known.sum() >= 25
    assert_is((v[known], e[known]), power[known], expected[known])


def test_powers_that_are_exact_or_unknown(at):
    a = (np.array([0.0, 0.0, 0.0, -2.0, 1.0]), np.array([0.0, 0.0, 0.5, 0.5, 1.0]))
    b = (np.array([2.5, 0.0, 1.5, 0.0, 0.5]), np.zeros(5))
    v, e = bounds.RULES["pow"](at, {}, a, b)
    assert v.tolist() == [0, 1, 0, 1, 1]
    of_one = 2 * LIBRARY_ULPS * at.u + at.eta
    assert e.tolist() == [at.eta, of_one, np.inf, of_one, np.inf]


def test_an_integer_quotient_in_doubt():
    at = Arithmetic.judging("float64", {})
    a = (np.array([7.0, 7.0, 7.0, -7.0]), np.array([0.0, 1.0, 0.0, 0.0]))
    b = (np.array([2.0, 2.0, 2.0, 2.0]), np.array([0.0, 0.0, 1.0, 0.0]))
    v, e = bounds.RULES["div"](at, {"out_dtype": np.dtype("int32")}, a, b)
    assert v.tolist() == [3.0, 3.0, 3.0, -3.0]
    assert e[[0, 3]].tolist() == [0.0, 0.0]
    assert not np.isfinite(e[1:3]).any()


@pytest.mark.parametrize(("name", "value"), [("add", 5.0), ("sub", 1.0), ("mul", 6.0)])
def test_integers_keep_their_error_and_do_not_round(name, value):
    pairs = [(np.array([3.0]), np.array([1.0])), (np.array([2.0]), np.array([0.0]))]
    at = Arithmetic.judging("float64", {})
    for kind, rounds in (("int32", False), ("uint8", False), ("float64", True)):
        v, e = bounds.RULES[name](at, {"out_dtype": np.dtype(kind)}, *pairs)
        assert v.tolist() == [value]
        assert (e > (2.0 if name == "mul" else 1.0)).tolist() == [rounds]
    v, e = bounds.RULES["reduce_sum"](
        at, {"out_dtype": np.dtype("int32"), "axes": (0,)}, (np.ones(3), np.array([0.0, 1.0, 1.0]))
    )
    assert (v, e) == (3.0, 2.0)


# --- functions


def slope_times(name: str, a: Any, ea: Any, u: Any) -> tuple[Any, Any, float]:
    """The value, the error before rounding, and the ulps, of one function."""
    billionth = 1 + flint.arb(2) ** -30
    if name == "rsqrt":
        room = a - ea * billionth
        error = ea / (a.sqrt() * room.sqrt() * (a.sqrt() + room.sqrt()))
        return a.rsqrt(), error, LIBRARY_ULPS
    if name == "exp2":
        exponent = (ea + 2 * u * (abs(a) + ea)) * flint.arb(2).log()
        return flint.arb(2) ** a, flint.arb(2) ** a * exponent.expm1(), LIBRARY_ULPS
    if name in ("sin", "cos"):
        return getattr(a, name)(), ea.min(flint.arb(2)), LIBRARY_ULPS
    if name in ("erf", "erfc"):
        least = (abs(a) - ea * billionth).max(flint.arb(0))
        error = (2 / flint.arb.pi().sqrt() * (-least * least).exp() * ea).min(flint.arb(2))
        if name == "erf":
            return a.erf(), error, LIBRARY_ULPS
        square = (u * (a.max(flint.arb(0)) + ea) ** 2).expm1()
        return a.erfc(), (error + (a.erfc() + error) * square).min(flint.arb(2)), LIBRARY_ULPS
    if name == "exp":
        return a.exp(), a.exp() * ea.expm1(), LIBRARY_ULPS
    if name == "expm1":
        return a.expm1(), a.exp() * ea.expm1(), LIBRARY_ULPS
    if name == "log":
        return a.log(), -(-ea * billionth / a).log1p(), LIBRARY_ULPS
    if name == "log1p":
        return a.log1p(), -(-ea * billionth / (1 + a)).log1p(), LIBRARY_ULPS
    if name == "sqrt":
        return a.sqrt(), ea / a.sqrt(), 0.5
    if name == "logistic":
        s = 1 / (1 + (-a).exp())
        return s, (s * (1 - s) * ea.expm1()).min(flint.arb(1)), SIGMOID_ULPS
    s = 1 / (1 + (-2 * a).exp())
    return a.tanh(), (2 * s * (1 - s) * (2 * ea).expm1()).min(flint.arb(2)), LIBRARY_ULPS


@pytest.mark.parametrize("name", [
    "exp", "expm1", "log", "log1p", "sqrt", "logistic", "tanh", "rsqrt", "exp2", "sin", "cos", "erf", "erfc",
])  # fmt: skip
def test_a_function(name, at):
    v, e = a_pair(60, 1e-3, 20.0)
    if name in ("log", "log1p", "sqrt", "rsqrt"):
        v = abs(v)
    results = [
        slope_times(name, *pair, flint.arb(at.u)) for pair in zip(exact_balls(v), exact_balls(e), strict=True)
    ]
    value, error = np.array([r[0] for r in results]), np.array([r[1] for r in results])
    assert_is(bounds.RULES[name](at, {}, (v, e)), value, rounded(at, value, error, results[0][2]))


def test_an_exponential_is_at_most_that_of_its_largest_argument():
    """As for the scores of a mask: the product with expm1 overflows there."""
    plain = Arithmetic.judging("float64", {})
    v, e = bounds.RULES["exp"](plain, {}, (np.array([-1e30, -1000.0]), np.array([1e14, 995.0])))
    assert v.tolist() == [0.0, 0.0]
    assert e[0] <= 2 * (SMALLEST + plain.eta)
    assert np.exp(-5) <= e[1] <= np.exp(-5) * (1 + 1e-5)
    assert bounds.RULES["exp"](plain, {}, (np.array([-np.inf]), np.array([np.inf])))[1].tolist() == [np.inf]


@pytest.mark.parametrize(("name", "sign"), [("reduce_max", 1.0), ("reduce_min", -1.0)])
def test_what_cannot_reach_the_top_has_no_part_in_its_error(name, sign, at):
    v = sign * np.array([[5.0, -1e30, -np.inf], [5.0, 4.5, 0.0], [5.0, 5.0, 4.0]])
    e = np.array([[0.125, 1e14, 0.0], [0.125, 1.0, 1.0], [0.125, 0.25, 1.0]])
    reduced, error = bounds.RULES[name](at, {"axes": (1,)}, (v, e))
    assert reduced.tolist() == [sign * 5.0] * 3
    assert error[[0, 2]].tolist() == [0.125, 0.25]
    assert 0.5 <= error[1] <= 0.5 * (1 + 1e-8)


@pytest.mark.parametrize("name", ["exp", "expm1"])
def test_an_exponential_that_underflows_is_taken_to_be_the_smallest_number(name, at):
    v, e = bounds.RULES[name](at, {}, (np.full(2, -800.0), np.array([0.0, 705.0])))
    value = flint.arb(-int(name == "expm1"))
    errors = (flint.arb(0), SMALLEST * flint.arb(705).expm1())
    assert_is((v, e), [value, value], [rounded(at, value, error, LIBRARY_ULPS) for error in errors])


@pytest.mark.parametrize(
    ("name", "factor", "ulps"), [("logistic", 1, SIGMOID_ULPS), ("tanh", 2, LIBRARY_ULPS)]
)
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_saturated_function_is_taken_to_have_the_smallest_slope(name, factor, ulps, sign, at):
    """In the 800th part of e, 1 - v is below every number of the format."""
    v, e = bounds.RULES[name](at, {}, (np.array([sign * 800.0]), np.array([700.0 / factor])))
    slope = factor * SMALLEST * flint.arb(700).expm1()
    assert_is((v, e), exact_balls(v), [rounded(at, exact_balls(v)[0], slope, ulps)])


@pytest.mark.parametrize(
    ("name", "pair", "bounded"),
    [
        ("log", (1.0, 1.0), False),
        ("log", (1.0, 1.5), False),
        ("log", (1.0, 1 - 2.0**-20), True),
        ("log", (0.0, 0.0), False),
        ("log", (-1.0, 0.0), False),
        ("log", (-1.0, 0.5), False),
        ("log1p", (0.5, 1.5), False),
        ("log1p", (0.5, 1.25), True),
        ("log1p", (-1.0, 0.0), False),
        ("log1p", (-1.5, 0.0), False),
        ("sqrt", (1.0, 1.0), False),
        ("sqrt", (1 + 2.0**-30, 1.0), True),
        ("sqrt", (0.0, 0.0), True),
        ("sqrt", (0.0, 1e-9), False),
        ("sqrt", (-1.0, 0.0), False),
        ("rsqrt", (1.0, 1.0), False),
        ("rsqrt", (1 + 2.0**-20, 1.0), True),
        ("rsqrt", (0.0, 0.0), False),
        ("rsqrt", (-1.0, 0.0), False),
    ],
)
def test_where_a_function_ends_nothing_is_bounded(name, pair, bounded, at):
    [v], [e] = bounds.RULES[name](at, {}, tuple(np.array([part]) for part in pair))
    assert np.isfinite(e) == bounded
    assert bounded or e == np.inf or np.isnan(v)


def test_the_root_of_nothing_is_nothing(at):
    v, e = bounds.RULES["sqrt"](at, {}, (np.zeros(1), np.zeros(1)))
    assert (v, e) == (0, at.eta)


def test_a_divisor_that_may_be_0_leaves_no_bound(at):
    one = (np.ones(4), EXACT)
    b = (np.array([1 + 2.0**-30] * 3 + [0.0]), np.array([1.0, 0.5, 2.0, 0.0]))
    _, e = bounds.RULES["div"](at, {}, one, b)
    assert (e == np.inf).tolist() == [True, False, True, True]


# --- constants, conversions, shifts, the slack


@pytest.mark.parametrize("value", [0.1, -1e30, 1e-39, 1.2e-38, 0.0, 1.0, 2.5e-38])
def test_a_constant_has_one_rounding_where_float32_does_not_hold_it(value):
    at = Arithmetic.judging("float32", {})
    v, e = bounds.evaluate_literal(at, value)
    held = float(np.float32(value)) == value and (value == 0 or abs(value) >= at.eta)
    assert v == value
    assert e == (0.0 if held else at.u * abs(value) + at.eta)
    assert (e is EXACT) == held


def test_constants_that_are_held_stay_exact_beside_those_that_are_not():
    at = Arithmetic.judging("float32", {})
    _, e = bounds.evaluate_literal(at, np.array([0.0, 0.1, 1.0, at.eta, at.eta / 2]))
    assert (e > 0).tolist() == [False, True, False, False, True]


def test_an_outcome_among_the_constants_is_in_no_doubt():
    at = Arithmetic.judging("float64", {})
    v, doubt = bounds.evaluate_literal(at, np.array([True, False]))
    assert v.tolist() == [True, False]
    assert doubt.dtype == bool
    assert not doubt.any()


def test_a_size_that_the_format_does_not_hold_is_rounded():
    at = Arithmetic.judging("float32", {})
    for value in (2.0**23, 1 / at.u, 2.0**24, 2.0**26):
        pair = (np.array([value]), np.zeros(1))
        _, e = bounds.RULES["convert_element_type"](at, {"new_dtype": np.dtype("float64")}, pair)
        # 1/u is a little under 2**24, since u counts both evaluations.
        assert e == (0.0 if value < 2.0**24 else at.u * value + at.eta)


def test_a_conversion_to_a_narrower_float_rounds_to_it(at):
    a = (np.array([0.75, -1000.0]), np.array([0.0, 0.5]))
    v, e = map(exact_balls, a)
    narrow = bounds.RULES["convert_element_type"](at, {"new_dtype": np.dtype("float32")}, a)
    assert_is(narrow, v, rounded(at, v, e + flint.arb(2) ** -24 * abs(v)))
    wide = bounds.RULES["convert_element_type"](at, {"new_dtype": np.dtype("float64")}, a)
    np.testing.assert_array_equal(wide[1], a[1])


def test_an_integer_part_in_doubt_is_off_by_the_integers_between():
    at = Arithmetic.judging("float64", {})
    a = (np.array([2.5, 2.5, -2.5, 2.0, 0.25, 7.0]), np.array([0.25, 0.5, 2.75, 0.0, 0.5, 2.5]))
    v, e = bounds.RULES["convert_element_type"](at, {"new_dtype": np.dtype("int32")}, a)
    assert v.tolist() == [2, 2, -2, 2, 0, 7]
    assert e.tolist() == [0, 2, 5, 0, 0, 5]


def test_what_remains_of_a_shift_that_cancels(at):
    a = (np.ones(4), np.array([0.0, 0.25, 0.5, 0.75]))
    v, e = evaluation._cancelling_shift(at, {}, a)
    assert v is a[0]
    expected = 2 * (1 + 2 * LIBRARY_ULPS) * at.u
    assert e.tolist() == [0.0, expected * 0.25, expected * 0.5, 0.75]


@pytest.mark.parametrize(("sizes", "batch", "most"), [((3, 7, 2), 5, 5 * 7), ((9, 7, 2), 20, 20 * 9)])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_programs_bound_has_the_slack_of_its_own_roundings_and_no_more(dtype, sizes, batch, most):
    """The hidden layer has the most entries, or x."""
    case = Case(sizes, batch, dtype, seed=1)
    program, inputs = traced_derivative(Spec(), case.sizes), case.inputs()
    at = Arithmetic.judging(dtype, case.sizes)
    values: list[Any] = [None] * program.slots
    for slot, constant in program.constants:
        values[slot] = bounds.evaluate_literal(at, constant)
    for slot, array in zip(program.inputs, inputs, strict=True):
        values[slot] = (array, EXACT)
    plain = run_program(program, {**bounds.RULES, "stop_gradient": evaluation._cancelling_shift}, at, values)
    roundings = len(program.operations) * (64 + most)
    for (_, own), (_, bound) in zip(plain, bounds.evaluate_with_bounds(program, inputs, at), strict=True):
        slack = bound / own - 1
        assert np.all(abs(slack - roundings * 2.0**-53) <= 2.0**-50)


def test_without_a_claim_that_shifts_cancel_they_carry_their_error():
    """A user's function may use stop_gradient for what does not cancel."""
    import jax

    def scaled(params, x, y):
        del y
        return (jax.lax.stop_gradient(params[0].weight * x).sum() * params[0].bias).sum()

    case = Case((1, 1), 1, seed=1)
    loss, *_ = bounds.evaluate_with_bounds(
        traced_derivative(scaled, case.sizes), case.inputs(), Arithmetic.judging("float64", case.sizes)
    )
    weight, bias, x, _ = (float(array.ravel()[0]) for array in case.inputs())
    u = 2.0**-53
    assert loss[1] > 3 * u * abs(weight * x * bias)


def test_what_is_not_a_number_has_no_bound():
    v, e = evaluation._finished(
        np.array([1.0, np.nan, 1.0, np.inf, 1.0]), np.array([1.0, 1.0, np.nan, 1.0, 0.0]), 2.0
    )
    assert e.tolist() == [2.0, np.inf, np.inf, np.inf, 0.0]
    assert len(v) == 5
