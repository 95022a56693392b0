"""Normalisations. The variance is the biased one, and epsilon stands under the root.

gamma (x - mean) / std + beta is written as the sum of its three terms, which may be taken in any order: libraries
compute x (gamma / std) + (beta - mean gamma / std) as well, and the bound of a sum holds for each of its orders.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import jax.numpy as jnp

if TYPE_CHECKING:
    from jax import Array

# Shapes: n rows, d features; images (n, c, h, w). gamma and beta have one number a feature or channel.


def moments(x: Array, axes: tuple[int, ...]) -> tuple[Array, Array]:
    """The mean and the biased variance over some axes, which keep the length 1."""
    count = 1
    for axis in axes:
        count *= x.shape[axis]
    mean = jnp.sum(x, axis=axes, keepdims=True) / count
    return mean, jnp.sum((x - mean) ** 2, axis=axes, keepdims=True) / count


def _normalised(x: Array, mean: Array, var: Array, gamma: Array, beta: Array, eps: float) -> Array:
    """gamma (x - mean) / sqrt(var + eps) + beta."""
    slope = jnp.broadcast_to(gamma / jnp.sqrt(var + eps), x.shape)
    terms = [slope * x, -slope * mean, jnp.broadcast_to(beta, x.shape)]
    return jnp.sum(jnp.concatenate([term[jnp.newaxis] for term in terms]), axis=0)


def _of_channels(v: Array) -> Array:
    return v[jnp.newaxis, :, jnp.newaxis, jnp.newaxis]


def _of_features(v: Array) -> Array:
    return v[jnp.newaxis, :]


def _evaluated(
    x: Array, mean: Array, var: Array, gamma: Array, beta: Array, eps: float, of: Callable[[Array], Array]
) -> Array:
    return _normalised(x, of(mean), of(var), of(gamma), of(beta), eps)


def batch_norm(x: Array, gamma: Array, beta: Array, *, eps: float) -> Array:
    """Batch normalisation in training, over the rows of x (n, d)."""
    return _normalised(x, *moments(x, (0,)), _of_features(gamma), _of_features(beta), eps)


def batch_norm_eval(x: Array, gamma: Array, beta: Array, mean: Array, var: Array, *, eps: float) -> Array:
    """Batch normalisation in evaluation: mean and variance (d,) are given constants."""
    return _evaluated(x, mean, var, gamma, beta, eps, _of_features)


def spatial_batch_norm(x: Array, gamma: Array, beta: Array, *, eps: float) -> Array:
    """Batch normalisation in training of images (n, c, h, w): each channel over rows and places."""
    return _normalised(x, *moments(x, (0, 2, 3)), _of_channels(gamma), _of_channels(beta), eps)


def spatial_batch_norm_eval(
    x: Array, gamma: Array, beta: Array, mean: Array, var: Array, *, eps: float
) -> Array:
    """Batch normalisation in evaluation of images (n, c, h, w): mean and variance (c,) are given constants."""
    return _evaluated(x, mean, var, gamma, beta, eps, _of_channels)


def layer_norm(x: Array, gamma: Array, beta: Array, *, eps: float) -> Array:
    """Layer normalisation of each row of x (n, d)."""
    return _normalised(x, *moments(x, (1,)), _of_features(gamma), _of_features(beta), eps)


def group_norm(x: Array, gamma: Array, beta: Array, *, groups: int, eps: float) -> Array:
    """Group normalisation of images (n, c, h, w): each row's channels in groups, gamma and beta (c,)."""
    n, c, h, w = x.shape
    channels = (1, groups, c // groups, 1, 1)
    grouped = x.reshape(n, groups, c // groups, h, w)
    mean, var = moments(grouped, (2, 3, 4))
    return _normalised(grouped, mean, var, gamma.reshape(channels), beta.reshape(channels), eps).reshape(
        x.shape
    )


def rms_norm(x: Array, gamma: Array, *, eps: float) -> Array:
    """gamma * x / sqrt(mean(x**2) + eps), the mean over each row of x (n, d)."""
    square = jnp.sum(x**2, axis=1, keepdims=True) / x.shape[1]
    return _of_features(gamma) * x / jnp.sqrt(square + eps)
