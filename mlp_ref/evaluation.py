"""Networks and rows as training reads them, and how well one does on the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from mlp_ref.arrays import Floats
from mlp_ref.calls import forward
from mlp_ref.losses import LOSSES
from mlp_ref.params import Layer, as_layers
from mlp_ref.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlp_ref.targets import Targets

__all__ = ["Model", "Rows", "evaluate"]


class Model(NamedTuple):
    """The parts of a network that training reads and writes; `flat` is changed in place."""

    flat: Floats
    layer_sizes: Sequence[int]
    hidden: str
    loss: str

    @property
    def params(self) -> list[Layer]:
        """The layers, views of `flat`."""
        return as_layers(self.flat, self.layer_sizes)


class Rows(NamedTuple):
    """Checked inputs and targets, row for row, and what each row weighs, where it is not 1."""

    x: Floats
    y: Targets
    sample_weight: Floats | None = None

    def take(self, index: Any) -> Rows:
        """Return some of the rows, copied."""
        weights = None if self.sample_weight is None else self.sample_weight[index]
        return Rows(self.x[index], self.y[index], weights)


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
