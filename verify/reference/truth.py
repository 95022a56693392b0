"""From a gradient and its bounds to a verdict.

There is no tolerance here: `verify.evaluate.bounds` says how far a result may lie from the reference, entry by
entry, and a result lies within that, or it does not.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from mlp_ref.params import Layer
from verify.evaluate import balls, bounds
from verify.evaluate.array import Array
from verify.reference.derivative import traced_derivative
from verify.reference.spec import Spec

_BALL_PRODUCTS, _BALL_PRECISIONS = 300_000, (192, 768, 3072)
"""Products of a forward pass (0.3 s of balls, forward and back), and the bits that they are tried with."""

Gradient = list[Layer]


GradientFunction = Callable[..., Any]


SpecLike = Spec | Callable[..., Any]


def _place_of_x(inputs: list[Array]) -> int:
    """Return where x is among weight, bias, ..., x, y and perhaps the rows' weights: after pairs, and before
    two or three.
    """
    return 2 * ((len(inputs) - 2) // 2)


def sizes_of_inputs(inputs: list[Array]) -> dict[str, int]:
    """The batch ``b`` and the widths ``n0, n1, ...`` of weight, bias, ..., x, y, and perhaps the rows' weights."""
    *params, x = inputs[: _place_of_x(inputs) + 1]
    return {"b": len(x), "n0": x.shape[1], **{f"n{i + 1}": len(bias) for i, bias in enumerate(params[1::2])}}


@dataclass(frozen=True)
class Truth:
    """The reference's loss and gradient for one case, as (value, bound) pairs.

    ``dtype`` is that of the results that the bounds are for.
    """

    loss: bounds.Pair
    tensors: list[bounds.Pair]
    spec: SpecLike | None = field(default=None, repr=False)
    inputs: list[Array] = field(default_factory=list, repr=False)
    dtype: npt.DTypeLike = np.float64

    @classmethod
    def of(cls, spec: SpecLike, inputs: list[Array], dtype: npt.DTypeLike) -> Truth:
        """JAX's derivative evaluated in NumPy, with bounds for results in ``dtype``.

        ``inputs`` are weight, bias, weight, bias, ..., x, y, in float64, and the rows' weights where there are some:
        `Case.inputs`. A Spec that has no weights leaves them out.
        """
        sizes = sizes_of_inputs(inputs)
        program = traced_derivative(spec, sizes)
        inputs = inputs[: len(program.inputs)]
        at = bounds.Arithmetic.judging(dtype, sizes)
        loss, *tensors = bounds.evaluate_with_bounds(program, inputs, at)
        return cls(loss, tensors, spec, inputs, dtype)

    @functools.cached_property
    def own(self) -> list[Array]:
        """Return how far each tensor of the reference, which is float64, may lie from the exact gradient."""
        if self.spec is None or np.dtype(self.dtype) == np.float64:
            return [bound for _, bound in self.tensors]
        return [bound for _, bound in Truth.of(self.spec, self.inputs, np.float64).tensors]

    def certified(self, tensors: list[Array], enough: float, least_scale: float) -> list[float]:
        """Return how far each tensor lies at most from the exact gradient, in units of the exact one's largest entry.

        By certified balls, with more bits until each distance is at most ``enough``. Infinite where the network is so
        large that balls would take many seconds. No scale is taken to be below ``least_scale``.
        """
        found = [math.inf] * len(tensors)
        if self.spec is None:
            return found
        sizes = sizes_of_inputs(self.inputs)
        if not within_reach_of_balls(sizes):
            return found
        program = traced_derivative(self.spec, sizes)
        for bits in _BALL_PRECISIONS:
            _, *exact = balls.evaluate_at_precision(program, self.inputs, sizes, bits)
            for i, (ball, tensor) in enumerate(zip(exact, tensors, strict=True)):
                scale = max(float(abs(balls.middle(ball)).max(initial=0.0)), least_scale)
                share = float(balls.distance(ball, tensor).max(initial=0.0)) / scale
                found[i] = share if share <= found[i] else found[i]
            if max(found) <= enough:
                break
        return found

    @property
    def gradient(self) -> Gradient:
        """The reference's values, float64, as layers."""
        values = [value for value, _ in self.tensors]
        return [Layer(*pair) for pair in zip(values[::2], values[1::2], strict=True)]


def within_reach_of_balls(sizes: Mapping[str, int]) -> bool:
    """Tell whether certified balls take less than a second for a network: ``b`` and ``n0, n1, ...``, in this order."""
    batch, *widths = sizes.values()
    return batch * sum(math.prod(pair) for pair in itertools.pairwise(widths)) <= _BALL_PRODUCTS


def tensors_of(gradient: Gradient) -> list[Array]:
    """The gradient's tensors: weight, bias, weight, bias, ..."""
    return [tensor for layer in gradient for tensor in layer]
