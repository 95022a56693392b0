"""The truth about one call: JAX's values and gradient with their bounds, and how far the exact gradient may lie.

`verify.reference.judge` compares results with it.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from mlp_ref.params import Layer
from verify.evaluate import balls, bounds
from verify.evaluate.array import Array
from verify.evaluate.program import Program
from verify.reference.derivative import traced_derivative
from verify.reference.spec import Spec

_BALL_PRODUCTS, _BALL_ENTRIES, _BALL_PRECISIONS = 300_000, 1000, (192, 768, 3072)
"""Products of a network's forward pass (0.3 s of balls, forward and back), entries of a layer's inputs, and the bits
that balls are tried with.
"""

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
    """The reference's values and gradient for one call, as (value, bound) pairs.

    Attributes
    ----------
    outputs
        The function's own values: a loss alone, or the outputs of a layer.
    tensors
        The tensors of the gradient.
    program, inputs, sizes
        JAX's derivative, its inputs in float64, and the sizes that its symbols stand for.
    dtype
        That of the results that the bounds are for.
    judged
        The places of the tensors among the program's gradients; None where they are all of them.
    """

    outputs: list[bounds.Pair]
    tensors: list[bounds.Pair]
    program: Program = field(repr=False)
    inputs: list[Array] = field(repr=False)
    sizes: Mapping[str, int]
    dtype: npt.DTypeLike
    judged: Sequence[int] | None = None

    @classmethod
    def of(cls, spec: SpecLike, inputs: list[Array], dtype: npt.DTypeLike) -> Truth:
        """The loss of a network and its gradient.

        ``inputs`` are weight, bias, weight, bias, ..., x, y, in float64, and the rows' weights where there are some:
        `Case.inputs`. A Spec that has no weights leaves them out.
        """
        sizes = sizes_of_inputs(inputs)
        program = traced_derivative(spec, sizes)
        return cls.evaluated(program, inputs[: len(program.inputs)], dtype, sizes)

    @classmethod
    def evaluated(
        cls,
        program: Program,
        inputs: list[Array],
        dtype: npt.DTypeLike,
        sizes: Mapping[str, int] = MappingProxyType({}),
        judged: Sequence[int] | None = None,
    ) -> Truth:
        """A program evaluated in NumPy, with bounds for results in ``dtype``."""
        pairs = bounds.evaluate_with_bounds(program, inputs, bounds.Arithmetic.judging(dtype, sizes))
        outputs, tensors = pairs[: program.values], pairs[program.values :]
        if judged is not None:
            tensors = [tensors[i] for i in judged]
        return cls(outputs, tensors, program, inputs, sizes, dtype, judged)

    def by(self, program: Program, dtype: npt.DTypeLike) -> Truth:
        """The same by another program of the same inputs, or for results in another dtype."""
        return Truth.evaluated(program, self.inputs, dtype, self.sizes, self.judged)

    def chosen(self, results: Sequence[Any]) -> list[Any]:
        """The outputs, and then the judged tensors, among all that an evaluator of the program gives."""
        values = len(self.outputs)
        if self.judged is None:
            return list(results)
        return [*results[:values], *(results[values + i] for i in self.judged)]

    @property
    def loss(self) -> bounds.Pair:
        """The loss of a network."""
        return self.outputs[0]

    @property
    def pairs(self) -> list[bounds.Pair]:
        """The outputs and the tensors."""
        return [*self.outputs, *self.tensors]

    @functools.cached_property
    def own(self) -> list[Array]:
        """Return how far each tensor of the reference, which is float64, may lie from the exact gradient."""
        at_hand = np.dtype(self.dtype) == np.float64
        return [bound for _, bound in (self if at_hand else self.by(self.program, np.float64)).tensors]

    @property
    def within_reach_of_balls(self) -> bool:
        """Tell whether certified balls take less than a second."""
        if not self.sizes:
            return sum(array.size for array in self.inputs) <= _BALL_ENTRIES
        batch, *widths = self.sizes.values()
        return batch * sum(math.prod(pair) for pair in itertools.pairwise(widths)) <= _BALL_PRODUCTS

    def certified(self, tensors: list[Array], enough: float, least_scale: float) -> list[float]:
        """Return how far each tensor lies at most from the exact gradient, in units of the exact one's largest entry.

        By certified balls, with more bits until each distance is at most ``enough``. Infinite where balls are out of
        reach. No scale is taken to be below ``least_scale``.
        """
        found = [math.inf] * len(tensors)
        if not self.within_reach_of_balls:
            return found
        for bits in _BALL_PRECISIONS:
            made = balls.evaluate_at_precision(self.program, self.inputs, self.sizes, bits)
            exact = self.chosen(made)[len(self.outputs) :]
            for i, (ball, tensor) in enumerate(zip(exact, tensors, strict=True)):
                scale = max(float(abs(balls.ball_middle(ball)).max(initial=0.0)), least_scale)
                share = float(balls.ball_distance(ball, tensor).max(initial=0.0)) / scale
                found[i] = share if share <= found[i] else found[i]
            if max(found) <= enough:
                break
        return found

    @property
    def gradient(self) -> Gradient:
        """The reference's values, float64, as a network's layers."""
        values = [value for value, _ in self.tensors]
        return [Layer(*pair) for pair in zip(values[::2], values[1::2], strict=True)]


def tensors_of(gradient: Gradient) -> list[Array]:
    """The gradient's tensors: weight, bias, weight, bias, ..."""
    return [tensor for layer in gradient for tensor in layer]
