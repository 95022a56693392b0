"""A convolution as a product of matrices, of anything: floats, bounds or balls."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from verify.evaluate.array import Array
from verify.evaluate.program import program_shape, program_size
from verify.evaluate.windows import Sizes, sliding_windows, spread_for_windows

# Shapes: n batch, c features, s the lengths of the spatial axes, k those of the window, p the places it is put at;
# g groups, each with its own rows and columns.
#
# A convolution: out[n, f, p] = sum over c, k of lhs[n, c, stride * p + step * k] rhs[f, c, k], as rows (windows of lhs)
# times columns (rhs). Its transposes are convolutions with the roles of stride and steps exchanged.


def convolution_rows(
    sizes: Sizes, parameters: Mapping[str, Any], lhs: Array, kernel: tuple[int, ...]
) -> Array:
    """The rows of the product: the windows of lhs as (g, n*p, c*k), for a kernel of this shape (of rhs)."""
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


def convolution_columns(parameters: Mapping[str, Any], rhs: Array) -> Array:
    """The columns of the product: kernels as (g, c*k, f), contiguous: NumPy multiplies stacks of others
    without its fast library.
    """
    groups = parameters["batch_group_count"] * parameters["feature_group_count"]
    rhs = rhs.transpose(parameters["dimension_numbers"][1])
    f = rhs.shape[0]
    return np.ascontiguousarray(rhs.reshape(groups, f // groups, math.prod(rhs.shape[1:])).swapaxes(1, 2))


def convolution_of_product(sizes: Sizes, parameters: Mapping[str, Any], product: Array) -> Array:
    """The product (g, n*p, f) in the shape of the convolution."""
    _, _, spec = parameters["dimension_numbers"]
    whole = program_shape(parameters["out_shape"], sizes)
    n, f, *p = (whole[axis] for axis in spec)
    groups = product.shape[0]
    ps = range(2, 2 + len(p))
    result = product.reshape(groups, n, *p, f // groups).transpose(1, 0, 2 + len(p), *ps).reshape(n, f, *p)
    return result.transpose(np.argsort(spec))


def convolution_terms(
    sizes: Sizes, parameters: Mapping[str, Any], lhs: tuple[int, ...], kernel: tuple[int, ...]
) -> Array:
    """Return how many products each row of a convolution sums, (n*p, 1): those of what lies outside are none."""
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


def convolution_as_product(sizes: Sizes, parameters: Mapping[str, Any], lhs: Array, rhs: Array) -> Array:
    """A convolution, conv_general_dilated, of floats or of balls."""
    product = convolution_rows(sizes, parameters, lhs, rhs.shape) @ convolution_columns(parameters, rhs)
    return convolution_of_product(sizes, parameters, product)
