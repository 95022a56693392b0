"""Pooling of images (n, c, h, w) in square windows; where windows do not divide, the rest is left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax.numpy as jnp

from verify.reference.layers.convolution import padded, windows

if TYPE_CHECKING:
    from jax import Array


def max_pool2d(x: Array, *, size: int, stride: int, pad: int = 0) -> Array:
    """The largest entry of each window; padding counts as less than any entry."""
    return jnp.max(windows(padded(x, pad, -1e30), (size, size), stride), axis=2)


def avg_pool2d(x: Array, *, size: int, stride: int, pad: int = 0) -> Array:
    """The mean of each window; padding counts as 0."""
    return jnp.sum(windows(padded(x, pad), (size, size), stride), axis=2) / size**2
