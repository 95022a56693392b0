"""The primitives that only move numbers about, as functions of arrays of anything: floats, bounds or balls."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from verify.evaluate.array import Array
from verify.evaluate.program import program_shape, program_size

Move = Callable[..., Array]
"""``move(sizes, parameters, *arrays)``: the result of a primitive with these parameters."""


def _same(sizes: Any, parameters: Any, a: Array) -> Array:
    return a


def _broadcast_in_dim(sizes: Mapping[str, int], parameters: Mapping[str, Any], a: Array) -> Array:
    target = program_shape(parameters["out_shape"], sizes)
    if a.ndim:
        kept = [1] * len(target)
        for axis, length in zip(parameters["broadcast_dimensions"], a.shape, strict=True):
            kept[axis] = length
        a = a.reshape(kept)
        if a.shape == target:
            return a
    result = np.empty(target, a.dtype)
    result[...] = a  # np.broadcast_to takes ten times as long for arrays as small as these
    return result


def _reshape(sizes: Mapping[str, int], parameters: Mapping[str, Any], a: Array) -> Array:
    return a.reshape(program_shape(parameters["out_shape"], sizes))


def _transpose(sizes: Any, parameters: Mapping[str, Any], a: Array) -> Array:
    return a.transpose(parameters["permutation"])


def _reverse(sizes: Any, parameters: Mapping[str, Any], a: Array) -> Array:
    return np.flip(a, parameters["dimensions"])


def _concatenate(sizes: Any, parameters: Mapping[str, Any], *parts: Array) -> Array:
    return np.concatenate(parts, parameters["dimension"])


def _slice(sizes: Mapping[str, int], parameters: Mapping[str, Any], a: Array) -> Array:
    starts, stops = (
        program_shape(parameters["start_indices"], sizes),
        program_shape(parameters["limit_indices"], sizes),
    )
    strides = program_shape(parameters["strides"] or (1,) * len(starts), sizes)
    return a[tuple(map(slice, starts, stops, strides))]


def _pad(sizes: Mapping[str, int], parameters: Mapping[str, Any], a: Array, fill: Array) -> Array:
    """Edges (low, high) may be negative, and there may be steps between elements."""
    result = np.full(program_shape(parameters["out_shape"], sizes), fill[()], dtype=np.result_type(a, fill))
    source: list[slice] = []
    target: list[slice] = []
    for axis, (length, edges) in enumerate(zip(a.shape, parameters["padding_config"], strict=True)):
        low, _, between = (program_size(edge, sizes) for edge in edges)
        places = low + np.arange(length) * (between + 1)
        inside = np.flatnonzero((places >= 0) & (places < result.shape[axis]))
        if not inside.size:
            return result
        source.append(slice(int(inside[0]), int(inside[-1]) + 1))
        target.append(slice(int(places[inside[0]]), int(places[inside[-1]]) + 1, between + 1))
    result[tuple(target)] = a[tuple(source)]
    return result


def _iota(sizes: Mapping[str, int], parameters: Mapping[str, Any]) -> Array:
    target = program_shape(parameters["out_shape"], sizes)
    along = [1] * len(target)
    along[parameters["dimension"]] = -1
    return np.broadcast_to(np.arange(target[parameters["dimension"]], dtype=float).reshape(along), target)


def _dim_as_value(sizes: Mapping[str, int], parameters: Mapping[str, Any]) -> Array:
    return np.asarray(float(program_size(parameters["dim"], sizes)))


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


def move_to_left_matrices(parameters: Mapping[str, Any], a: Array) -> Array:
    """Move the first operand of a dot_general into a stack of matrices, to be multiplied with @ by the second."""
    (inner, _), (batch, _) = parameters["dimension_numbers"]
    if a.ndim == 2 and len(inner) == 1 and not batch:
        return a if inner[0] == 1 else a.T
    return _stacked(a, batch, (_outer(a, inner, batch), inner))


def move_to_right_matrices(parameters: Mapping[str, Any], b: Array) -> Array:
    """Move the second operand of a dot_general into a stack of matrices."""
    (_, inner), (_, batch) = parameters["dimension_numbers"]
    if b.ndim == 2 and len(inner) == 1 and not batch:
        return b if inner[0] == 0 else b.T
    return _stacked(b, batch, (inner, _outer(b, inner, batch)))


def multiply_as_matrices(parameters: Mapping[str, Any], a: Array, b: Array) -> Array:
    """Return the dot_general of two arrays."""
    product = move_to_left_matrices(parameters, a) @ move_to_right_matrices(parameters, b)
    return move_from_matrices(parameters, product, a, b)


def _outer(array: Array, inner: Sequence[int], batch: Sequence[int]) -> list[int]:
    return [axis for axis in range(array.ndim) if axis not in (*inner, *batch)]


def _stacked(array: Array, batch: Sequence[int], sides: tuple[Sequence[int], Sequence[int]]) -> Array:
    """The axes of an array gathered into those of the batch and the two sides of each matrix."""
    lengths = [math.prod(array.shape[axis] for axis in side) for side in sides]
    stack = [array.shape[axis] for axis in batch]
    matrices = array.transpose([*batch, *sides[0], *sides[1]]).reshape([*stack, *lengths])
    # NumPy multiplies stacks of matrices that are not contiguous without its fast library, at a tenth of the speed.
    return np.ascontiguousarray(matrices) if stack else matrices


def move_from_matrices(parameters: Mapping[str, Any], product: Array, a: Array, b: Array) -> Array:
    """Move the product of these matrices into the shape that dot_general gives it."""
    (inner_a, inner_b), (batch_a, batch_b) = parameters["dimension_numbers"]
    if product.ndim == a.ndim == b.ndim == 2 and len(inner_a) == 1:
        return product
    lengths_a = [a.shape[axis] for axis in (*batch_a, *_outer(a, inner_a, batch_a))]
    lengths_b = [b.shape[axis] for axis in _outer(b, inner_b, batch_b)]
    return product.reshape([*lengths_a, *lengths_b])
