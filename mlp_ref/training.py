"""Mini-batch stochastic gradient descent."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mlp_ref.arrays import Floats, Integers, quiet
from mlp_ref.backprop import Workspace, forward, loss_and_gradient
from mlp_ref.history import History
from mlp_ref.losses import LOSSES
from mlp_ref.params import Layer, as_layers
from mlp_ref.progress import reporting

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlp_ref.targets import Targets

__all__ = ["Model", "Rows", "evaluate", "train"]


class Model(NamedTuple):
    """What training reads and writes of a network; `flat` is changed in place."""

    flat: Floats
    layer_sizes: Sequence[int]
    hidden: str
    loss: str

    @property
    def params(self) -> list[Layer]:
        """The layers, views of `flat`."""
        return as_layers(self.flat, self.layer_sizes)


class Rows(NamedTuple):
    """Checked inputs and targets, row for row."""

    x: Floats
    y: Targets


class Batch:
    """Room for the inputs of one mini-batch, and the workspace of its gradient."""

    def __init__(self, model: Model, data: Rows, size: int) -> None:
        self.x = np.empty((size, *data.x.shape[1:]), data.x.dtype)
        self.workspace = Workspace(model.layer_sizes, size, data.x.dtype)


def train(
    model: Model,
    data: Rows,
    *,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    rng: np.random.Generator,
    validation: Rows | None = None,
    progress: bool = False,
) -> History:
    """Train `model` in place on checked data, and return what happened; see `MLP.fit`."""
    rows = len(data.x)
    batches = {size: Batch(model, data, size) for size in {min(batch_size, rows), rows % batch_size} - {0}}
    history = History()
    last_good = model.flat.copy()
    try:
        with quiet(), reporting(epochs, progress) as report:
            for _ in range(epochs):
                order = rng.permutation(rows)
                loss, accuracy = _epoch(model, data, order, batch_size, batches, learning_rate)
                if not (math.isfinite(loss) and np.isfinite(model.flat).all()):
                    model.flat[:] = last_good
                    raise FloatingPointError(
                        f"the loss stopped being finite in epoch {len(history.loss) + 1} of this fit, with "
                        f"learning_rate={learning_rate:g}; the parameters are those of the epoch before: "
                        "try a smaller learning_rate, or scale down x"
                    )
                last_good[:] = model.flat
                _record(history, model, loss, accuracy, validation)
                report(history)
    except KeyboardInterrupt:
        # A step is one operation on the flat vector, so the interrupt came between two steps.
        history.interrupted = True
    return history


def _epoch(
    model: Model,
    data: Rows,
    order: Integers,
    batch_size: int,
    batches: Mapping[int, Batch],
    learning_rate: float,
) -> tuple[float, float]:
    """Take one step per mini-batch; return the mean loss and the share of right rows, or stop at a loss of NaN."""
    flat, params = model.flat, model.params
    rate = np.array(learning_rate, model.flat.dtype)
    loss_sum, right = 0.0, 0
    shuffled_y = data.y[order]
    for start in range(0, len(order), batch_size):
        index, y = order[start : start + batch_size], shuffled_y[start : start + batch_size]
        batch = batches[len(index)]
        # The indices are a permutation; "clip" only spares NumPy the buffer that "raise" needs.
        x = data.x.take(index, axis=0, out=batch.x, mode="clip")
        workspace = batch.workspace
        loss, _ = loss_and_gradient(params, x, y, model.hidden, model.loss, workspace=workspace)
        if not math.isfinite(loss):
            return loss, 0.0
        # A row counts once in the epoch's figures, also one of a last, smaller batch.
        loss_sum += loss * len(index)
        right += workspace.count_right()
        step = workspace.flat_grads
        step *= rate
        flat -= step
    return loss_sum / len(data.x), right / len(data.x)


def _record(history: History, model: Model, loss: float, accuracy: float, validation: Rows | None) -> None:
    figures = [(history.loss, history.accuracy, (loss, accuracy))]
    if validation is not None:
        figures.append((history.validation_loss, history.validation_accuracy, evaluate(model, validation)))
    for losses, accuracies, (new_loss, new_accuracy) in figures:
        losses.append(new_loss)
        if model.loss != "mse":
            accuracies.append(new_accuracy)


def evaluate(model: Model, data: Rows) -> tuple[float, float]:
    """Return the mean loss of checked data and the share of rows whose likeliest class is right."""
    params = model.params
    loss_sum, right = 0.0, 0
    for rows, piece in Workspace(model.layer_sizes, len(data.x), data.x.dtype).by_piece():
        x, y = data.x[rows], data.y[rows]
        logits = forward(params, x, model.hidden, workspace=piece)
        loss, _ = LOSSES[model.loss](logits, y, piece.loss)
        loss_sum += loss * len(x)
        right += piece.count_right()
    return loss_sum / len(data.x), right / len(data.x)
