"""Embedding: rows of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax.numpy as jnp

if TYPE_CHECKING:
    from jax import Array


def embedding(table: Array, ids: Array) -> Array:
    """The rows table[ids]: table (v, d), ids (n, t) from 0 to v - 1; (n, t, d), as a product with one-hot rows."""
    rows = jnp.arange(table.shape[0])[jnp.newaxis, jnp.newaxis, :]
    return (ids[:, :, jnp.newaxis] == rows).astype(table.dtype) @ table
