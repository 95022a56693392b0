"""The primitives that only move numbers about, as functions of arrays of anything: floats, bounds or balls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from verify.evaluate.program import shape, size

Array = npt.NDArray[Any]
Move = Callable[..., Array]
"""``move(sizes, parameters, *arrays)``: the result of a primitive with these parameters."""


def _same(sizes: Any, parameters: Any, a: Array) -> Array:
    return a


def _broadcast_in_dim(sizes: Mapping[str, int], parameters: Mapping[str, Any], a: Array) -> Array:
    target = shape(parameters["out_shape"], sizes)
    if a.ndim:
        kept = [1] * len(target)
        for axis, length in zip(parameters["broadcast_dimensions"], a.shape, strict=True):
            kept[axis] = length
        a = a.reshape(kept)
    return np.broadcast_to(a, target)


def _reshape(sizes: Mapping[str, int], parameters: Mapping[str, Any], a: Array) -> Array:
    return a.reshape(shape(parameters["out_shape"], sizes))


def _transpose(sizes: Any, parameters: Mapping[str, Any], a: Array) -> Array:
    return a.transpose(parameters["permutation"])


def _reverse(sizes: Any, parameters: Mapping[str, Any], a: Array) -> Array:
    return np.flip(a, parameters["dimensions"])


def _concatenate(sizes: Any, parameters: Mapping[str, Any], *parts: Array) -> Array:
    return np.concatenate(parts, parameters["dimension"])


def _slice(sizes: Mapping[str, int], parameters: Mapping[str, Any], a: Array) -> Array:
    starts, stops = shape(parameters["start_indices"], sizes), shape(parameters["limit_indices"], sizes)
    strides = shape(parameters["strides"] or (1,) * len(starts), sizes)
    return a[tuple(map(slice, starts, stops, strides))]


def _pad(sizes: Mapping[str, int], parameters: Mapping[str, Any], a: Array, fill: Array) -> Array:
    """Edges (low, high) may be negative, and there may be steps between elements."""
    result = np.full(shape(parameters["out_shape"], sizes), fill[()], dtype=np.result_type(a, fill))
    source: list[slice] = []
    target: list[slice] = []
    for axis, (length, edges) in enumerate(zip(a.shape, parameters["padding_config"], strict=True)):
        low, _, between = (size(edge, sizes) for edge in edges)
        places = low + np.arange(length) * (between + 1)
        inside = np.flatnonzero((places >= 0) & (places < result.shape[axis]))
        if not inside.size:
            return result
        source.append(slice(int(inside[0]), int(inside[-1]) + 1))
        target.append(slice(int(places[inside[0]]), int(places[inside[-1]]) + 1, between + 1))
    result[tuple(target)] = a[tuple(source)]
    return result


def _iota(sizes: Mapping[str, int], parameters: Mapping[str, Any]) -> Array:
    target = shape(parameters["out_shape"], sizes)
    along = [1] * len(target)
    along[parameters["dimension"]] = -1
    return np.broadcast_to(np.arange(target[parameters["dimension"]], dtype=float).reshape(along), target)


def _dim_as_value(sizes: Mapping[str, int], parameters: Mapping[str, Any]) -> Array:
    return np.asarray(float(size(parameters["dim"], sizes)))


MOVES: dict[str, Move] = {
    "stop_gradient": _same,
    "copy": _same,
    "copy_p": _same,
    "broadcast_in_dim": _broadcast_in_dim,
    "reshape": _reshape,
    "squeeze": _reshape,
    "expand_dims": _reshape,
    "transpose": _transpose,
    "rev": _reverse,
    "concatenate": _concatenate,
    "slice": _slice,
    "pad": _pad,
    "iota": _iota,
    "dim_as_value": _dim_as_value,
}


def contraction(parameters: Mapping[str, Any], a: Array, b: Array) -> tuple[tuple[Array, Array], int]:
    """The operands of a dot_general as stacks of matrices to be multiplied with @, and the inner size."""
    (inner_a, inner_b), (batch_a, batch_b) = parameters["dimension_numbers"]
    outer_a = [i for i in range(a.ndim) if i not in (*inner_a, *batch_a)]
    outer_b = [i for i in range(b.ndim) if i not in (*inner_b, *batch_b)]
    if a.ndim == b.ndim == 2 and len(inner_a) == 1 and not batch_a:
        return (a if inner_a[0] == 1 else a.T, b if inner_b[0] == 0 else b.T), a.shape[inner_a[0]]
    stack = [a.shape[i] for i in batch_a]
    n = int(np.prod([a.shape[i] for i in inner_a], dtype=int))
    left = a.transpose([*batch_a, *outer_a, *inner_a]).reshape([*stack, -1, n])
    right = b.transpose([*batch_b, *inner_b, *outer_b]).reshape([*stack, n, -1])
    return (left, right), n


def restored(parameters: Mapping[str, Any], product: Array, a: Array, b: Array) -> Array:
    """The product of `contraction`'s matrices in the shape that dot_general gives it."""
    (inner_a, inner_b), (batch_a, batch_b) = parameters["dimension_numbers"]
    if product.ndim == a.ndim == b.ndim == 2 and len(inner_a) == 1:
        return product
    outer_a = [a.shape[i] for i in range(a.ndim) if i not in (*inner_a, *batch_a)]
    outer_b = [b.shape[i] for i in range(b.ndim) if i not in (*inner_b, *batch_b)]
    return product.reshape([*(a.shape[i] for i in batch_a), *outer_a, *outer_b])
