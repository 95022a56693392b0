"""Pooling of images (n, c, h, w) in square windows; where windows do not divide, the rest is left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax.numpy as jnp

from verify.reference.layers.convolution import convolution_windows, padded_images

if TYPE_CHECKING:
    from jax import Array


def max_pool2d(x: Array, *, size: int, stride: int, pad: int = 0) -> Array:
    """The largest entry of each window; padding counts as less than any entry."""
    return jnp.max(convolution_windows(padded_images(x, pad, -1e30), (size, size), stride), axis=2)


def avg_pool2d(x: Array, *, size: int, stride: int, pad: int = 0) -> Array:
    """The mean of each window; padding counts as 0."""
    return jnp.sum(convolution_windows(padded_images(x, pad), (size, size), stride), axis=2) / size**2
