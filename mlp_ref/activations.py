"""Activations: each returns its value and its slope, computed together.

The backward pass is then one line for all of them, ``dz = da * slope``. A slope derived from
the value afterwards, as in ``a * (1 - a)``, has no digit left once ``a`` has rounded to 1.

Every function takes ``out=(a, slope)``, two more arrays of the shape and dtype of ``z``. Without
``out``, ``z`` is checked and the two arrays are new. `VALUES` has what predictions use, which need no slope.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from mlp_ref.arrays import CONSTANTS, Floats, real_array
from mlp_ref.quiet import quiet

__all__ = ["ACTIVATIONS", "VALUES", "Activation", "ValueAndSlope", "identity", "relu", "sigmoid", "tanh"]

ValueAndSlope = Callable[[Floats, tuple[Floats, Floats]], tuple[Floats, Floats]]
"""``activation(z, (a, slope))`` puts both in the arrays given, and returns them."""


class Activation(Protocol):
    """A function of `z` that returns the activation and its slope."""

    def __call__(self, z: Floats, out: tuple[Floats, Floats] | None = None) -> tuple[Floats, Floats]:
        """Return ``(a, slope)``."""


def _checked(z: Floats) -> tuple[Floats, tuple[Floats, Floats]]:
    array = real_array(z, "z")
    return array, (np.empty_like(array), np.empty_like(array))


def sigmoid(z: Floats, out: tuple[Floats, Floats] | None = None) -> tuple[Floats, Floats]:
    """Return ``1 / (1 + exp(-z))`` and its slope ``exp(z) / (1 + exp(z))**2``.

    Parameters
    ----------
    z : array of float32 or float64, any shape
        Pre-activations.
    out : pair of arrays, optional
        Where to put the two results; neither may be `z`.

    Returns
    -------
    a, slope : arrays like `z`
    """
    if out is None:
        z, out = _checked(z)
        with quiet():
            return sigmoid(z, out) if z.size else out
    a, slope = out
    c = CONSTANTS[a.dtype]
    # With e = exp(z), a is e / (1 + e) and the slope a / (1 + e). The textbook's slope, a * (1 - a),
    # cancels: at z = 20 in float32, a rounds to 1 and the slope to 0 (it is 2e-9).
    # Beyond the limit e would overflow and e / e be NaN; there the slope is below the smallest normal
    # number. To look for the largest z takes half the time of limiting every one. (NaN counts as largest.)
    if not z.item(z.argmax()) <= c.exp_limit:
        z = np.minimum(z, c.exp_limit, out=a)
    e = np.exp(z, a)
    np.add(e, c.one, slope)
    np.divide(e, slope, a)
    np.divide(a, slope, slope)
    return a, slope


def tanh(z: Floats, out: tuple[Floats, Floats] | None = None) -> tuple[Floats, Floats]:
    """Return ``tanh(z)`` and its slope ``1 / cosh(z)**2``; arguments as for `sigmoid`.

    With ``e = exp(-2 |z|)`` the slope is ``4 e / (1 + e)**2``, which never overflows.
    """
    if out is None:
        z, out = _checked(z)
        with quiet():
            return tanh(z, out)
    a, slope = out
    c = CONSTANTS[a.dtype]
    # 1 - tanh(z)**2 would cancel: in float32 it is 0 from |z| = 9 on, where the slope is 6e-8.
    e = np.abs(z, slope)
    np.multiply(e, c.minus_two, e)
    np.exp(e, e)
    np.add(e, c.one, a)
    np.divide(e, a, e)
    np.divide(e, a, e)
    np.multiply(e, c.four, slope)
    np.tanh(z, a)
    return a, slope


def relu(z: Floats, out: tuple[Floats, Floats] | None = None) -> tuple[Floats, Floats]:
    """Return ``max(z, 0)`` and its slope, which at 0 is 0, as in jax.nn.relu; arguments as for `sigmoid`."""
    if out is None:
        z, out = _checked(z)
    a, slope = out
    a.fill(0)
    np.maximum(z, a, out=a)
    np.greater(z, CONSTANTS[a.dtype].zero, out=slope)
    return a, slope


def identity(z: Floats, out: tuple[Floats, Floats] | None = None) -> tuple[Floats, Floats]:
    """Return a copy of `z`, and ones; arguments as for `sigmoid`."""
    if out is None:
        z, out = _checked(z)
    a, slope = out
    np.copyto(a, z)
    slope.fill(1)
    return a, slope


ACTIVATIONS: dict[str, Activation] = {"sigmoid": sigmoid, "tanh": tanh, "relu": relu, "identity": identity}


def sigmoid_value(z: Floats, out: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
    """Put the sigmoid in `a`, to the bits of `sigmoid`, but NaN where exp(z) overflows."""
    a, work = out
    e = np.exp(z, a)
    np.divide(e, np.add(e, CONSTANTS[a.dtype].one, work), a)
    return out


def tanh_value(z: Floats, out: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
    """Put the hyperbolic tangent in `a`."""
    np.tanh(z, out[0])
    return out


def relu_value(z: Floats, out: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
    """Put ``max(z, 0)`` in `a`."""
    np.maximum(z, CONSTANTS[z.dtype].zero, out=out[0])
    return out


VALUES: dict[str, ValueAndSlope] = {"sigmoid": sigmoid_value, "tanh": tanh_value, "relu": relu_value}
"""Activations without slopes: what is in the place of the slope then has no meaning. NaN asks for a second look."""
