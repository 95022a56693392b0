"""Convolution (cross-correlation, as in every network library) and its transpose."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax.numpy as jnp
from jax import lax

if TYPE_CHECKING:
    from jax import Array

# Shapes: images x (n, c, h, w), kernels w (f, c / groups, kh, kw), biases b (f,).


def convolution_places(length: int, kernel: int, stride: int, dilation: int) -> int:
    """Return how many windows fit: an integer, 0 or less where none does."""
    return (length - dilation * (kernel - 1) - 1) // stride + 1


def convolution_windows(x: Array, kernel: tuple[int, int], stride: int, dilation: int = 1) -> Array:
    """Return what each offset in the kernel sees, row by row: (n, c, kh kw, height, width), a place for each window.

    Raises
    ------
    ValueError
        Where no window fits.
    """
    (n, c, h, w), (kh, kw) = x.shape, kernel
    height, width = convolution_places(h, kh, stride, dilation), convolution_places(w, kw, stride, dilation)
    if min(height, width) < 1:
        raise ValueError(f"no window of {kh} x {kw} fits into {h} x {w}")
    across, down = stride * (width - 1) + 1, stride * (height - 1) + 1
    corners = [(i * dilation, j * dilation) for i in range(kh) for j in range(kw)]
    seen = [
        lax.slice(x, (0, 0, top, left), (n, c, top + down, left + across), (1, 1, stride, stride))
        for top, left in corners
    ]
    return lax.concatenate([lax.expand_dims(part, (2,)) for part in seen], 2)


def conv2d(
    x: Array, w: Array, b: Array, *, stride: int, pad: int, dilation: int = 1, groups: int = 1
) -> Array:
    """out[n, f, p, q] = b[f] + sum over c, i, j of w[f, c, i, j] x[n, c, p stride + i dilation - pad, ...].

    One sum, in which the bias is a term like the others.
    """
    f, c, kh, kw = w.shape
    seen = convolution_windows(padded_images(x, pad), (kh, kw), stride, dilation)
    n, _, offsets, height, width = seen.shape
    terms = seen.reshape(n, groups, c * offsets, height, width)
    factors = jnp.concatenate([w.reshape(f, c * offsets), b[:, jnp.newaxis]], axis=1)
    one = jnp.ones((n, groups, 1, height, width), x.dtype)
    out = jnp.einsum(
        "ngkpq,gfk->ngfpq",
        jnp.concatenate([terms, one], axis=2),
        factors.reshape(groups, f // groups, c * offsets + 1),
    )
    return out.reshape(n, f, height, width)


def padded_images(x: Array, pad: int, value: float = 0.0) -> Array:
    """x (n, c, h, w) with a border of ``pad`` places."""
    edges = ((0, 0, 0), (0, 0, 0), (pad, pad, 0), (pad, pad, 0))
    return lax.pad(x, jnp.full((), value, x.dtype), edges) if pad else x


def conv_transpose2d(x: Array, w: Array, b: Array, *, stride: int, pad: int) -> Array:
    """The transpose of `conv2d`: every x[n, c, p, q] adds x w[c, f] to a window that begins at (p, q) stride - pad.

    x (n, c, h, w), w (c, f, kh, kw), b (f,); out (n, f, (h - 1) stride - 2 pad + kh, ...).
    """
    kh, kw = w.shape[2:]
    height, width = (x.shape[2] - 1) * stride + kh, (x.shape[3] - 1) * stride + kw
    if min(height, width) <= 2 * pad:
        raise ValueError(f"padding {pad} leaves nothing of {height} x {width}")
    total = b[jnp.newaxis, :, jnp.newaxis, jnp.newaxis]
    for i in range(kh):
        for j in range(kw):
            part = jnp.einsum("ncpq,cf->nfpq", x, w[:, :, i, j])
            rows = (i, height - i - 1 - stride * (x.shape[2] - 1), stride - 1)
            columns = (j, width - j - 1 - stride * (x.shape[3] - 1), stride - 1)
            total = total + _spread(part, rows, columns)
    return total[:, :, pad : height - pad, pad : width - pad]


def _spread(x: Array, rows: tuple[int, int, int], columns: tuple[int, int, int]) -> Array:
    """Zeros around and between the entries of x (n, c, h, w): (before, after, between) for rows and columns."""
    return lax.pad(x, jnp.zeros((), x.dtype), ((0, 0, 0), (0, 0, 0), rows, columns))
