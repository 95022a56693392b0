"""Gather and scatter of balls. Where an index is not known exactly, nothing is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import flint
import numpy as np

from verify.evaluate import indexing
from verify.evaluate.array import Array
from verify.evaluate.balls.ball_arrays import Rule, Sizes, ball_middle, ball_radius, exact_balls
from verify.evaluate.program import program_shape


def _whole(indices: Array) -> Array | None:
    """Balls as integers; None where some are not exact."""
    if np.any(ball_radius(indices) > 0) or not np.all(np.isfinite(ball_middle(indices))):
        return None
    return ball_middle(indices).astype(np.int64)


def _unknown(shape: tuple[int, ...]) -> Array:
    result = np.empty(shape, dtype=object)
    result[...] = flint.arb("nan")
    return result


def _gather(sizes: Sizes, parameters: Mapping[str, Any], a: Array, indices: Array) -> Array:
    whole = _whole(indices)
    if whole is None:
        return _unknown(program_shape(parameters["out_shape"], sizes))
    fill = parameters["fill_value"]
    ball = exact_balls(np.asarray(np.nan if fill is None else fill, dtype=float))[()]
    return indexing.gather_by_index(sizes, parameters, a, whole, ball)


def _scatter(put: Callable[..., Array]) -> Rule:
    def scatter(
        sizes: Sizes, parameters: Mapping[str, Any], a: Array, indices: Array, updates: Array
    ) -> Array:
        whole = _whole(indices)
        return _unknown(a.shape) if whole is None else put(parameters, a, whole, updates)

    return scatter


def _starts(indices: tuple[Array, ...]) -> list[int] | None:
    whole = [_whole(np.asarray(index)) for index in indices]
    return (
        None
        if any(index is None for index in whole)
        else [int(index) for index in whole if index is not None]
    )


def _dynamic_slice(sizes: Sizes, parameters: Mapping[str, Any], a: Array, *indices: Array) -> Array:
    starts = _starts(indices)
    if starts is None:
        return _unknown(program_shape(parameters["slice_sizes"], sizes))
    return indexing.dynamic_slice(sizes, parameters, a, starts)


def _dynamic_update_slice(sizes: Sizes, parameters: Any, a: Array, update: Array, *indices: Array) -> Array:
    starts = _starts(indices)
    return _unknown(a.shape) if starts is None else indexing.dynamic_update_slice(a, update, starts)


RULES: dict[str, Rule] = {
    "gather": _gather,
    "scatter": _scatter(indexing.scatter_by_index),
    "scatter-add": _scatter(indexing.scatter_add_by_index),
    "dynamic_slice": _dynamic_slice,
    "dynamic_update_slice": _dynamic_update_slice,
}
