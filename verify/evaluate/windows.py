"""Windows that slide over arrays of anything (floats, bounds or balls), and a convolution as a product of matrices."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from verify.evaluate.array import Array
from verify.evaluate.moves import MOVES
from verify.evaluate.program import program_shape, program_size

Sizes = Mapping[str, int]

# Shapes: n batch, c features, s the lengths of the spatial axes, k those of the window, p the places it is put at;
# g groups, each with its own rows and columns.


def spread_for_windows(
    a: Array, padding: Sequence[tuple[int, int]], steps: Sequence[int], fill: Any
) -> Array:
    """An array with its entries ``steps`` apart and with edges, ``fill`` in between; a negative edge cuts."""
    if all(edges == (0, 0) for edges in padding) and all(step == 1 for step in steps):
        return a
    config = tuple((low, high, step - 1) for (low, high), step in zip(padding, steps, strict=True))
    lengths = [
        max((length - 1) * step + 1, 0) + low + high
        for length, (low, high), step in zip(a.shape, padding, steps, strict=True)
    ]
    parameters = {"padding_config": config, "out_shape": tuple(max(length, 0) for length in lengths)}
    filling = np.empty((), dtype=a.dtype)
    filling[()] = fill
    return MOVES["pad"]({}, parameters, a, filling)


def sliding_windows(a: Array, window: Sequence[int], strides: Sequence[int], steps: Sequence[int]) -> Array:
    """A view (*p, *k) of every window of an array, without copying; within a window, entries are ``steps`` apart."""
    places = [
        max((length - ((width - 1) * step + 1)) // stride + 1, 0)
        for length, width, stride, step in zip(a.shape, window, strides, steps, strict=True)
    ]
    between = [stride * bytes_ for stride, bytes_ in zip(strides, a.strides, strict=True)]
    within = [step * bytes_ for step, bytes_ in zip(steps, a.strides, strict=True)]
    return np.lib.stride_tricks.as_strided(a, (*places, *window), (*between, *within), writeable=False)


def windows(sizes: Sizes, parameters: Mapping[str, Any], a: Array, fill: Any) -> Array:
    """The windows (*p, *k) of reduce_window, ``fill`` outside of the array."""
    ones = (1,) * a.ndim
    padding = [(program_size(low, sizes), program_size(high, sizes)) for low, high in parameters["padding"]]
    spaced = spread_for_windows(a, padding, parameters.get("base_dilation") or ones, fill)
    return sliding_windows(
        spaced,
        program_shape(parameters["window_dimensions"], sizes),
        program_shape(parameters["window_strides"], sizes),
        parameters.get("window_dilation") or ones,
    )


def window_axes(a: Array) -> tuple[int, ...]:
    """The axes of the windows in what `windows` returns."""
    return tuple(range(a.ndim // 2, a.ndim))


def window_entries(sizes: Sizes, parameters: Mapping[str, Any], a: Array, fill: Any) -> Array:
    """The windows as rows: (*p, the number of entries of a window)."""
    view = windows(sizes, parameters, a, fill)
    places = view.shape[: a.ndim]
    return view.reshape(*places, math.prod(view.shape[a.ndim :]))


def window_places(sizes: Sizes, parameters: Mapping[str, Any], whole: tuple[int, ...]) -> Array:
    """Return where in an array (flattened) each entry of each window lies; its size for what lies outside."""
    count = math.prod(whole)
    return window_entries(sizes, parameters, np.arange(count).reshape(whole), count)


# A convolution: out[n, f, p] = sum over c, k of lhs[n, c, stride * p + step * k] rhs[f, c, k], as rows (windows of lhs)
# times columns (rhs). Its transposes are convolutions with the roles of stride and steps exchanged.


def window_rows(sizes: Sizes, parameters: Mapping[str, Any], lhs: Array, kernel: tuple[int, ...]) -> Array:
    """The windows of lhs as (g, n*p, c*k), for a kernel of this shape (of rhs)."""
    spec, rhs_spec, _ = parameters["dimension_numbers"]
    lhs = lhs.transpose(spec)
    spatial = [kernel[axis] for axis in rhs_spec[2:]]
    view = _spatial_windows(sizes, parameters, lhs, spatial)
    in_batch, in_features = parameters["batch_group_count"], parameters["feature_group_count"]
    n, c, *rest = view.shape
    p, k = rest[: len(spatial)], rest[len(spatial) :]
    view = view.reshape(in_batch, n // in_batch, in_features, c // in_features, *p, *k)
    ps = range(4, 4 + len(p))
    ks = range(4 + len(p), 4 + len(p) + len(k))
    groups = in_batch * in_features
    return view.transpose(0, 2, 1, *ps, 3, *ks).reshape(
        groups, n // in_batch * math.prod(p), c // in_features * math.prod(k)
    )


def _spatial_windows(
    sizes: Sizes, parameters: Mapping[str, Any], lhs: Array, spatial: Sequence[int]
) -> Array:
    """The windows (n, c, *p, *k) of lhs (n, c, *s)."""
    padding = [
        (0, 0),
        (0, 0),
        *((program_size(low, sizes), program_size(high, sizes)) for low, high in parameters["padding"]),
    ]
    spaced = spread_for_windows(lhs, padding, (1, 1, *parameters["lhs_dilation"]), 0)
    view = sliding_windows(
        spaced,
        (1, 1, *spatial),
        (1, 1, *parameters["window_strides"]),
        (1, 1, *parameters["rhs_dilation"]),
    )
    first = 2 + len(spatial)
    return view.reshape(*view.shape[:first], *view.shape[first + 2 :])


def window_kernels(parameters: Mapping[str, Any], rhs: Array) -> Array:
    """The kernels as (g, c*k, f), contiguous: NumPy multiplies stacks of other matrices without its fast library."""
    groups = parameters["batch_group_count"] * parameters["feature_group_count"]
    rhs = rhs.transpose(parameters["dimension_numbers"][1])
    f = rhs.shape[0]
    return np.ascontiguousarray(rhs.reshape(groups, f // groups, math.prod(rhs.shape[1:])).swapaxes(1, 2))


def convolved(sizes: Sizes, parameters: Mapping[str, Any], product: Array) -> Array:
    """The product (g, n*p, f) in the shape of the convolution."""
    _, _, spec = parameters["dimension_numbers"]
    whole = program_shape(parameters["out_shape"], sizes)
    n, f, *p = (whole[axis] for axis in spec)
    groups = product.shape[0]
    ps = range(2, 2 + len(p))
    result = product.reshape(groups, n, *p, f // groups).transpose(1, 0, 2 + len(p), *ps).reshape(n, f, *p)
    return result.transpose(np.argsort(spec))


def window_terms(
    sizes: Sizes, parameters: Mapping[str, Any], lhs: tuple[int, ...], kernel: tuple[int, ...]
) -> Array:
    """Return how many products each row of `window_rows` sums, (n*p, 1): those of what lies outside are none."""
    spec, rhs_spec, _ = parameters["dimension_numbers"]
    n, _, *s = (lhs[axis] for axis in spec)
    c, *k = (kernel[axis] for axis in rhs_spec[1:])
    padding = tuple(
        (program_size(low, sizes), program_size(high, sizes)) for low, high in parameters["padding"]
    )
    steps = (parameters["lhs_dilation"], parameters["rhs_dilation"], parameters["window_strides"])
    counts = _counts(tuple(s), tuple(k), padding, *steps)
    return np.tile(c * counts, n // parameters["batch_group_count"])[:, np.newaxis]


@functools.lru_cache(maxsize=256)
def _counts(
    s: tuple[int, ...],
    k: tuple[int, ...],
    padding: tuple[tuple[int, int], ...],
    lhs_dilation: tuple[int, ...],
    rhs_dilation: tuple[int, ...],
    strides: tuple[int, ...],
) -> Array:
    parameters = {
        "padding": padding,
        "lhs_dilation": lhs_dilation,
        "rhs_dilation": rhs_dilation,
        "window_strides": strides,
    }
    view = _spatial_windows({}, parameters, np.ones((1, 1, *s)), k)
    return np.asarray(view.sum(axis=tuple(range(2 + len(k), view.ndim))).ravel())


def convolution(sizes: Sizes, parameters: Mapping[str, Any], lhs: Array, rhs: Array) -> Array:
    """conv_general_dilated of floats or of balls."""
    product = window_rows(sizes, parameters, lhs, rhs.shape) @ window_kernels(parameters, rhs)
    return convolved(sizes, parameters, product)
