"""Bounds of the functions: the error comes from the derivative's largest value between a - ea and a + ea.

In these rules the operands are pairs (a, ea), (b, eb). A result in square brackets is the error before its own
rounding, which `Arithmetic.rounded` adds. "Exact" means that the operation itself never rounds.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from verify.evaluate.bounds.arithmetic import LIBRARY_ULPS, SIGMOID_ULPS, SMALLEST, Arithmetic, Array, Pair
from verify.evaluate.bounds.rules import Rule, entering, surely

RULES: dict[str, Rule] = {}
rule = entering(RULES)

# Exponentials that underflow here are taken to be SMALLEST: a large ea may lift them from there.


@rule("exp")
def _exp(at: Arithmetic, _: Any, a: Pair) -> Pair:  # [v expm1(ea)]: exp(a+d) - exp(a) = exp(a) (exp(d) - 1)
    v = np.exp(a[0])
    return at.rounded(v, np.maximum(v, SMALLEST) * np.expm1(a[1]), LIBRARY_ULPS)


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
    share = surely(ea) / a
    return np.where(share < 1, -np.log1p(-share), np.inf)  # where a < 0, the value is not a number


@rule("sqrt")
def _sqrt(at: Arithmetic, _: Any, a: Pair) -> Pair:
    """[ea / sqrt(a)]: sqrt(a+d) - sqrt(a) = d / (sqrt(a+d) + sqrt(a)); infinite if a may be below 0."""
    v = np.sqrt(a[0])
    error = np.where(surely(a[1]) <= a[0], a[1] / v, np.inf)
    return at.rounded(v, np.where(a[1] == 0, 0.0, error))


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
