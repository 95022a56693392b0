"""The forward pass and its derivative, layer by layer.

Shapes: batch rows, n_in inputs, n_out outputs.
  x, a: (batch, n_in)   weight: (n_in, n_out)   bias: (n_out,)   z: (batch, n_out)
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from mlp_ref.activations import ACTIVATIONS
from mlp_ref.arrays import Floats, empty_vector, quiet
from mlp_ref.checks import (
    check_choice,
    check_dtype,
    check_inputs,
    check_layer_sizes,
    check_params,
    check_positive,
)
from mlp_ref.losses import LOSSES, LossRoom
from mlp_ref.params import Layer, Params, as_layers, parameter_count
from mlp_ref.products import Multiply, multiplier
from mlp_ref.targets import Targets, check_targets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import DTypeLike

__all__ = ["Workspace", "affine", "affine_backward", "forward", "loss_and_gradient"]


ROWS_AT_ONCE = 1024
"""Rows of a piece: a longer batch is taken in pieces, so that its layers stay in the cache and memory is constant."""


class Workspace:
    """The arrays of one forward and backward pass: made once for a batch size, used at every step.

    Parameters
    ----------
    layer_sizes : sequence of int
    batch : int
    dtype : float32 or float64

    Attributes
    ----------
    flat_grads : vector
        The gradient of all parameters.
    grads : list of Layer
        Views of it.
    pieces : list of pairs (rows, workspace)
        Of a long batch: the slices of rows that are taken one after another, and what each is taken in. The
        workspace itself then has the gradient alone.
    """

    def __init__(self, layer_sizes: Sequence[int], batch: int, dtype: DTypeLike) -> None:
        dtype, batch = check_dtype(dtype), check_positive(batch, "batch")
        layer_sizes = check_layer_sizes(layer_sizes)
        _, *hidden_sizes, n_out = layer_sizes
        self.flat_grads = empty_vector(parameter_count(layer_sizes), dtype)
        self.grads = as_layers(self.flat_grads, layer_sizes)
        self.pieces: list[tuple[slice, Workspace]] = []
        self.right_in_pieces = 0
        if batch > ROWS_AT_ONCE:
            rooms = {n: Workspace(layer_sizes, n, dtype) for n in {ROWS_AT_ONCE, batch % ROWS_AT_ONCE} - {0}}
            for start in range(0, batch, ROWS_AT_ONCE):
                stop = min(start + ROWS_AT_ONCE, batch)
                self.pieces.append((slice(start, stop), rooms[stop - start]))
            return
        self.a, self.slopes = ([np.empty((batch, n), dtype) for n in hidden_sizes] for _ in range(2))
        # Every z and, later, every da in one place: it is used up before the next is made, and stays in the cache.
        place = np.empty(batch * max(hidden_sizes, default=0), dtype)
        self.z = [place[: batch * n].reshape(batch, n) for n in hidden_sizes]
        self.logits = np.empty((batch, n_out), dtype)
        self.ones = np.ones(batch, dtype)
        self.multiply = multiplier(layer_sizes, batch)
        self.loss = LossRoom(batch, n_out, dtype, dz=self.logits)

    def by_piece(self) -> list[tuple[slice, Workspace]]:
        """Return `pieces`, or for a batch that is not long all rows and this workspace."""
        return self.pieces or [(slice(None), self)]

    def count_right(self) -> int:
        """Return in how many rows the target was on top, when a softmax loss was last computed here."""
        return self.right_in_pieces if self.pieces else self.loss.count_right()


def affine(x: Floats, layer: Layer, out: Floats | None = None, multiply: Multiply = np.ndarray.dot) -> Floats:
    """Z = x @ weight + bias."""
    z = multiply(x, layer.weight, out)
    z += layer.bias
    return z


def affine_backward(
    dz: Floats, x: Floats, ones: Floats, out: Layer, multiply: Multiply = np.ndarray.dot
) -> Layer:
    """Undo z = x @ weight + bias: every row of x met the same weight and bias, so both sum over the batch."""
    multiply(x.T, dz, out.weight)
    ones.dot(dz, out.bias)  # a sum over the rows, in half the time of sum(axis=0)
    return out


def forward(
    params: Params, x: Floats, hidden: str = "sigmoid", *, workspace: Workspace | None = None
) -> Floats:
    """Return the logits of the network: affine layers with the activation `hidden` between them.

    Parameters
    ----------
    params : list of Layer
        First layer first; float32 or float64.
    x : (batch, n_in) array of the dtype of `params`
    hidden : {"sigmoid", "tanh", "relu", "identity"}
    workspace : Workspace, optional
        Says that the arguments have been checked, and holds every array of the computation.

    Returns
    -------
    logits : (batch, n_out) array of the dtype of `params`

    Raises
    ------
    FloatingPointError
        Where the numbers outgrow the dtype, so that a logit is not finite.
    """
    if workspace is None:
        params, sizes, dtype = check_params(params)
        check_choice(hidden, "hidden", ACTIVATIONS)
        x = check_inputs(x, sizes[0], dtype)
        with quiet():
            logits = forward(params, x, hidden, workspace=Workspace(sizes, len(x), dtype))
        if not np.isfinite(logits).all():
            _raise_overflow(params, x, hidden)
        return logits
    if workspace.pieces:
        logits = np.empty((len(x), len(params[-1].bias)), x.dtype)
        for rows, piece in workspace.pieces:
            logits[rows] = forward(params, x[rows], hidden, workspace=piece)
        return logits
    activation = ACTIVATIONS[hidden]
    for layer, z, a, slope in zip(params, workspace.z, workspace.a, workspace.slopes, strict=False):
        affine(x, layer, z, workspace.multiply)
        x, _ = activation(z, (a, slope))
    return affine(x, params[-1], workspace.logits, workspace.multiply)


def backward(params: Params, x: Floats, dlogits: Floats, workspace: Workspace) -> list[Layer]:
    """Undo `forward`, last layer first."""
    dz, multiply = dlogits, workspace.multiply
    for i in range(len(params) - 1, 0, -1):
        affine_backward(dz, workspace.a[i - 1], workspace.ones, workspace.grads[i], multiply)
        da = multiply(dz, params[i].weight.T, workspace.z[i - 1])
        # Undo a, slope = activation(z); the slope has served.
        dz = np.multiply(da, workspace.slopes[i - 1], workspace.slopes[i - 1])
    affine_backward(dz, x, workspace.ones, workspace.grads[0], multiply)
    return workspace.grads


def loss_and_gradient(
    params: Params,
    x: Floats,
    y: Targets,
    hidden: str = "sigmoid",
    loss: str = "cross_entropy",
    *,
    workspace: Workspace | None = None,
) -> tuple[float, list[Layer]]:
    """Return the loss of a batch and its gradient with respect to the parameters.

    Parameters
    ----------
    params : list of Layer
        First layer first; float32 or float64.
    x : (batch, n_in) array of the dtype of `params`
    y : (batch,) integer class labels, or (batch, n_out) array of the dtype of `params`
        Labels or distributions for the softmax losses, any finite numbers for ``"mse"``.
    hidden : {"sigmoid", "tanh", "relu", "identity"}
    loss : {"cross_entropy", "softmax_mse", "mse"}
    workspace : Workspace, optional
        Says that the arguments have been checked, and holds every array of the computation, the
        returned gradient among them: the next call overwrites it.

    Returns
    -------
    loss : float
        The mean over the batch.
    grads : list of Layer
        Like `params`.

    Raises
    ------
    FloatingPointError
        Where the numbers outgrow the dtype, so that the gradient is not finite.
    """
    if workspace is None:
        params, sizes, dtype = check_params(params)
        check_choice(hidden, "hidden", ACTIVATIONS)
        check_choice(loss, "loss", LOSSES)
        x = check_inputs(x, sizes[0], dtype)
        y = check_targets(y, (len(x), sizes[-1]), dtype, loss)
        workspace = Workspace(sizes, len(x), dtype)
        with quiet():
            value, grads = loss_and_gradient(params, x, y, hidden, loss, workspace=workspace)
        if math.isnan(value) or not np.isfinite(workspace.flat_grads).all():
            _raise_overflow(params, x, hidden)
        return value, grads
    if workspace.pieces:
        return _in_pieces(params, x, y, hidden, loss, workspace)
    logits = forward(params, x, hidden, workspace=workspace)
    value, dlogits = LOSSES[loss](logits, y, workspace.loss)
    return value, backward(params, x, dlogits, workspace)


def _in_pieces(
    params: Params, x: Floats, y: Targets, hidden: str, loss: str, workspace: Workspace
) -> tuple[float, list[Layer]]:
    """Return the loss of a long batch and its gradient: the means of its pieces, weighted by their rows."""
    value, workspace.right_in_pieces = 0.0, 0
    workspace.flat_grads.fill(0)
    for rows, piece in workspace.pieces:
        piece_value, _ = loss_and_gradient(params, x[rows], y[rows], hidden, loss, workspace=piece)
        share = (rows.stop - rows.start) / len(x)
        value += share * piece_value
        workspace.right_in_pieces += piece.count_right()
        piece.flat_grads *= x.dtype.type(share)
        workspace.flat_grads += piece.flat_grads
    return value, workspace.grads


def _raise_overflow(params: Params, x: Floats, hidden: str) -> None:
    """Raise a FloatingPointError that names the first layer whose numbers are not finite."""
    pieces = (x[start : start + ROWS_AT_ONCE] for start in range(0, len(x), ROWS_AT_ONCE))
    with quiet():
        i = min(_layers_that_are_finite(params, piece, hidden) for piece in pieces)
    if i < len(params):
        raise FloatingPointError(
            f"x @ weight + bias outgrows {x.dtype} in params[{i}]: scale down x or the parameters"
        )
    raise FloatingPointError(f"the gradient outgrows {x.dtype}: scale down x, y or the parameters")


def _layers_that_are_finite(params: Params, x: Floats, hidden: str) -> int:
    """Return how many layers, from the first on, have finite numbers."""
    for i, layer in enumerate(params):
        z = affine(x, layer)
        if not np.isfinite(z).all():
            return i
        x, _ = ACTIVATIONS[hidden](z)
    return len(params)
