"""Recurrent cells, and their sequences from the states h0 (and c0 = 0): the states of every step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from verify.reference.layers.dense import affine, with_ones

if TYPE_CHECKING:
    from jax import Array

# Shapes: n rows, t steps, d inputs, h units. x of a step (n, d), of a sequence (n, t, d); states (n, h).


def _both(x: Array, h: Array, wx: Array, wh: Array, b: Array) -> Array:
    """x @ wx + h @ wh + b, as one sum."""
    return with_ones(jnp.concatenate([x, h], axis=1)) @ jnp.concatenate([wx, wh, b[jnp.newaxis, :]])


def rnn_step(x: Array, h: Array, wx: Array, wh: Array, b: Array) -> Array:
    """tanh(x @ wx + h @ wh + b): wx (d, h), wh (h, h), b (h,)."""
    return jnp.tanh(_both(x, h, wx, wh, b))


def rnn(x: Array, h0: Array, wx: Array, wh: Array, b: Array) -> Array:
    """`rnn_step` from h0, step by step: (n, t, h)."""
    states = [h0]
    for t in range(x.shape[1]):
        states.append(rnn_step(x[:, t], states[-1], wx, wh, b))
    return _sequence(states[1:])


def lstm_step(
    x: Array, h: Array, c: Array, wx: Array, wh: Array, b: Array, *, gates: str = "ifog"
) -> tuple[Array, Array]:
    """The next (h, c): c' = f c + i g, h' = o tanh(c'), from a = x @ wx + h @ wh + b, (n, 4 h).

    i, f and o are sigmoids of their quarters of a, g the tanh of its own; ``gates`` is the order of the quarters
    (``ifgo`` in PyTorch).
    """
    a = _both(x, h, wx, wh, b)
    width = h.shape[1]
    part = {gate: a[:, k * width : (k + 1) * width] for k, gate in enumerate(gates)}
    i, f, o = (jax.nn.sigmoid(part[gate]) for gate in "ifo")
    c = f * c + i * jnp.tanh(part["g"])
    return o * jnp.tanh(c), c


def lstm(x: Array, h0: Array, wx: Array, wh: Array, b: Array, *, gates: str = "ifog") -> Array:
    """`lstm_step` from h0 and c0 = 0, step by step: the states h, (n, t, h)."""
    h, c, states = h0, jnp.zeros_like(h0), []
    for t in range(x.shape[1]):
        h, c = lstm_step(x[:, t], h, c, wx, wh, b, gates=gates)
        states.append(h)
    return _sequence(states)


def gru_step(x: Array, h: Array, wx: Array, wh: Array, bx: Array, bh: Array) -> Array:
    """The next state (1 - z) n + z h, as in PyTorch, from a = x @ wx + bx and s = h @ wh + bh, both (n, 3 h).

    r = sigmoid(a_r + s_r), z = sigmoid(a_z + s_z), n = tanh(a_n + r s_n); the thirds are in the order r, z, n.
    """
    width = h.shape[1]
    a, s = affine(x, wx, bx), affine(h, wh, bh)
    r = jax.nn.sigmoid(a[:, :width] + s[:, :width])
    z = jax.nn.sigmoid(a[:, width : 2 * width] + s[:, width : 2 * width])
    n = jnp.tanh(a[:, 2 * width :] + r * s[:, 2 * width :])
    return (1 - z) * n + z * h


def gru(x: Array, h0: Array, wx: Array, wh: Array, bx: Array, bh: Array) -> Array:
    """`gru_step` from h0, step by step: (n, t, h)."""
    states = [h0]
    for t in range(x.shape[1]):
        states.append(gru_step(x[:, t], states[-1], wx, wh, bx, bh))
    return _sequence(states[1:])


def _sequence(states: list[Array]) -> Array:
    """States (n, h) one after the other: (n, t, h)."""
    return jnp.concatenate([state[:, jnp.newaxis] for state in states], axis=1)
