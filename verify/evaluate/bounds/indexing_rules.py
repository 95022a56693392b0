"""Bounds of what indices move, and of the sum that scatters make.

Numbers move with their errors. An index in doubt (the place of a largest number that may be another) may take or put
anything: what depends on it has no bound.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from verify.evaluate import indexing
from verify.evaluate.array import Array
from verify.evaluate.bounds.arithmetic import Arithmetic, Pair, full_errors
from verify.evaluate.bounds.operation_rules import is_integral
from verify.evaluate.bounds.rule_table import Rule, enter_rule

RULES: dict[str, Rule] = {}
rule = enter_rule(RULES)


def _whole(a: Array) -> Array:
    return a.astype(np.int64)


def _certain(*indices: Pair) -> bool:
    return not any(np.any(e) for _, e in indices)


def _unknown(pair: Pair) -> Pair:
    return pair[0], np.full(pair[0].shape, pair[0].dtype == bool or np.inf)


def _filling(parameters: Mapping[str, Any], a: Array) -> Any:
    """Return what a gather puts where it finds nothing: a number that is none, unless another is asked for."""
    fill = parameters["fill_value"]
    return fill if fill is not None else True if a.dtype == bool else np.nan


@rule("gather")
def _gather(at: Arithmetic, parameters: Mapping[str, Any], a: Pair, indices: Pair) -> Pair:
    """Exact; unknown where the index vector is in doubt."""
    whole = _whole(indices[0])
    v = indexing.gather_by_index(at.sizes, parameters, a[0], whole, _filling(parameters, a[0]))
    e = indexing.gather_by_index(at.sizes, parameters, full_errors(*a), whole, a[1].dtype.type(0))
    if _certain(indices):
        return v, e
    doubt = full_errors(*indices).any(axis=-1).ravel()
    vectors = indexing.gather_places(at.sizes, parameters, a[0].shape, whole).vector
    return v, np.where(doubt[vectors], True if v.dtype == bool else np.inf, e)


@rule("scatter")
def _scatter(at: Arithmetic, parameters: Mapping[str, Any], a: Pair, indices: Pair, updates: Pair) -> Pair:
    """Exact; of several updates for one place the last is taken, which JAX does not promise."""
    v, e = (
        indexing.scatter_by_index(parameters, whole, _whole(indices[0]), part)
        for whole, part in ((a[0], updates[0]), (full_errors(*a).copy(), full_errors(*updates)))
    )
    return (v, e) if _certain(indices) else _unknown((v, e))


@rule("scatter-add")
def _scatter_add(
    at: Arithmetic, parameters: Mapping[str, Any], a: Pair, indices: Pair, updates: Pair
) -> Pair:
    """[sum e], and (n - 1) u sum(|v| + e), where n numbers meet: the updates of a place, and what is there but 0."""

    def total(whole: Array, parts: Array) -> Array:
        return indexing.scatter_add_by_index(parameters, whole, _whole(indices[0]), parts)

    v, e = total(a[0], updates[0]), total(full_errors(*a), full_errors(*updates))
    if not _certain(indices):
        return _unknown((v, e))
    if is_integral(parameters):
        return v, e
    there = ((a[0] != 0) | (full_errors(*a) != 0)).astype(float)
    additions = np.maximum(total(there, np.ones(updates[0].shape)) - 1, 0)
    rounding = at.share(total(abs(a[0]), abs(updates[0])) + e, additions * at.u) + additions * at.eta
    return v, e + np.where(additions > 0, rounding, 0.0)


def _starts(indices: tuple[Pair, ...]) -> list[int]:
    return [int(v) for v, _ in indices]


@rule("dynamic_slice")
def _dynamic_slice(at: Arithmetic, parameters: Mapping[str, Any], a: Pair, *indices: Pair) -> Pair:
    """Exact; unknown where an index is in doubt."""
    v, e = (
        indexing.dynamic_slice(at.sizes, parameters, part, _starts(indices))
        for part in (a[0], full_errors(*a))
    )
    return (v, e) if _certain(*indices) else _unknown((v, e))


@rule("dynamic_update_slice")
def _dynamic_update_slice(at: Arithmetic, _: Any, a: Pair, update: Pair, *indices: Pair) -> Pair:
    """Exact; unknown where an index is in doubt."""
    v = indexing.dynamic_update_slice(a[0], update[0], _starts(indices))
    e = indexing.dynamic_update_slice(full_errors(*a), full_errors(*update), _starts(indices))
    return (v, e) if _certain(*indices) else _unknown((v, e))
