"""Initial parameters: one vector of random numbers, from one generator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlp_ref.params import as_layers, parameter_count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlp_ref.arrays import Floats

__all__ = ["INITIALISATIONS", "default_initialisation", "initial_parameters"]

INITIALISATIONS = ("glorot", "he", "normal")


def default_initialisation(hidden: str) -> str:
    """Return ``"he"`` for relu, which halves the variance of what passes it, and ``"glorot"`` otherwise."""
    return "he" if hidden == "relu" else "glorot"


def initial_parameters(
    layer_sizes: Sequence[int], init: str, dtype: np.dtype[Any], rng: np.random.Generator
) -> Floats:
    """Return the flat vector of a new network's parameters.

    Parameters
    ----------
    layer_sizes : sequence of int
    init : {"glorot", "he", "normal"}
        ``"glorot"``: weights uniform within ``sqrt(6 / (n_in + n_out))`` of 0 (Glorot and Bengio,
        2010, equation 16), biases 0. ``"he"``: weights normal with variance ``2 / n_in`` (He et
        al., 2015, equation 10), biases 0. ``"normal"``: weights and biases standard normal.
    dtype : float32 or float64
        The numbers are drawn in float64 and rounded, so that both dtypes start from the same place.
    rng : numpy.random.Generator
    """
    flat = np.zeros(parameter_count(layer_sizes), dtype)
    for weight, bias in as_layers(flat, layer_sizes):
        n_in, n_out = weight.shape
        if init == "glorot":
            limit = np.sqrt(6 / (n_in + n_out))
            weight[...] = rng.uniform(-limit, limit, weight.shape)
        elif init == "he":
            weight[...] = rng.normal(0, np.sqrt(2 / n_in), weight.shape)
        else:
            weight[...] = rng.standard_normal(weight.shape)
            bias[...] = rng.standard_normal(bias.shape)
    return flat
