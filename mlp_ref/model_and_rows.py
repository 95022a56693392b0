"""A network and rows of data as training reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from mlp_ref.arrays import Floats
from mlp_ref.params import Layer, as_layers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlp_ref.targets import Targets


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
