"""Gather, scatter and dynamic slices, as functions of arrays of anything (floats, bounds or balls) and of indices.

The dimensions are named as in XLA's operation semantics (openxla.org): a slice of the operand is taken at each index
vector, the last axis of the indices; the other axes of the indices, and those of the slices, make up the result's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from verify.evaluate.array import Array
from verify.evaluate.program import program_shape

Sizes = Mapping[str, int]


class _Places(NamedTuple):
    """The places of the slices' entries: in the flattened operand, if inside of it, and by which index vector.

    Each in the shape of the slices together: of a gather's result, or of a scatter's updates.
    """

    flat: Array
    inside: Array
    vector: Array


def _places(
    dimensions: Any, mode: Any, whole: tuple[int, ...], slices: tuple[int, ...], indices: Array
) -> _Places:
    """The places of slices of an operand.

    Parameters
    ----------
    dimensions
        ``(window axes of the slices, axes of the operand that they lack, the operand's axes that an index vector is
        for, batching axes of the operand, of the indices)``: the fields of JAX's dimension numbers in their order.
    mode
        ``jax.lax.GatherScatterMode``: a slice that does not fit is moved inside, or (FILL_OR_DROP) is outside.
    whole, slices
        The shapes of the operand and of all slices together.
    indices
        ``(..., len(index vector))``, integers.
    """
    window, collapsed, indexed, batching, index_batching = dimensions
    of_indices = [axis for axis in range(len(slices)) if axis not in window]
    own = [axis for axis in range(len(whole)) if axis not in (*collapsed, *batching)]
    lengths = [1] * len(whole)
    for axis, of_slices in zip(own, window, strict=True):
        lengths[axis] = slices[of_slices]

    def along(numbers: Array, axes: list[int]) -> Array:
        """Numbers, one axis for each of these, in the axes of the slices."""
        kept = [1] * len(slices)
        for axis, length in zip(axes, numbers.shape, strict=True):
            kept[axis] = length
        return numbers.reshape(kept)

    inside: Array = np.ones((), dtype=bool)
    flat: Array = np.zeros((), dtype=np.int64)
    drops = mode.name == "FILL_OR_DROP"
    for axis, length in enumerate(whole):
        place: Array = np.zeros((), dtype=np.int64)
        if axis in indexed:
            start = along(indices[..., indexed.index(axis)], of_indices)
            place = np.clip(start, 0, length - lengths[axis])
            inside = inside & (place == start) if drops else inside
        elif axis in batching:
            of_axis = index_batching[batching.index(axis)]
            place = along(np.arange(length), [of_indices[of_axis]])
        if axis in own:
            place = place + along(np.arange(lengths[axis]), [window[own.index(axis)]])
        flat = flat * length + place
    vector = along(np.arange(indices[..., 0].size).reshape(indices.shape[:-1]), of_indices)
    return _Places(*(np.broadcast_to(part, slices) for part in (flat, inside, vector)))


def gather_places(
    sizes: Sizes, parameters: Mapping[str, Any], whole: tuple[int, ...], indices: Array
) -> _Places:
    """The places that a gather takes its result from."""
    slices = program_shape(parameters["out_shape"], sizes)
    return _places(tuple(parameters["dimension_numbers"]), parameters["mode"], whole, slices, indices)


def _scatter_places(
    parameters: Mapping[str, Any], whole: tuple[int, ...], indices: Array, updates: Any
) -> _Places:
    """The places that a scatter puts its updates (of this shape) to."""
    return _places(tuple(parameters["dimension_numbers"]), parameters["mode"], whole, updates, indices)


def gather_by_index(
    sizes: Sizes, parameters: Mapping[str, Any], a: Array, indices: Array, fill: Any
) -> Array:
    """gather, with ``fill`` for what lies outside."""
    at = gather_places(sizes, parameters, a.shape, indices)
    taken = a.ravel()[at.flat] if a.size else np.full(at.flat.shape, fill, a.dtype)
    if not at.inside.all():
        taken[~at.inside] = fill
    return taken


def scatter_by_index(parameters: Mapping[str, Any], a: Array, indices: Array, updates: Array) -> Array:
    """scatter: updates in place of what was there; of several for one place, the last."""
    at = _scatter_places(parameters, a.shape, indices, updates.shape)
    result = a.ravel().copy()
    result[at.flat[at.inside]] = updates[at.inside]
    return result.reshape(a.shape)


def scatter_add_by_index(parameters: Mapping[str, Any], a: Array, indices: Array, updates: Array) -> Array:
    """scatter-add: updates added to what is there."""
    at = _scatter_places(parameters, a.shape, indices, updates.shape)
    result = a.ravel().copy()
    np.add.at(result, at.flat[at.inside], updates[at.inside])
    return result.reshape(a.shape)


def _window(whole: tuple[int, ...], lengths: tuple[int, ...], starts: list[int]) -> tuple[slice, ...]:
    """The slice that begins at these indices, moved inside where it does not fit."""
    begins = [min(max(start, 0), all_ - n) for start, n, all_ in zip(starts, lengths, whole, strict=True)]
    return tuple(slice(begin, begin + n) for begin, n in zip(begins, lengths, strict=True))


def dynamic_slice(sizes: Sizes, parameters: Mapping[str, Any], a: Array, starts: list[int]) -> Array:
    """The slice of an array that begins at these indices."""
    return a[_window(a.shape, program_shape(parameters["slice_sizes"], sizes), starts)]


def dynamic_update_slice(a: Array, update: Array, starts: list[int]) -> Array:
    """An array with a slice of it, that begins at these indices, replaced."""
    result = a.copy()
    result[_window(a.shape, update.shape, starts)] = update
    return result
