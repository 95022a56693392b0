"""Refusals: what was wrong, where, what was got, what was expected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mlp_ref.activations import ACTIVATIONS
from mlp_ref.arrays import Floats, real_array, require_finite
from mlp_ref.losses import LOSSES
from mlp_ref.params import Params, sizes_of

__all__ = ["check_hidden", "check_inputs", "check_layer_sizes", "check_loss", "check_params"]


def check_hidden(name: str) -> None:
    if name not in ACTIVATIONS:
        raise ValueError(f"hidden must be one of {', '.join(ACTIVATIONS)}, got {name!r}")


def check_loss(name: str) -> None:
    if name not in LOSSES:
        raise ValueError(f"loss must be one of {', '.join(LOSSES)}, got {name!r}")


def check_inputs(x: ArrayLike, n_in: int, dtype: np.dtype[Any]) -> Floats:
    array = real_array(x, "x", ndim=2)
    if array.shape[1] != n_in or array.shape[0] == 0:
        raise ValueError(f"x must have shape (batch, {n_in}) with at least one row, got {array.shape}")
    if array.dtype != dtype:
        raise TypeError(f"x must have the dtype of the parameters, {dtype}, got {array.dtype}")
    require_finite(array, "x")
    return array


def check_params(params: Params) -> tuple[list[int], np.dtype[Any]]:
    sizes = sizes_of(params)
    return sizes, params[0].weight.dtype


def check_layer_sizes(layer_sizes: Sequence[int]) -> tuple[int, ...]:
    """Return the sizes as a tuple."""
    return tuple(int(n) for n in layer_sizes)
