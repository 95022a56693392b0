"""Dense layers: affine, residual, a perceptron of two layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax.numpy as jnp

if TYPE_CHECKING:
    from jax import Array

# Shapes: n rows, d inputs, m outputs, h hidden units.


def affine(x: Array, w: Array, b: Array) -> Array:
    """x @ w + b: x (n, d), w (d, m), b (m,); of an x (n, ...) with more axes the rows are flattened.

    One sum of d + 1 products, since the bias may be added at any place: the bound holds for each order of a sum.
    """
    return with_ones(x.reshape(x.shape[0], -1)) @ jnp.concatenate([w, b[jnp.newaxis, :]])


def with_ones(x: Array) -> Array:
    """x (n, d) with a last column of ones."""
    return jnp.concatenate([x, jnp.ones((x.shape[0], 1), x.dtype)], axis=1)


def residual(x: Array, w: Array, b: Array) -> Array:
    """x + relu(x @ w + b): x (n, d), w (d, d), b (d,)."""
    return x + jnp.maximum(affine(x, w, b), 0.0)


def mlp(x: Array, w1: Array, b1: Array, w2: Array, b2: Array) -> Array:
    """relu(x @ w1 + b1) @ w2 + b2: x (n, d), w1 (d, h), b1 (h,), w2 (h, m), b2 (m,)."""
    return affine(jnp.maximum(affine(x, w1, b1), 0.0), w2, b2)
