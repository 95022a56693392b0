"""The numbers of a case: what each regime puts into parameters and batch, and how they lie in memory."""

from __future__ import annotations

import functools
import itertools
import math
from typing import Any, NamedTuple

import numpy as np

from mlp_ref.params import Layer
from verify.evaluate.array import Array
from verify.evaluate.formats import limits


class Arrays(NamedTuple):
    """The arguments of a gradient function."""

    params: list[Layer]
    x: Array
    y: Array


class WeightedArrays(NamedTuple):
    """The arguments of a gradient function whose rows have weights."""

    params: list[Layer]
    x: Array
    y: Array
    sample_weight: Array


def array_in_layout(array: Any, layout: str) -> Any:
    """A copy of an array (or of a list of Layers) with the same values in another memory layout."""
    if isinstance(array, list):
        return [Layer(*(array_in_layout(tensor, layout) for tensor in layer)) for layer in array]
    if array.shape[-1:] == (
        1,
    ):  # the stride of an axis of length 1 is arbitrary, and some libraries refuse it
        layout = "C" if layout in ("strided", "reversed") else layout
    if layout == "fortran":
        return np.array(array, order="F")
    if layout == "strided":
        room = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), dtype=array.dtype)
        room[..., ::2] = array
        return room[..., ::2]
    if layout == "reversed":
        return np.array(array[..., ::-1], order="C")[..., ::-1]
    copy = np.array(array, order="C")
    if layout == "read_only":
        copy.flags.writeable = False
    return copy


@functools.lru_cache(maxsize=8)
def fill_arrays(
    layer_sizes: tuple[int, ...], batch: int, dtype: str, regime: str, labels: str, seed: int
) -> tuple[list[Layer], Array, Array]:
    """The parameters, x and y of a case; biases are never all zero, since zeros hide mistakes in bias gradients.

    The arguments are the fields of a `verify.Case`.
    """
    rng = np.random.default_rng(seed)
    overflow = math.log(limits(dtype).max)
    last = len(layer_sizes) - 2
    params: list[Layer] = []
    for i, (n_in, n_out) in enumerate(itertools.pairwise(layer_sizes)):
        gain, shift = 0.7, 0.3
        if regime == "tiny":
            gain, shift = 1e-3, 1e-3
        elif regime == "saturated" and (i < last or last == 0):
            gain, shift = overflow / 4, overflow / 8
        elif regime == "extreme_logits" and i == last:
            gain, shift = overflow, 2 * overflow
        weight = rng.standard_normal((n_in, n_out)) * (gain / np.sqrt(n_in))
        params.append(Layer(weight.astype(dtype), (rng.standard_normal(n_out) * shift).astype(dtype)))
    x = rng.standard_normal((batch, layer_sizes[0])) * (1e-3 if regime == "tiny" else 1.0)
    x = x.astype(dtype)
    y = _targets(rng, (batch, layer_sizes[-1]), dtype, labels, lacking=regime == "missing_class")
    if regime == "extreme_logits":
        y[0] = _least_likely(params[-1].bias, y)
    if regime == "ties":
        _tie(params, x, y)
    return params, x, y


def fill_row_weights(batch: int, dtype: str, seed: int) -> Array:
    """The weight of each row, (batch,): of every size about 1, a quarter of them 0, but not the first one."""
    rng = np.random.default_rng(
        (seed, 1)
    )  # one of its own: the other arrays are those of the case without weights
    weights = rng.exponential(size=batch)
    weights[1:][rng.random(batch - 1) < 0.25] = 0
    return weights.astype(dtype)


def _targets(
    rng: np.random.Generator, shape: tuple[int, int], dtype: str, labels: str, *, lacking: bool
) -> Array:
    """The targets of a batch; ``lacking`` says that no row may have the first class."""
    lacking = lacking and shape[1] > 1
    if labels in ("one_hot", "integer"):
        classes = rng.integers(int(lacking), shape[1], size=shape[0])
        return classes if labels == "integer" else np.eye(shape[1], dtype=dtype)[classes]
    if labels == "soft":
        y = rng.exponential(size=shape)
    elif labels == "binary":
        y = rng.integers(0, 2, size=shape).astype(dtype)
    elif labels == "probability":
        y = rng.random(shape)
    else:
        y = rng.standard_normal(shape)
    if lacking:
        y[:, 0] = 0
    if labels == "soft":
        y /= y.sum(axis=1, keepdims=True)
    return y.astype(dtype)


def _least_likely(bias: Array, y: Array) -> Any:
    """A target that the logits' bias speaks against, so that not every row is right beyond all digits."""
    if y.ndim == 1:
        return np.argmin(bias)
    return np.where(bias == bias.min(), 1, 0) if len(bias) > 1 else np.where(bias > 0, 0, 1)


def _tie(params: list[Layer], x: Array, y: Array) -> None:
    """Give the first unit the pre-activation 0 in the first row, exactly; make two logits, and two rows, equal."""
    weight, bias = params[0]
    x[...] = np.round(4 * x) / 4
    weight[...] = np.round(4 * weight) / 4
    if len(params) > 1:
        bias[0] = -(x[0] @ weight[:, 0])
    weight, bias = params[-1]
    if len(bias) > 2:  # of two equal logits alone, the gradient below is 0 and shows nothing
        weight[:, -1], bias[-1] = weight[:, 0], bias[0]
    if not bias.any():
        bias[...] = 1
    x[-1], y[-1] = x[0], y[0]


def arrays_share_memory(a: Array, b: Array) -> bool:
    """Tell if two arrays have an element in common."""
    return np.may_share_memory(a, b) and np.shares_memory(a, b)
