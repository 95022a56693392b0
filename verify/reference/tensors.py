"""The name of a tensor: its kind and its layer."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from mlp_ref.params import Layer


class Tensor(str):
    """The name of a tensor of a gradient, or of another result that is compared: ``weight of layer 2``, ``loss``.

    Parameters
    ----------
    kind
        ``weight`` or ``bias``; or ``loss``, ``outputs``, or the name of an argument.
    layer
        The layer that it belongs to, counted from 1; 0 where it belongs to none.
    """

    kind: str
    layer: int

    def __new__(cls, kind: str, layer: int = 0) -> Tensor:
        """Make the text of the name, and keep its parts."""
        name = super().__new__(cls, f"{kind} of layer {layer}" if layer else kind)
        name.kind, name.layer = kind, layer
        return name


LOSS, OUTPUTS = Tensor("loss"), Tensor("outputs")


@functools.cache
def tensor_names(depth: int) -> tuple[Tensor, ...]:
    """Return the tensors of a network's gradient: weight and bias of layer 1, of layer 2, ..."""
    return tuple(Tensor(kind, layer) for layer in range(1, depth + 1) for kind in ("weight", "bias"))


def layers_of_tensors(tensors: Sequence[Any]) -> list[Layer]:
    """weight, bias, weight, bias, ... as layers."""
    return [Layer(*pair) for pair in zip(tensors[::2], tensors[1::2], strict=True)]
