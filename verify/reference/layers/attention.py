"""Attention (Vaswani et al. 2017)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

if TYPE_CHECKING:
    from jax import Array

# Shapes: n sequences, l queries, s keys, d features of a key, e features of a value.


def _weights(q: Array, k: Array, causal: bool) -> Array:
    """softmax(q @ k.T / sqrt(d)), (..., l, s); causal: a query sees no key that comes after it."""
    scores = jnp.einsum("...ld,...sd->...ls", q, k) / math.sqrt(q.shape[-1])
    if causal:
        visible = jnp.arange(k.shape[-2])[jnp.newaxis, :] <= jnp.arange(q.shape[-2])[:, jnp.newaxis]
        scores = jnp.where(jnp.broadcast_to(visible, scores.shape), scores, -1e30)
    return jax.nn.softmax(scores, axis=-1)


def attention(q: Array, k: Array, v: Array, *, causal: bool = False) -> Array:
    """Scaled dot-product attention: q (n, l, d), k (n, s, d), v (n, s, e); (n, l, e)."""
    return jnp.einsum("...ls,...se->...le", _weights(q, k, causal), v)


def multi_head_attention(
    x: Array, wq: Array, wk: Array, wv: Array, wo: Array, *, heads: int, causal: bool = False
) -> Array:
    """Self-attention of x (n, l, m) in heads, without biases; every matrix is (m, m), heads divide m."""
    n, length, width = x.shape

    def split(matrix: Array) -> Array:
        return (x @ matrix).reshape(n, length, heads, width // heads).transpose(0, 2, 1, 3)

    joined = attention(split(wq), split(wk), split(wv), causal=causal)
    return joined.transpose(0, 2, 1, 3).reshape(n, length, width) @ wo
