"""The forward pass in JAX, as close to the equations as Python gets. JAX's ``grad`` of it is the truth.

Nothing here comes from ``mlp_ref``: the two are written apart, and `verify` compares them.

Each formula is the one whose rounding error can be bounded tightly, because JAX's derivative of it is also the
yardstick: a shift that cancels in exact arithmetic goes through ``stop_gradient``, as in ``jax.nn.softmax``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

if TYPE_CHECKING:
    from verify.reference.spec import Spec

Params = Sequence[tuple[jax.Array, jax.Array]]
Loss = Callable[..., jax.Array]

# Shapes: b rows, n_in inputs, n_out outputs.
#   x, a: (b, n_in)   weight: (n_in, n_out)   bias: (n_out,)   z, y: (b, n_out)

HIDDEN: dict[str, Callable[[jax.Array], jax.Array]] = {
    "sigmoid": jax.nn.sigmoid,
    "tanh": jnp.tanh,
    "relu": jax.nn.relu,
    "leaky_relu": jax.nn.leaky_relu,
    "identity": lambda z: z,
}


def network_forward(params: Params, x: jax.Array, hidden: str = "sigmoid", biases: bool = True) -> jax.Array:
    """The logits (b, n_out) of a batch x (b, n_in): affine layers, or linear ones, an activation between them."""
    a = x
    *inner, last = params
    for weight, bias in inner:
        z = a @ weight + bias[jnp.newaxis, :] if biases else a @ weight
        a = HIDDEN[hidden](z)
    weight, bias = last
    return a @ weight + bias[jnp.newaxis, :] if biases else a @ weight


def _squared_error(p: jax.Array, y: jax.Array) -> jax.Array:
    """The squared error of each row, (b,)."""
    return jnp.sum((p - y) ** 2, axis=1)


def network_cross_entropy(logits: jax.Array, y: jax.Array) -> jax.Array:
    """The cross-entropy of softmax(logits) with the distribution y, each row, (b,), in natural units."""
    return -jnp.sum(y * jax.nn.log_softmax(logits, axis=1), axis=1)


def network_binary_cross_entropy(logits: jax.Array, y: jax.Array) -> jax.Array:
    """The cross-entropy of sigmoid(logits) with the probabilities y, summed over each row, (b,).

    It is log(1 + exp(z)) - y z. The logarithm is that of a sum of exponentials, shifted by the larger of the
    two; the shift is a constant to the derivative, so no kink at z = 0 enters.
    """
    shift = jax.lax.stop_gradient(jnp.maximum(logits, jnp.zeros_like(logits)))
    softplus = shift + jnp.log(jnp.exp(logits - shift) + jnp.exp(-shift))
    return jnp.sum(softplus - y * logits, axis=1)


ROW_LOSS: dict[tuple[str, str], Callable[[jax.Array, jax.Array], jax.Array]] = {
    ("softmax", "cross_entropy"): network_cross_entropy,
    ("softmax", "squared_error"): lambda z, y: _squared_error(jax.nn.softmax(z, axis=1), y),
    ("sigmoid", "binary_cross_entropy"): network_binary_cross_entropy,
    ("sigmoid", "squared_error"): lambda z, y: _squared_error(jax.nn.sigmoid(z), y),
    ("tanh", "squared_error"): lambda z, y: _squared_error(jnp.tanh(z), y),
    ("identity", "squared_error"): _squared_error,
}


def _reduced(row_losses: jax.Array, n_out: int, reduction: str) -> jax.Array:
    """One number from the losses of the rows, (b,): see ``verify.reference.spec.REDUCTIONS``."""
    total = jnp.sum(row_losses)
    if reduction.startswith("half_"):
        total = 0.5 * total
    if reduction.endswith("mean"):
        return total / row_losses.shape[0]
    if reduction.endswith("mean_all"):
        return total / (row_losses.shape[0] * n_out)
    return total


def _weighted_losses(row_losses: jax.Array, sample_weight: jax.Array, weights: str) -> jax.Array:
    """The losses of the rows times their weights, (b,): see ``verify.reference.spec.WEIGHTS``."""
    if weights == "normalised":
        sample_weight = sample_weight * sample_weight.shape[0] / jnp.sum(sample_weight)
    return sample_weight * row_losses


def network_loss_of(spec: Spec) -> Loss:
    """The function ``loss(params, x, y) -> scalar`` that a Spec names; y is (b, n_out).

    With weights, it is ``loss(params, x, y, sample_weight)``; sample_weight is (b,).
    """
    row_loss = ROW_LOSS[spec.output, spec.loss]

    def loss(params: Params, x: jax.Array, y: jax.Array, *sample_weight: jax.Array) -> jax.Array:
        logits = network_forward(params, x, spec.hidden, spec.biases)
        row_losses = row_loss(logits, y)
        if spec.weighted:
            row_losses = _weighted_losses(row_losses, sample_weight[0], spec.weights)
        value = _reduced(row_losses, logits.shape[1], spec.reduction)
        if spec.l2:
            for weight, _ in params:
                value = value + 0.5 * spec.l2 * jnp.sum(weight**2)
        return value

    return loss
