"""Bounds of the functions: the error comes from the derivative's largest value between a - ea and a + ea.

In these rules the operands are pairs (a, ea), (b, eb). A result in square brackets is the error before its own
rounding, which `Arithmetic.rounded` adds. "Exact" means that the operation itself never rounds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from verify.evaluate.array import Array
from verify.evaluate.bounds.arithmetic import (
    LIBRARY_ULPS,
    SIGMOID_ULPS,
    SMALLEST,
    Arithmetic,
    Pair,
    interval_ends,
    with_own_rounding,
)
from verify.evaluate.bounds.rule_table import Rule, enter_rule

RULES: dict[str, Rule] = {}
rule = enter_rule(RULES)

# Exponentials that underflow here are taken to be SMALLEST: a large ea may lift them from there.


@rule("exp")
def _exp(at: Arithmetic, _: Any, a: Pair) -> Pair:
    """[v expm1(ea)]: exp(a+d) - exp(a) = exp(a) (exp(d) - 1).

    Where that overflows, as for the scores of a mask (-1e30, with an error of 1e14), exp(a + ea) is a bound too.
    """
    v = np.exp(a[0])
    error = np.maximum(v, SMALLEST) * np.expm1(a[1])
    if np.isinf(error).any():
        largest = np.maximum(np.exp(interval_ends(*a)[1]), SMALLEST)  # NaN where a is -inf, and ea infinite
        error = np.where(np.isinf(error), np.fmin(largest, error), error)
    return at.rounded(v, error, LIBRARY_ULPS)


@rule("expm1")
def _expm1(at: Arithmetic, _: Any, a: Pair) -> Pair:  # [exp(a) expm1(ea)], as for exp
    error = np.maximum(np.exp(a[0]), SMALLEST) * np.expm1(a[1])
    return at.rounded(np.expm1(a[0]), error, LIBRARY_ULPS)


@rule("log")
def _log(at: Arithmetic, _: Any, a: Pair) -> Pair:
    """[-log(1 - ea/a)], which is log(a) - log(a - ea); infinite if a may be 0."""
    return at.rounded(np.log(a[0]), _log_error(a[0], a[1]), LIBRARY_ULPS)


@rule("log1p")
def _log1p(at: Arithmetic, _: Any, a: Pair) -> Pair:  # [-log(1 - ea/(1+a))], as for log
    return at.rounded(np.log1p(a[0]), _log_error(1 + a[0], a[1]), LIBRARY_ULPS)


def _log_error(a: Array, ea: Array) -> Array:
    share = with_own_rounding(ea) / a
    return np.where(share < 1, -np.log1p(-share), np.inf)  # where a < 0, the value is not a number


@rule("sqrt")
def _sqrt(at: Arithmetic, _: Any, a: Pair) -> Pair:
    """[ea / sqrt(a)]: sqrt(a+d) - sqrt(a) = d / (sqrt(a+d) + sqrt(a)); infinite if a may be below 0."""
    v = np.sqrt(a[0])
    error = np.where(with_own_rounding(a[1]) <= a[0], a[1] / v, np.inf)
    return at.rounded(v, np.where(a[1] == 0, 0.0, error))


@rule("rsqrt")
def _rsqrt(at: Arithmetic, _: Any, a: Pair) -> Pair:
    """[1/sqrt(a-ea) - 1/sqrt(a)], as ea / (sqrt(a) sqrt(a-ea) (sqrt(a) + sqrt(a-ea))); infinite if a may be 0."""
    room = a[0] - with_own_rounding(a[1])
    root, least = np.sqrt(a[0]), np.sqrt(np.maximum(room, 0.0))
    error = np.where(room > 0, a[1] / (root * least * (root + least)), np.inf)
    return at.rounded(1 / root, error, LIBRARY_ULPS)


@rule("pow")
def _pow(at: Arithmetic, _: Any, a: Pair, b: Pair) -> Pair:
    """[v expm1(L)], where L = (|b| + eb) (log(a) - log(a - ea)) + eb |log(a)| bounds the change of log(v) = b log(a).

    For a < 0 the same holds of |a|, where b is an integer and exact. Where a may be 0 nothing is known, but 0**b and
    a**0 are exact where their operands are.
    """
    magnitude = abs(a[0])
    v = np.power(a[0], b[0])
    change = (abs(b[0]) + b[1]) * _log_error(magnitude, a[1])
    change = change + np.where(b[1] == 0, 0.0, b[1] * abs(np.log(magnitude)))
    error = np.maximum(abs(v), SMALLEST) * np.expm1(change)
    error = np.where((a[0] < 0) & (b[1] != 0), np.inf, error)
    fixed = (b[1] == 0) & ((b[0] == 0) | ((a[0] == 0) & (a[1] == 0)))
    return at.rounded(v, np.where(fixed, 0.0, error), LIBRARY_ULPS)


@rule("exp2")
def _exp2(at: Arithmetic, _: Any, a: Pair) -> Pair:
    """[v expm1(ea log(2))], and v |a| log(2) 2u where a library takes exp(a log(2)): two roundings, magnified."""
    v = np.exp2(a[0])
    error = np.maximum(v, SMALLEST) * np.expm1((a[1] + 2 * at.u * (abs(a[0]) + a[1])) * math.log(2))
    return at.rounded(v, error, LIBRARY_ULPS)


@rule("sin")
def _sin(at: Arithmetic, _: Any, a: Pair) -> Pair:  # [ea, at most 2]: no slope is beyond 1
    return at.rounded(np.sin(a[0]), np.minimum(a[1], 2.0), LIBRARY_ULPS)


@rule("cos")
def _cos(at: Arithmetic, _: Any, a: Pair) -> Pair:  # [ea, at most 2], as sin
    return at.rounded(np.cos(a[0]), np.minimum(a[1], 2.0), LIBRARY_ULPS)


def _normal_error(a: Array, ea: Array) -> Array:
    """[2/sqrt(pi) exp(-m**2) ea, at most 2], m the least of |a+d|: the largest slope of erf in the interval."""
    least = np.maximum(abs(a) - with_own_rounding(ea), 0.0)
    slope = 2 / math.sqrt(math.pi) * np.exp(-least * least)
    return np.where(ea == 0, 0.0, np.minimum(slope * ea, 2.0))


_each_erf, _each_erfc = (np.frompyfunc(function, 1, 1) for function in (math.erf, math.erfc))


@rule("erf")
def _erf(at: Arithmetic, _: Any, a: Pair) -> Pair:  # see _normal_error
    return at.rounded(np.asarray(_each_erf(a[0]), dtype=float), _normal_error(*a), LIBRARY_ULPS)


@rule("erfc")
def _erfc(at: Arithmetic, _: Any, a: Pair) -> Pair:
    """[that of erf, and v a**2 u for a > 0]: libraries multiply with exp(-a**2), whose square is rounded.

    (Measured: 32 ulps in SciPy and XLA at a = 8.4, which is 71 u of the square.)
    """
    v = np.asarray(_each_erfc(a[0]), dtype=float)
    error = _normal_error(*a)
    largest = np.maximum(a[0], 0.0) + a[1]
    square = (v + error) * np.expm1(at.u * largest * largest)
    return at.rounded(v, np.fmin(error + square, 2.0), LIBRARY_ULPS)  # fmin: 0 times infinity is not a number


def _integer_near(nearest: Callable[[Array], Array]) -> Rule:
    def rounded(at: Arithmetic, _: Any, a: Pair) -> Pair:
        """Exact; off by the integers between those of the ends."""
        low, high = (nearest(end) for end in interval_ends(*a))
        return nearest(a[0]), np.where(low == high, 0.0, high - low)

    return rounded


def _half_away_from_zero(a: Array) -> Array:
    whole = np.trunc(a)
    return whole + np.where(abs(a - whole) >= 0.5, np.sign(a), 0.0)


RULES.update(floor=_integer_near(np.floor), ceil=_integer_near(np.ceil))


@rule("round")
def _round(at: Arithmetic, parameters: Mapping[str, Any], a: Pair) -> Pair:
    to_even = int(parameters["rounding_method"]) == 1
    return _integer_near(np.rint if to_even else _half_away_from_zero)(at, parameters, a)


@rule("rem")
def _rem(at: Arithmetic, _: Any, a: Pair, b: Pair) -> Pair:
    """Exact, of the sign of a; infinite for operands that are not, since it jumps."""
    return np.fmod(a[0], b[0]), np.where((a[1] == 0) & (b[1] == 0), 0.0, np.inf)


@rule("logistic")
def _logistic(at: Arithmetic, _: Any, a: Pair) -> Pair:
    """[v (1 - v) expm1(ea), at most 1]: s(a+d) - s(a) = s(a+d) (1 - s(a)) (1 - exp(-d)), s(a+d) <= s(a) exp(d).

    1 - v is s(-a), without cancellation.
    """
    small = np.exp(-abs(a[0]))
    larger = 1 / (1 + small)
    v = np.where(a[0] < 0, small * larger, larger)
    error = np.maximum(small, SMALLEST) * larger * larger * np.expm1(a[1])
    return at.rounded(v, np.minimum(error, 1.0), SIGMOID_ULPS)


@rule("tanh")
def _tanh(
    at: Arithmetic, _: Any, a: Pair
) -> Pair:  # [2 s(2a) (1 - s(2a)) expm1(2 ea), at most 2]: tanh(a) = 2 s(2a) - 1
    small = np.exp(-2 * abs(a[0]))
    error = 2 * np.maximum(small, SMALLEST) / (1 + small) ** 2 * np.expm1(2 * a[1])
    return at.rounded(np.tanh(a[0]), np.minimum(error, 2.0), LIBRARY_ULPS)
