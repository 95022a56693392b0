"""Networks and rows as training reads them, and how well one does on the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mlp_ref.arrays import Floats
from mlp_ref.backprop import Workspace, forward
from mlp_ref.losses import LOSSES
from mlp_ref.params import Layer, as_layers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlp_ref.targets import Targets

__all__ = ["Model", "Rows", "evaluate"]


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
