"""The forward pass and its derivative, layer by layer, on arrays that have been checked.

Shapes: batch rows, n_in inputs, n_out outputs of a layer.
  x, a: (batch, n_in)   weight: (n_in, n_out)   bias: (n_out,)   z: (batch, n_out)

Every array is in a `Workspace`, whose names are those of the formulas. What `forward` leaves there, `backward` reads.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from mlp_ref.activations import ACTIVATIONS
from mlp_ref.losses import LOSSES

if TYPE_CHECKING:
    from mlp_ref.activations import ValueAndSlope
    from mlp_ref.arrays import Floats
    from mlp_ref.params import Layer, Params
    from mlp_ref.products import Multiply
    from mlp_ref.targets import Targets
    from mlp_ref.workspace import Workspace

__all__ = [
    "add_penalty",
    "affine",
    "affine_backward",
    "backward",
    "forward",
    "is_gradient_bounded",
    "loss_and_gradient",
]


def affine(x: Floats, layer: Layer, out: Floats | None = None, multiply: Multiply = np.ndarray.dot) -> Floats:
    """z = x @ weight + bias."""
    z = multiply(x, layer.weight, out)
    z += layer.bias
    return z


def affine_backward(
    dz: Floats,
    x: Floats,
    layer: Layer,
    ones: Floats,
    grads: Layer,
    dx: Floats | None,
    multiply: Multiply = np.ndarray.dot,
) -> Any:
    """Undo ``z = x @ weight + bias``: every row of x met the same weight and bias, so both sum over the batch.

    The gradients of weight and bias go into `grads`, and that of x into `dx`, which is returned; where `dx` is None,
    nobody needs it. `ones` are as many as there are rows.
    """
    multiply(x.T, dz, grads.weight)
    ones.dot(dz, grads.bias)  # a sum over the rows, in half the time of sum(axis=0)
    return None if dx is None else multiply(dz, layer.weight.T, dx)


def forward(params: Params, x: Floats, activation: ValueAndSlope, workspace: Workspace) -> Floats:
    """Return the logits of a checked batch: affine layers, with the activation between them."""
    multiply = workspace.multiply
    a = x
    for layer, z, out in zip(params, workspace.z, workspace.activations, strict=False):  # not the last layer
        affine(a, layer, z, multiply)
        a, _ = activation(z, out)
    return affine(a, params[-1], workspace.logits, multiply)


def backward(params: Params, x: Floats, dlogits: Floats, workspace: Workspace) -> list[Layer]:
    """Undo `forward`, last layer first."""
    inputs, grads, dx = [x, *workspace.a], workspace.grads, workspace.dx
    ones, multiply = workspace.ones, workspace.multiply
    da = affine_backward(dlogits, inputs[-1], params[-1], ones, grads[-1], dx[-1], multiply)
    for i in range(len(params) - 2, -1, -1):
        slope = workspace.slopes[i]
        dz = np.multiply(da, slope, slope)  # undo a, slope = activation(z); the slope has served
        da = affine_backward(dz, inputs[i], params[i], ones, grads[i], dx[i], multiply)
    return grads


def loss_and_gradient(
    params: Params,
    x: Floats,
    y: Targets,
    hidden: str,
    loss: str,
    workspace: Workspace,
    sample_weight: Floats | None = None,
) -> tuple[float, list[Layer]]:
    """Return the loss of a checked batch and its gradient with respect to the parameters."""
    logits = forward(params, x, ACTIVATIONS[hidden], workspace)
    value, dlogits = LOSSES[loss].formula(logits, y, workspace.loss, sample_weight)
    return value, backward(params, x, dlogits, workspace)


def is_gradient_bounded(x: Floats, workspace: Workspace) -> bool:
    """Return True where what `backward` left in the workspace shows that every number of the gradient is finite.

    With the root of the sum of squares as norm, no entry of ``x.T @ dz`` is larger than ``|x| |dz|``, and no sum of dz
    over the rows larger than ``sqrt(batch) |dz|``. The product of the squares overflows long before either does.
    """
    # dz of a hidden layer is where its slope was, and that of the last one where the logits were.
    for a, dz in zip([x, *workspace.a], [*workspace.slopes, workspace.logits], strict=True):
        flat_a, flat_dz = a.reshape(-1), dz.reshape(-1)
        if not math.isfinite(flat_a.dot(flat_a) * flat_dz.dot(flat_dz)):
            return False
    return True


def add_penalty(params: Params, l2: float, workspace: Workspace) -> float:
    """Return ``l2 / 2 * sum(weight**2)`` over all layers, and add its gradient, ``l2 * weight``, to the workspace's.

    Biases are not penalised.
    """
    squares = 0.0
    for (weight, _), (dweight, _) in zip(params, workspace.grads, strict=True):
        squares += float(np.vdot(weight, weight))
        dweight += np.multiply(weight, l2, workspace.room_for_weight(weight.shape))
    return l2 / 2 * squares
