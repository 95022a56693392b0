"""The functions a user calls: they check their arguments, and take a long batch in pieces."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from mlp_ref import backprop
from mlp_ref.activations import ACTIVATIONS, VALUES
from mlp_ref.arrays import Floats, all_finite, require_finite
from mlp_ref.checks import check_choice, check_number, check_params, check_rows
from mlp_ref.losses import LOSSES
from mlp_ref.params import Layer
from mlp_ref.pool import Pool
from mlp_ref.quiet import quiet, quietly
from mlp_ref.sample_weights import check_sample_weight
from mlp_ref.targets import check_targets

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from mlp_ref.activations import ValueAndSlope
    from mlp_ref.params import Params
    from mlp_ref.targets import Targets
    from mlp_ref.workspace import LossBuffers, Workspace

__all__ = ["Put", "for_each_piece", "forward", "fresh_gradient", "fresh_logits", "loss_and_gradient"]

Put: TypeAlias = "Callable[[NDArray[Any], Floats, LossBuffers], object]"
"""``put(rows of results, their logits, buffers for so many rows)``"""

POOL = Pool()
"""The workspaces of the functions; a network has its own."""


def forward(
    params: Params, x: Floats, hidden: str = "sigmoid", *, workspace: Workspace | None = None
) -> Floats:
    """Check the arguments, and return the logits: affine layers with the activation `hidden` between them.

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
    ValueError
        Where an argument is not as described, or `workspace` is for other layer sizes, another number of rows or
        another dtype.
    FloatingPointError
        Where the numbers outgrow the dtype, so that a logit is not finite.
    """
    if workspace is None:
        params, sizes, dtype = check_params(params)
        check_choice(hidden, "hidden", ACTIVATIONS)
        x = check_rows(x, sizes[0], dtype)
        return fresh_logits(params, sizes, x, hidden, POOL)
    workspace.require_fit(params, x)
    if not workspace.pieces:
        return backprop.forward(params, x, ACTIVATIONS[hidden], workspace)
    logits = np.empty((len(x), workspace.layer_sizes[-1]), x.dtype)
    for piece, rows_of_x, rows_of_logits in workspace.cut(x, logits):
        rows_of_logits[:] = backprop.forward(params, rows_of_x, ACTIVATIONS[hidden], piece)
    return logits


def loss_and_gradient(
    params: Params,
    x: Floats,
    y: Targets,
    hidden: str = "sigmoid",
    loss: str = "cross_entropy",
    *,
    sample_weight: Floats | None = None,
    l2: float = 0.0,
    workspace: Workspace | None = None,
) -> tuple[float, list[Layer]]:
    """Check the arguments, and return the loss of a batch and its gradient with respect to the parameters.

    Parameters
    ----------
    params : list of Layer
        First layer first; float32 or float64.
    x : (batch, n_in) array of the dtype of `params`
    y : (batch,) integer class labels, or (batch, n_out) array of the dtype of `params`
        Labels or distributions for the softmax losses, any finite numbers for ``"mse"``.
    hidden : {"sigmoid", "tanh", "relu", "identity"}
    loss : {"cross_entropy", "softmax_mse", "mse"}
    sample_weight : (batch,) array of the dtype of `params`, optional
        Each row's loss counts so many times; the mean is still over the number of rows.
    l2 : float
        Adds ``l2 / 2 * sum(weight**2)`` over all layers to the loss; biases are not penalised.
    workspace : Workspace, optional
        Says that the arguments have been checked, and holds every array of the computation, the
        returned gradient among them: the next call overwrites it.

    Returns
    -------
    loss : float
        The mean over the batch, and the penalty.
    grads : list of Layer
        Like `params`.

    Raises
    ------
    ValueError
        Where an argument is not as described, or `workspace` is for other layer sizes, another number of rows or
        another dtype.
    FloatingPointError
        Where the numbers outgrow the dtype, so that the gradient is not finite.
    """
    if workspace is None:
        params, sizes, dtype = check_params(params)
        check_choice(hidden, "hidden", ACTIVATIONS)
        check_choice(loss, "loss", LOSSES)
        x = check_rows(x, sizes[0], dtype)
        y = check_targets(y, (len(x), sizes[-1]), dtype, of_classes=LOSSES[loss].of_classes)
        if sample_weight is not None:
            sample_weight = check_sample_weight(sample_weight, len(x), dtype)
        if l2 or type(l2) is not float:
            l2 = check_number(l2, "l2", least=0)
        return quietly(fresh_gradient, params, sizes, x, y, hidden, loss, POOL, sample_weight, l2)
    workspace.require_fit(params, x, y)
    if sample_weight is not None and len(sample_weight) != len(x):
        raise ValueError(
            f"sample_weight must have one weight per row of x: x has {len(x)} "
            f"but sample_weight has {len(sample_weight)}"
        )
    if workspace.pieces or l2:
        return _sum_of_parts(params, x, y, hidden, loss, workspace, sample_weight, l2)
    return backprop.loss_and_gradient(params, x, y, hidden, loss, workspace, sample_weight)


def _sum_of_parts(
    params: Params,
    x: Floats,
    y: Targets,
    hidden: str,
    loss: str,
    workspace: Workspace,
    sample_weight: Floats | None,
    l2: float,
) -> tuple[float, list[Layer]]:
    """Do what `loss_and_gradient` does, in a workspace that fits: the mean of the pieces, and the penalty."""
    if workspace.pieces:
        value = 0.0
        workspace.clear()
        for rows, piece in workspace.pieces:
            rows_of_x = np.ascontiguousarray(x[rows])
            weights = None if sample_weight is None else sample_weight[rows]
            mean, _ = backprop.loss_and_gradient(params, rows_of_x, y[rows], hidden, loss, piece, weights)
            fraction = len(rows_of_x) / len(x)
            value += fraction * mean
            workspace.add_mean(piece, fraction)
    else:
        x = np.ascontiguousarray(x)
        value, _ = backprop.loss_and_gradient(params, x, y, hidden, loss, workspace, sample_weight)
    if l2:
        value += backprop.add_penalty(params, l2, workspace)
    return value, workspace.grads


def fresh_gradient(
    params: Params,
    layer_sizes: tuple[int, ...],
    x: Floats,
    y: Targets,
    hidden: str,
    loss: str,
    pool: Pool,
    sample_weight: Floats | None,
    l2: float,
) -> tuple[float, list[Layer]]:
    """Do what `loss_and_gradient` does, in a workspace of `pool`, for arguments that have been checked.

    It is to be called by `quietly`. Whether `x` and `params` are finite has not been looked at: it shows in the
    gradient. That of the first weight is a sum of products with every number of `x`, and infinity and NaN times
    anything, 0 included, are infinity or NaN. So no pass over `x` is needed. A parameter may be infinite without an
    effect on the result: where it makes a unit saturate.
    """
    workspace = pool.take(layer_sizes, len(x), x.dtype)
    workspace.put_gradient_in(pool.vector(workspace.parameter_count, x.dtype))
    if layer_sizes[1] == 1 and len(x) == 1:
        # dz is one number then, and BLAS skips a product with a number that is 0.
        require_finite(x, "x")
    if workspace.pieces or l2:
        value, grads = _sum_of_parts(params, x, y, hidden, loss, workspace, sample_weight, l2)
        finite = False  # as far as is known
    else:
        x = np.ascontiguousarray(x)
        value, grads = backprop.loss_and_gradient(params, x, y, hidden, loss, workspace, sample_weight)
        finite = workspace.has_few_rows and backprop.is_gradient_bounded(x, workspace)
    if math.isnan(value) or not (finite or _are_finite(workspace.flat_grads)):
        _raise_what_is_not_finite(params, x, hidden, workspace)
    pool.put(workspace)
    return value, grads


def fresh_logits(params: Params, layer_sizes: tuple[int, ...], x: Floats, hidden: str, pool: Pool) -> Floats:
    """Do what `forward` does, in a workspace of `pool`; arguments as for `fresh_gradient`."""
    logits = np.empty((len(x), layer_sizes[-1]), x.dtype)
    quietly(for_each_piece, params, layer_sizes, x, hidden, pool, logits, _put_logits)
    return logits


def _put_logits(results: Floats, logits: Floats, _: LossBuffers) -> None:
    results[:] = logits


def for_each_piece(
    params: Params,
    layer_sizes: tuple[int, ...],
    x: Floats,
    hidden: str,
    pool: Pool,
    results: NDArray[Any],
    put: Put,
) -> None:
    """Compute the logits, piece by piece, and `put` what is made of them into `results`.

    It is to be called by `quietly`. The logits are in a workspace of `pool`, where the next ones overwrite them.
    Arguments are those of `fresh_gradient`.
    """
    workspace = pool.take(layer_sizes, len(x), x.dtype)
    value = VALUES.get(hidden) or ACTIVATIONS[hidden]
    # With one unit the weight is one number, and BLAS skips a product with a number that is 0.
    looks_at_x = len(x) == 1 or layer_sizes[0] == 1
    if looks_at_x and not _are_finite(x.ravel()):
        require_finite(x, "x")
    for piece, rows_of_x, rows_of_results in workspace.cut(x, results):
        activation = value if looks_at_x else _after_a_look(value, piece, x)
        logits = backprop.forward(params, rows_of_x, activation, piece)
        if not _are_finite(piece.loss.flat_dz):  # the logits
            # A value is NaN where there is a limit, which is looked at more closely from now on.
            value = ACTIVATIONS[hidden]
            logits = backprop.forward(params, rows_of_x, value, piece)
            if not all_finite(logits):
                _raise_what_is_not_finite(params, x, hidden, workspace)
        put(rows_of_results, logits, piece.loss)
    pool.put(workspace)


def _after_a_look(value: ValueAndSlope, piece: Workspace, x: Floats) -> ValueAndSlope:
    """Return the activation `value`, which looks at the first layer first.

    As in a gradient: where `x` is not finite, z of the first layer is not either.
    """
    first_z = piece.z[0] if piece.z else None

    def activation(z: Floats, out: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
        if z is first_z and not _are_finite(z.ravel()):
            require_finite(x, "x")
        return value(z, out)

    return activation


def _are_finite(vector: Floats) -> bool:
    """Do what `all_finite` does, for a vector in C order, within `quiet`: in less time."""
    return math.isfinite(vector.dot(vector)) or all_finite(vector)


def _raise_what_is_not_finite(params: Params, x: Floats, hidden: str, workspace: Workspace) -> None:
    """Raise a ValueError that names a number of `x` or of a parameter that is not finite.

    Where all of them are, raise a FloatingPointError that names the first layer whose numbers are not.
    """
    require_finite(x, "x")
    check_params([Layer(weight, bias.reshape(-1)) for weight, bias in params])  # a network's may have one row
    with quiet():
        i = min(_finite_layers(params, rows, hidden) for _, rows, _ in workspace.cut(x, x))
    if i < len(params):
        raise FloatingPointError(
            f"x @ weight + bias outgrows {x.dtype} in params[{i}]: scale down x or the parameters"
        )
    raise FloatingPointError(f"the gradient outgrows {x.dtype}: scale down x, y or the parameters")


def _finite_layers(params: Params, x: Floats, hidden: str) -> int:
    """Return how many layers, from the first on, have finite numbers."""
    for i, layer in enumerate(params):
        z = backprop.affine(x, layer)
        if not np.isfinite(z).all():
            return i
        x, _ = ACTIVATIONS[hidden](z)
    return len(params)
