"""The evaluation of a network on rows of data: its mean loss and its accuracy."""

from __future__ import annotations

from mlp_ref.calls import forward
from mlp_ref.losses import LOSSES
from mlp_ref.model_and_rows import Model, Rows
from mlp_ref.workspace import Workspace

__all__ = ["evaluate"]


def evaluate(model: Model, data: Rows) -> tuple[float, float]:
    """Return the mean loss and the accuracy of checked data, in which each row counts as one."""
    params = model.params
    loss_sum, correct = 0.0, 0
    for piece, x, y in Workspace(model.layer_sizes, len(data.x), data.x.dtype).cut(data.x, data.y):
        logits = forward(params, x, model.hidden, workspace=piece)
        loss, _ = LOSSES[model.loss](logits, y, piece.loss)
        loss_sum += loss * len(x)
        correct += piece.count_correct()
    return loss_sum / len(data.x), correct / len(data.x)
