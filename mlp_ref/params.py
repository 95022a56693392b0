"""Parameters: one flat vector, and the layers as views of it.

A step of gradient descent is one operation on the vector; the mathematics is written with the
layers. Layer by layer, the vector holds the weight, row by row, then the bias.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from mlp_ref.arrays import Floats

__all__ = [
    "Layer",
    "Params",
    "as_layers",
    "flatten",
    "layer_places",
    "layer_views",
    "parameter_count",
    "sizes_of_params",
]


new_tuple = tuple.__new__


class Layer(NamedTuple):
    """One affine layer: ``z = a @ weight + bias``. A named tuple is a JAX pytree as it stands.

    Attributes
    ----------
    weight : (n_in, n_out)
    bias : (n_out,)
    """

    weight: Floats
    bias: Floats


Params = Sequence[Layer]

Places = list[tuple[slice, tuple[int, int], slice]]
"""Of each layer: where in a vector its weight is, the shape of the weight, and where its bias is."""


def parameter_count(layer_sizes: Sequence[int]) -> int:
    """Return how many numbers the layers hold."""
    return sum((n_in + 1) * n_out for n_in, n_out in pairwise(layer_sizes))


def as_layers(flat: Floats, layer_sizes: Sequence[int]) -> list[Layer]:
    """Return the layers as views of the vector `flat`, of `parameter_count` numbers.

    Writing to a layer writes to the vector, and the other way round.
    """
    count, where = layer_places(tuple(layer_sizes))
    if flat.shape != (count,):
        raise ValueError(f"flat must have shape {(count,)} for layers {list(layer_sizes)}, got {flat.shape}")
    return layer_views(flat, where)


def layer_views(flat: Floats, where: Places) -> list[Layer]:
    """Return the layers as views of a vector that has been checked; `where` is what `layer_places` returns."""
    # As Layer(weight, bias), which takes twice as long.
    return [new_tuple(Layer, (flat[weight].reshape(shape), flat[bias])) for weight, shape, bias in where]


@functools.lru_cache
def layer_places(layer_sizes: tuple[int, ...]) -> tuple[int, Places]:
    """Return how many numbers the vector has, and where in it each layer is."""
    where = []
    start = 0
    for n_in, n_out in pairwise(layer_sizes):
        middle = start + n_in * n_out
        end = middle + n_out
        where.append((slice(start, middle), (n_in, n_out), slice(middle, end)))
        start = end
    return start, where


def flatten(params: Params) -> Floats:
    """Return a new vector that holds what `params` hold, in the order `as_layers` reads."""
    return np.concatenate([part.ravel() for layer in params for part in layer])


def sizes_of_params(params: Params) -> list[int]:
    """Return the layer sizes of `params`: the inputs' number, then each layer's outputs'."""
    return [params[0].weight.shape[0], *(layer.weight.shape[1] for layer in params)]
