"""From a gradient and its bounds to a verdict.

There is no tolerance here: `verify.evaluate.bounds` says how far a result may lie from the reference, entry by
entry, and a result lies within that, or it does not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from mlp_ref.params import Layer
from verify.evaluate import bounds
from verify.reference.derivative import traced
from verify.reference.spec import Spec

Array = npt.NDArray[Any]


Gradient = list[Layer]


GradientFunction = Callable[[list[Layer], Array, Array], Any]


SpecLike = Spec | Callable[..., Any]


def tensor_names(depth: int) -> list[str]:
    """``["weight of layer 1", "bias of layer 1", ...]``, in the order of the gradient's tensors."""
    return [f"{kind} of layer {i + 1}" for i in range(depth) for kind in ("weight", "bias")]


def sizes_of(inputs: list[Array]) -> dict[str, int]:
    """The batch ``b`` and the widths ``n0, n1, ...`` of weight, bias, ..., x, y."""
    *params, x, _ = inputs
    return {"b": len(x), "n0": x.shape[1], **{f"n{i + 1}": len(bias) for i, bias in enumerate(params[1::2])}}


@dataclass(frozen=True)
class Truth:
    """The reference's loss and gradient for one case, as (value, bound) pairs."""

    loss: bounds.Pair
    tensors: list[bounds.Pair]

    @classmethod
    def of(cls, spec: SpecLike, inputs: list[Array], dtype: npt.DTypeLike) -> Truth:
        """JAX's derivative evaluated in NumPy, with bounds for results in ``dtype``.

        ``inputs`` are weight, bias, weight, bias, ..., x, y, in float64: `Case.inputs`.
        """
        sizes = sizes_of(inputs)
        at = bounds.Arithmetic.judging(dtype, sizes)
        loss, *tensors = bounds.evaluate(traced(spec, sizes), inputs, at)
        return cls(loss, tensors)

    @property
    def gradient(self) -> Gradient:
        """The reference's values, float64, as layers."""
        values = [value for value, _ in self.tensors]
        return [Layer(*pair) for pair in zip(values[::2], values[1::2], strict=True)]


def flat(gradient: Gradient) -> list[Array]:
    """The gradient's tensors: weight, bias, weight, bias, ..."""
    return [tensor for layer in gradient for tensor in layer]
