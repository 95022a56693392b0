"""Bounds of the arithmetic operations: sums, products, quotients, powers, and the largest of some numbers.

In these rules the operands are pairs (a, ea), (b, eb). A result in square brackets is the error before its own
rounding, which `Arithmetic.rounded` adds. "Exact" means that the operation itself never rounds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from verify.evaluate import moves
from verify.evaluate.array import Array
from verify.evaluate.bounds.arithmetic import (
    EXACT,
    Arithmetic,
    Pair,
    full_errors,
    interval_ends,
    with_own_rounding,
)
from verify.evaluate.bounds.rule_table import Rule, enter_rule
from verify.evaluate.formats import limits
from verify.evaluate.merged_sums import AFFINE_SUM

RULES: dict[str, Rule] = {}
rule = enter_rule(RULES)


def is_integral(parameters: Mapping[str, Any]) -> bool:
    """Tell whether a result is an integer, such as an index: then nothing rounds."""
    dtype = parameters.get("out_dtype")
    return dtype is not None and dtype.kind in "iu"


@rule("add", "add_any")
def _add(at: Arithmetic, parameters: Mapping[str, Any], a: Pair, b: Pair) -> Pair:  # [ea + eb]
    return _sum_of_two(at, parameters, a[0] + b[0], a, b)


@rule("sub")
def _sub(at: Arithmetic, parameters: Mapping[str, Any], a: Pair, b: Pair) -> Pair:  # [ea + eb]
    return _sum_of_two(at, parameters, a[0] - b[0], a, b)


def _sum_of_two(at: Arithmetic, parameters: Mapping[str, Any], v: Array, a: Pair, b: Pair) -> Pair:
    """One rounding, where `Arithmetic.sums_exactly` does not say that there is none."""
    e = a[1] + b[1]
    if is_integral(parameters):
        return v, e
    if not e.any() and at.sums_exactly(abs(a[0]) + abs(b[0]), a, b):
        return v, EXACT
    return at.rounded(v, e)


@rule("mul")
def _mul(at: Arithmetic, parameters: Mapping[str, Any], a: Pair, b: Pair) -> Pair:
    """[|a| eb + ea (|b| + eb)], from (a + da) (b + db) - a b."""
    v = a[0] * b[0]
    if b[1] is EXACT:  # one term is left
        e = a[1] * abs(b[0])
    elif a[1] is EXACT:
        e = abs(a[0]) * b[1]
    else:
        e = abs(a[0]) * b[1] + a[1] * (abs(b[0]) + b[1])
    return (v, e) if is_integral(parameters) else at.rounded(v, e)


@rule("weighed")
def _weighed(at: Arithmetic, _: Any, a: Pair, where: Pair) -> Pair:
    """A number, and the rounding of a product with a weight of at most 1 where it is said so."""
    v, e = at.rounded(a[0], a[1])
    return v, np.where(where[0], e, a[1])


@rule("div")
def _div(at: Arithmetic, parameters: Mapping[str, Any], a: Pair, b: Pair) -> Pair:
    """[(ea + |q| eb) / (|b| - eb)], infinite if b may be 0: a'/b' - q = (a' - q b') / b', with q = a/b.

    Then two roundings: XLA and people multiply with a reciprocal that is rounded itself, such as 1/n for a mean. Where
    that underflows, the numerator magnifies it.
    """
    v, e = _quotient(a, b)
    if is_integral(parameters):
        return truncate_rule(v, np.where((a[1] > 0) | (b[1] > 0), np.inf, 0.0))
    return at.rounded(v, e + at.eta * (abs(a[0]) + a[1]), ulps=1)


def _quotient(a: Pair, b: Pair) -> Pair:
    quotient = a[0] / b[0]
    room = abs(b[0]) - with_own_rounding(b[1])
    return quotient, np.where(room > 0, (a[1] + abs(quotient) * b[1]) / room, np.inf)


@rule("neg")
def _neg(at: Arithmetic, _: Any, a: Pair) -> Pair:  # exact
    return -a[0], a[1]


@rule("abs")
def _abs(at: Arithmetic, _: Any, a: Pair) -> Pair:  # exact; ||a+da| - |a|| <= |da|
    return abs(a[0]), a[1]


@rule("square")
def _square(at: Arithmetic, _: Any, a: Pair) -> Pair:  # as a * a
    return _mul(at, _, a, a)


@rule("one_minus_square")
def _one_minus_square(at: Arithmetic, _: Any, a: Pair) -> Pair:  # as (1 - a) (1 + a), JAX's own way
    one = (np.ones(()), EXACT)
    return _mul(at, {}, _sub(at, {}, one, a), _add(at, {}, one, a))


@rule("integer_pow")
def _integer_pow(at: Arithmetic, parameters: Mapping[str, Any], a: Pair) -> Pair:
    """A power by repeated products, in any order of squarings: |y| - 1 of them round, then one division if y < 0.

    [(|a| + ea)^n - |a|^n], n = |y|, as the sum ea (|a|+ea)^k |a|^(n-1-k), which does not cancel; the roundings of
    n - 1 products together are (1 + u)^(n-1) - 1 of the result, plus one underflow each, grown by later factors.
    (A square of what underflowed adds twice a product with a number below eta: less than another underflow.)
    """
    exponent = parameters["y"]
    n = abs(exponent)
    largest, magnitude = abs(a[0]) + a[1], abs(a[0])
    power, powers, large_powers = np.ones_like(a[0]), [np.ones_like(magnitude)], [np.ones_like(largest)]
    for _ in range(n):  # not ``**``, whose error is a library's
        power = power * a[0]
        powers.append(powers[-1] * magnitude)
        large_powers.append(large_powers[-1] * largest)
    error = np.zeros_like(largest)
    for k in range(n):
        error = error + a[1] * large_powers[k] * powers[n - 1 - k]
    if n > 1:
        error += at.share(large_powers[n], float(np.expm1((n - 1) * np.log1p(at.u))))
        error += at.eta * sum(large_powers[: n - 1])
    if exponent < 0:
        return at.rounded(*_quotient((np.ones(()), EXACT), (power, error)))
    return power, error


@rule("reduce_sum")
def _reduce_sum(at: Arithmetic, parameters: Mapping[str, Any], a: Pair) -> Pair:
    """[sum e], and (n - 1) u sum(|v| + e) for n - 1 additions in any order; none where all terms but one are 0.

    Rump, Error estimation of floating-point summation and dot product, BIT 52 (2012), theorem 3.1.
    """
    axes = parameters["axes"]
    total = np.add.reduce(a[0], axes)
    n = a[0].size // max(total.size, 1)
    error = np.add.reduce(full_errors(*a), axes) if a[1].ndim else n * a[1]
    if n == 1 or is_integral(parameters):
        return total, error
    largest = np.add.reduce(abs(a[0]), axes) + error
    alone: Any = False
    if not error.any():  # a number below eta may be flushed to 0 all the same
        alone = (np.add.reduce(a[0] != 0, axes) <= 1) & ((largest == 0) | (largest >= at.eta))
    rounding = at.share(largest, (n - 1) * at.u) + (n - 1) * at.eta
    return total, error + np.where(alone, 0.0, rounding)


@rule("cumsum")
def _cumsum(at: Arithmetic, parameters: Mapping[str, Any], a: Pair) -> Pair:
    """The first k terms as a sum of their own: [sum e], and (k - 1) u sum(|v| + e), as for reduce_sum."""
    axis, reverse = parameters["axis"], parameters["reverse"]

    def cumulative(array: Array) -> Array:
        ordered = np.flip(array, axis) if reverse else array
        sums = np.cumsum(ordered, axis)
        return np.flip(sums, axis) if reverse else sums

    total, error = cumulative(a[0]), cumulative(full_errors(*a))
    if is_integral(parameters):
        return total, error
    additions = cumulative(np.ones_like(a[0])) - 1
    largest = at.share(cumulative(abs(a[0])) + error, at.u)
    return total, error + np.where(additions > 0, additions * largest + additions * at.eta, 0.0)


@rule("dot_general")
def _dot_general(at: Arithmetic, parameters: Mapping[str, Any], a: Pair, b: Pair) -> Pair:
    """[|A| Eb + Ea (|B| + Eb)], and n u (|A| + Ea)(|B| + Eb) for inner products of size n in any order.

    Jeannerod and Rump, Improved error bounds for inner products in floating-point arithmetic, SIAM J. Matrix
    Anal. Appl. 34 (2013). Both terms are gathered into two products of matrices. An underflow in a product leaves
    nothing to add, so that there are n underflows at most and not 2 n - 1.
    """
    A, B = moves.move_to_left_matrices(parameters, a[0]), moves.move_to_right_matrices(parameters, b[0])
    Eb = moves.move_to_right_matrices(parameters, full_errors(*b)) if b[1].ndim else b[1]
    n = A.shape[-1]
    largest_b = abs(B) + Eb
    error = abs(A) @ (Eb + (n * at.u) * largest_b)
    if a[1].ndim or a[1]:
        error += moves.move_to_left_matrices(parameters, full_errors(*a)) @ ((1 + n * at.u) * largest_b)
    # The error holds n u of the largest partial sums: infinite where these overflow.
    if at.headroom != 1:
        error = at.share(error / (n * at.u), n * at.u)
    error += n * at.eta
    return moves.move_from_matrices(parameters, A @ B, a[0], b[0]), moves.move_from_matrices(
        parameters, error, a[0], b[0]
    )


@rule(AFFINE_SUM)
def _affine_sum(
    at: Arithmetic, parameters: Mapping[str, Any], total: Pair, product: Pair, number: Pair, left: Pair
) -> Pair:
    """[e + e_b + u M + n u (|b| + e_b)] for n products, of magnitudes M, and one number b in any order.

    The bound of a merged sum, with n u M <= e: n + 1 terms make (n + 1) u (M + |b|) at most, of which n u M is in e.
    What an exact infinity makes infinite stays exact: such are logits that a mask removes.
    """
    n = max(math.prod([left[0].shape[axis] for axis in parameters["inner"]]), 1)
    (_, e), (b, eb) = product, number
    largest = abs(b) + eb
    error: Array = (1 + 1 / n) * e + ((n * at.u) * largest + eb) + at.eta
    largest = largest + e / (n * at.u)
    if not largest.max(initial=0.0) <= limits(at.dtype).max / 2:
        error = np.where(at.overflows(largest), np.inf, error)
        error = np.where(np.isinf(total[0]) & (total[1] == 0), 0.0, error)
    return total[0], error


def truncate_rule(v: Array, e: Array) -> Pair:
    """An integer part, towards 0: off by what lies between the truncated ends."""
    low, high = (np.trunc(end) for end in interval_ends(v, e))
    return np.trunc(v), np.where(low == high, 0.0, high - low)


@rule("max")
def _max(
    at: Arithmetic, _: Any, a: Pair, b: Pair
) -> Pair:  # exact; the error of the larger, or of either in doubt
    return np.maximum(a[0], b[0]), _extreme_error(a[0] - b[0], a[1], b[1])


@rule("min")
def _min(at: Arithmetic, _: Any, a: Pair, b: Pair) -> Pair:  # exact, as max
    return np.minimum(a[0], b[0]), _extreme_error(b[0] - a[0], a[1], b[1])


def _extreme_error(lead: Array, ea: Array, eb: Array) -> Array:
    """The error of max(a, b) where a leads b by ``lead``: max moves no more than the argument that it may take."""
    in_doubt = with_own_rounding(ea + eb)
    return np.where(lead > in_doubt, ea, np.where(-lead > in_doubt, eb, np.maximum(ea, eb)))


@rule("clamp")
def _clamp(at: Arithmetic, _: Any, low: Pair, a: Pair, high: Pair) -> Pair:  # exact, as max
    return np.clip(a[0], low[0], high[0]), np.maximum(a[1], np.maximum(low[1], high[1]))


@rule("reduce_max")
def _reduce_max(at: Arithmetic, parameters: Mapping[str, Any], a: Pair) -> Pair:
    axes = parameters["axes"]
    return a[0].max(axis=axes), _reduced_extreme_error(a[0], full_errors(*a), axes)


@rule("reduce_min")
def _reduce_min(at: Arithmetic, parameters: Mapping[str, Any], a: Pair) -> Pair:
    axes = parameters["axes"]
    return a[0].min(axis=axes), _reduced_extreme_error(-a[0], full_errors(*a), axes)


def _reduced_extreme_error(v: Array, e: Array, axes: tuple[int, ...]) -> Array:
    """[max(v + e) - max(v), at least e of the largest]: what cannot reach the top has no part, however inexact it is.

    The largest of v + d, with |d| <= e, is at most max(v + e), and at least v - e of that which is the largest in v.
    """
    below = v - v.max(axis=axes, keepdims=True)
    reach = np.fmin(e, below + with_own_rounding(e))
    error: Array = np.where(below == 0, e, np.where(np.isnan(below), e, reach)).max(axis=axes)
    return error
