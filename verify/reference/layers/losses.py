"""Losses: one number, the mean over the batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

if TYPE_CHECKING:
    from jax import Array

# Shapes: n rows, c classes; labels (n,) are integers from 0 to c - 1.


def _chosen(scores: Array, labels: Array) -> Array:
    """True at (row, label of the row): (n, c)."""
    return labels[:, jnp.newaxis] == jnp.arange(scores.shape[1])[jnp.newaxis, :]


def cross_entropy(logits: Array, labels: Array) -> Array:
    """The mean over the rows of -log(softmax(logits)[label]), in JAX."""
    terms = jnp.where(_chosen(logits, labels), -jax.nn.log_softmax(logits, axis=1), 0.0)
    return jnp.sum(terms) / logits.shape[0]


def hinge(scores: Array, labels: Array, *, margin: float) -> Array:
    """The mean over the rows of the sum of max(0, score - score of the label + margin) over the other classes."""
    chosen = _chosen(scores, labels)
    own = jnp.sum(jnp.where(chosen, scores, 0.0), axis=1, keepdims=True)
    terms = jnp.where(chosen, 0.0, jnp.maximum(scores - own + margin, 0.0))
    return jnp.sum(terms) / scores.shape[0]


def mse(prediction: Array, target: Array) -> Array:
    """The mean over all entries of (prediction - target)**2, in JAX."""
    return jnp.sum((prediction - target) ** 2) / prediction.size
