"""Bounds of what orders numbers: which is the largest, and the sorted sequence.

In these rules the operand is a pair (a, ea). Nothing here rounds; what is in doubt is the order, where the intervals
of two numbers overlap. Numbers that are equal and exact are in no doubt: each primitive says which of them it takes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from verify.evaluate.array import Array
from verify.evaluate.bounds.arithmetic import EXACT, Arithmetic, Pair, full_errors, with_own_rounding
from verify.evaluate.bounds.rule_table import Rule, enter_rule
from verify.evaluate.program import NoRule

RULES: dict[str, Rule] = {}
rule = enter_rule(RULES)


def may_be_largest(v: Array, e: Array, axes: tuple[int, ...]) -> tuple[Array, Array]:
    """Return which entries equal the largest along these axes, and which of them, or of the others, are in doubt.

    An entry is in doubt where its interval and that of the largest overlap, unless all that may be largest are exact:
    then the largest are known. A largest entry that no other interval reaches is in no doubt either.
    """
    top = v.max(axis=axes, keepdims=True)
    largest = v == top
    if e is EXACT or not e.any():
        return largest, np.zeros((), dtype=bool)
    low = (v - with_own_rounding(e)).max(axis=axes, keepdims=True)
    candidates = ~(v + with_own_rounding(e) < low)
    alone = candidates.sum(axis=axes, keepdims=True) == 1
    exact = np.where(candidates, e == 0, True).all(axis=axes, keepdims=True)
    return largest, candidates & ~alone & ~exact


@rule("is_largest", "is_smallest")
def _is_largest(at: Arithmetic, parameters: Mapping[str, Any], a: Pair) -> Pair:
    """Tell whether each entry equals the largest along the axes: what JAX asks as a == max(a). See `may_be_largest`."""
    v = -a[0] if parameters["smallest"] else a[0]
    return may_be_largest(v, a[1] if a[1] is EXACT else full_errors(*a), parameters["axes"])


def _argument(best: Callable[..., Array], sign: float) -> Rule:
    def argument(at: Arithmetic, parameters: Mapping[str, Any], a: Pair) -> Pair:
        """The index of the first of the largest (smallest); in doubt, off by as much as an index can be."""
        axes = parameters["axes"]
        _, doubt = may_be_largest(sign * a[0], a[1] if a[1] is EXACT else full_errors(*a), axes)
        index = best(a[0], axis=axes[0]).astype(float)
        if not doubt.any():
            return index, EXACT
        return index, np.where(doubt.any(axis=axes), float(a[0].shape[axes[0]] - 1), 0.0)

    return argument


RULES.update(argmax=_argument(np.argmax, 1.0), argmin=_argument(np.argmin, -1.0))


def _ordered(key: Pair, payload: Pair, axis: int, order: Array) -> Pair:
    """The payload in the order of a key. The k-th smallest of numbers moves by no more than one of them can.

    So a sorted key is off by its largest error. Another payload is off by the range of the payload as a whole where
    two neighbours of the key, each that far off, may change places; in no doubt elsewhere.
    """
    v, e = (np.take_along_axis(part, order, axis) for part in (payload[0], full_errors(*payload)))
    errors = full_errors(*key)
    if not errors.any():
        return v, e
    most = errors.max(axis=axis, keepdims=True)
    if payload is key:
        return v, np.broadcast_to(most, v.shape)
    gaps = np.diff(np.take_along_axis(key[0], order, axis), axis=axis)
    close = abs(gaps) <= 2 * with_own_rounding(most)
    edge = np.zeros_like(most, dtype=bool)
    doubt = np.concatenate([edge, close], axis) | np.concatenate([close, edge], axis)
    widest = np.ptp(payload[0], axis=axis, keepdims=True) + full_errors(*payload).max(
        axis=axis, keepdims=True
    )
    return v, np.where(doubt, widest, e)


@rule("sort")
def _sort(at: Arithmetic, parameters: Mapping[str, Any], key: Pair, *others: Pair) -> Pair:
    """A stable sort by the first operand, of the operand numbered ``which_result``. See `_ordered`."""
    if parameters["num_keys"] != 1:
        raise NoRule(f"the gradient of this loss sorts by {parameters['num_keys']} keys: sort by one")
    axis = parameters["dimension"]
    order = np.argsort(key[0], axis=axis, kind="stable")
    return _ordered(key, (key, *others)[parameters["which_result"]], axis, order)


@rule("top_k")
def _top_k(at: Arithmetic, parameters: Mapping[str, Any], a: Pair) -> Pair:
    """The k largest, largest first and of equal numbers the first first; or their indices."""
    axis, k = parameters["axis"], parameters["k"]
    order = np.argsort(-a[0], axis=axis, kind="stable")
    v, e = _ordered(a, (_places(a[0], axis), EXACT) if parameters["which_result"] else a, axis, order)
    first = tuple(slice(k) if i == axis else slice(None) for i in range(v.ndim))
    return v[first], e[first]


def _places(a: Array, axis: int) -> Array:
    """The index along an axis, in the shape of an array."""
    along = [-1 if i == axis else 1 for i in range(a.ndim)]
    return np.broadcast_to(np.arange(a.shape[axis], dtype=float).reshape(along), a.shape)
