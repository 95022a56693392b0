"""Bounds of convolutions and of what is reduced over windows, and of max-pooling's derivative.

In these rules the operands are pairs (a, ea), (b, eb). A result in square brackets is the error before its own
rounding. What lies outside of the array (padding, and the gaps of a dilation) is in no sum: no term, no rounding.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from verify.evaluate import windows
from verify.evaluate.array import Array
from verify.evaluate.bounds.arithmetic import EXACT, Arithmetic, Pair, full_errors
from verify.evaluate.bounds.operation_rules import is_integral
from verify.evaluate.bounds.ordering_rules import may_be_largest
from verify.evaluate.bounds.rule_table import Rule, enter_rule
from verify.evaluate.convolution_as_product import (
    convolution_columns,
    convolution_of_product,
    convolution_rows,
    convolution_terms,
)
from verify.evaluate.program import program_shape

RULES: dict[str, Rule] = {}
rule = enter_rule(RULES)


@rule("conv_general_dilated")
def _convolution(at: Arithmetic, parameters: Mapping[str, Any], a: Pair, b: Pair) -> Pair:
    """[|A| Eb + Ea (|B| + Eb)], and n u (|A| + Ea)(|B| + Eb) for n products, in any order: see dot_general.

    A are the windows of the first operand and B the kernels, n the products whose window entry lies inside. It is a
    bound for the sum itself, not for algorithms that compute other products (Winograd, FFT).
    """
    A, B = (
        convolution_rows(at.sizes, parameters, a[0], b[0].shape),
        convolution_columns(parameters, b[0]),
    )
    n = convolution_terms(at.sizes, parameters, a[0].shape, b[0].shape)
    size_a, size_b = abs(A), abs(B)
    error: Array = np.zeros((), dtype=float)
    largest_a, largest_b = size_a, size_b
    if b[1] is not EXACT:
        Eb = convolution_columns(parameters, full_errors(*b))
        largest_b = size_b + Eb
        error = size_a @ Eb
    if a[1] is not EXACT:
        Ea = convolution_rows(at.sizes, parameters, full_errors(*a), b[0].shape)
        largest_a = size_a + Ea
        error = error + Ea @ largest_b
    error = error + (at.share(largest_a @ largest_b, n * at.u) + n * at.eta)
    value = A @ B
    return convolution_of_product(at.sizes, parameters, value), convolution_of_product(
        at.sizes, parameters, error
    )


@rule("reduce_window_sum")
def _window_sum(at: Arithmetic, parameters: Mapping[str, Any], a: Pair) -> Pair:
    """[sum e], and (n - 1) u sum(|v| + e) for the n entries of a window that lie inside, as for reduce_sum."""

    def total(array: Array) -> Array:
        view = windows.reduced_windows(at.sizes, parameters, array, 0)
        return np.asarray(view.sum(axis=windows.window_axes(view)))

    value = total(a[0])
    error = np.zeros_like(value) if a[1] is EXACT else total(full_errors(*a))
    if is_integral(parameters):
        return value, error
    additions = np.maximum(total(np.ones(a[0].shape)) - 1, 0)
    rounding = at.share(total(abs(a[0])) + error, additions * at.u) + additions * at.eta
    return value, error + np.where(additions > 0, rounding, 0.0)


def _window_extreme(sign: int) -> Rule:
    def extreme(at: Arithmetic, parameters: Mapping[str, Any], a: Pair) -> Pair:
        """Exact; no extreme moves more than the entry of its window that moves most."""
        view = windows.reduced_windows(at.sizes, parameters, sign * a[0], -np.inf)
        value = sign * view.max(axis=windows.window_axes(view))
        if a[1] is EXACT:
            return value, EXACT
        errors = windows.reduced_windows(at.sizes, parameters, full_errors(*a), 0)
        return value, errors.max(axis=windows.window_axes(errors))

    return extreme


RULES.update(reduce_window_max=_window_extreme(1), reduce_window_min=_window_extreme(-1))


@rule("largest_in_window")
def _largest_in_window(at: Arithmetic, parameters: Mapping[str, Any], a: Pair) -> Pair:
    """Return which entry of each window is taken for its largest, (*places, entries): of equal ones the first.

    In doubt as `may_be_largest` says: equal numbers that are exact are in none.
    """
    sign = -1.0 if parameters["smallest"] else 1.0
    v = windows.window_entries(at.sizes, parameters, sign * a[0], -np.inf)
    e = EXACT if a[1] is EXACT else windows.window_entries(at.sizes, parameters, full_errors(*a), 0)
    _, doubt = may_be_largest(v, e, (v.ndim - 1,))
    first = np.arange(v.shape[-1]) == v.argmax(axis=-1)[..., np.newaxis]
    return first, doubt


@rule("add_to_windows")
def _add_to_windows(
    at: Arithmetic, parameters: Mapping[str, Any], source: Pair, chosen: Pair, *shared: Pair
) -> Pair:
    """Add each number of the source where its window's entry is chosen: a sum for each entry of the whole.

    [sum e], e plus |v| where the choice is in doubt, since the number may be there or not; and (n - 1) u sum(|v| + e)
    for the n numbers that may be there. Where windows are ``shared``, each of their entries may have a part of it.
    """
    whole = program_shape(parameters["out_shape"], at.sizes)
    where = windows.window_places(at.sizes, parameters, whole).ravel()
    count = int(np.prod(whole))

    def total(numbers: Array) -> Array:
        return np.bincount(where, np.ravel(numbers), count + 1)[:count].reshape(whole)

    (v, e), (outcome, doubt) = ((part[..., np.newaxis] for part in (source[0], full_errors(*source))), chosen)
    possible = outcome | doubt
    value = total(np.where(outcome, v, 0.0))
    error = total(np.where(possible, e + np.where(doubt, abs(v), 0.0), 0.0))
    counted = possible | shared[0][0] if shared else possible
    additions = np.maximum(total(counted) - 1, 0)
    largest = total(np.where(possible, abs(v) + e, 0.0))
    rounding = at.share(largest, additions * at.u) + additions * at.eta
    return value, error + np.where(additions > 0, rounding, 0.0)
