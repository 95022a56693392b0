"""Activations, entry by entry, and softmax along the last axis. All of x of any shape."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

if TYPE_CHECKING:
    from jax import Array


def relu(x: Array) -> Array:
    """max(x, 0), in JAX."""
    return jnp.maximum(x, 0.0)


def leaky_relu(x: Array, *, slope: float) -> Array:
    """x where x > 0, else slope * x."""
    return jnp.where(x > 0, x, slope * x)


def elu(x: Array, *, alpha: float) -> Array:
    """x where x > 0, else alpha * (exp(x) - 1)."""
    below = jnp.where(x > 0, 0.0, x)  # so that the branch that is not taken cannot overflow
    return jnp.where(x > 0, x, alpha * jnp.expm1(below))


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), in JAX."""
    return jax.nn.sigmoid(x)


def tanh(x: Array) -> Array:
    """The hyperbolic tangent, in JAX."""
    return jnp.tanh(x)


def silu(x: Array) -> Array:
    """x * sigmoid(x), also called swish."""
    return x * jax.nn.sigmoid(x)


def gelu(x: Array) -> Array:
    """x times the normal distribution function of x, by erf (Hendrycks and Gimpel 2016)."""
    return 0.5 * x * (1 + jax.lax.erf(x / math.sqrt(2)))


def gelu_tanh(x: Array) -> Array:
    """The approximation of `gelu` by tanh: 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x**3)))."""
    return 0.5 * x * (1 + jnp.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def softmax(x: Array) -> Array:
    """exp(x) over its sum along the last axis, in JAX."""
    return jax.nn.softmax(x, axis=-1)


def log_softmax(x: Array) -> Array:
    """x - log(sum(exp(x))) along the last axis."""
    return jax.nn.log_softmax(x, axis=-1)
