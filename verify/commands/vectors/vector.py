"""A vector: one known gradient, with a bound for every entry, that ``abs(got - expected) <= bound`` judges by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mlp_ref.params import Layer
from verify.case.case import Case
from verify.commands.vectors.answer_bounds import answer_bounds
from verify.evaluate import balls
from verify.evaluate.array import Array
from verify.evaluate.balls.correct_rounding import correctly_rounded_tensors
from verify.reference.derivative import traced_derivative
from verify.reference.spec import Spec
from verify.reference.truth import Truth, tensors_of


@dataclass(frozen=True)
class Vector:
    """A vector: a known gradient.

    Attributes
    ----------
    spec, dtype, layer_sizes
        What it is the gradient of, the format of all its numbers, and the numbers of units, inputs first.
    params, expected, bound
        weight, bias, weight, bias, ..., as one flat array each; a bound is infinite where every answer passes.
    x, y
        (batch, n_in) and (batch, n_out).
    comment
        The regime, in words.
    flags
        Names of the mistakes of the catalogue that fail it, where its group is carried out in order.
    """

    spec: Spec
    dtype: str
    layer_sizes: tuple[int, ...]
    params: Array
    x: Array
    y: Array
    expected: Array
    bound: Array
    comment: str = ""
    flags: tuple[str, ...] = ()

    @property
    def group(self) -> tuple[Spec, str]:
        """Return what the vectors of one group have in common."""
        return self.spec, self.dtype

    @property
    def size(self) -> int:
        """Return how many numbers it has."""
        return 3 * self.params.size + self.x.size + self.y.size

    def layers(self, numbers: Array) -> list[Layer]:
        """A flat array like ``params`` as layers of copies."""
        found, at = [], 0
        for n_in, n_out in zip(self.layer_sizes, self.layer_sizes[1:], strict=False):
            weight = numbers[at : at + n_in * n_out].reshape(n_in, n_out)
            bias = numbers[at + n_in * n_out : at + (n_in + 1) * n_out]
            found.append(Layer(weight.copy(), bias.copy()))
            at += (n_in + 1) * n_out
        return found

    def accepts(self, gradient: Any) -> bool:
        """Tell whether a gradient has the shapes and dtype asked for, and every entry lies within its bound."""
        try:
            tensors = [np.asarray(tensor) for layer in gradient for tensor in layer]
        except (TypeError, ValueError):
            return False
        wanted = tensors_of(self.layers(self.expected))
        if [(t.shape, t.dtype) for t in tensors] != [(t.shape, t.dtype) for t in wanted]:
            return False
        got = np.concatenate([tensor.ravel() for tensor in tensors])
        with np.errstate(all="ignore"):
            within = abs(got - self.expected) <= self.bound
        return bool(np.all(within | np.isinf(self.bound)))


def vector_of_case(spec: Spec, case: Case, truth: Truth) -> Vector | None:
    """The vector of a case; None where the certified balls cannot be rounded without doubt."""
    expected = _expected(spec, case)
    if expected is None:
        return None
    bound = [answer_bounds(near, v, e) for near, (v, e) in zip(expected, truth.tensors, strict=True)]
    params, x, y, *_ = case.arrays()
    return Vector(
        spec,
        case.dtype,
        case.layer_sizes,
        _joined(tensors_of(params)),
        x,
        y,
        _joined(expected),
        _joined(bound),
        case.regime,
    )


def _joined(tensors: Sequence[Array]) -> Array:
    return np.concatenate([np.ravel(tensor) for tensor in tensors])


def _expected(spec: Spec, case: Case) -> list[Array] | None:
    program, inputs = traced_derivative(spec, case.sizes), case.inputs()
    return correctly_rounded_tensors(
        lambda bits: balls.evaluate_at_precision(program, inputs, case.sizes, bits)[1:], case.dtype
    )


def failed_vectors(vectors: Sequence[Vector], gradient: Callable[..., Any]) -> list[bool]:
    """Return which vectors of a group a gradient function fails: each called twice with the same arrays,
    judged at the end.

    No oracle takes part: this is what a reader of the files does in any language.
    """
    answers: list[tuple[Any, Any]] = []
    for each in vectors:
        given = each.layers(each.params), each.x.copy(), each.y.copy()
        try:
            with np.errstate(all="ignore"):
                answers.append((gradient(*given), gradient(*given)))
        except Exception:  # whatever it raises, it has no answer
            answers.append((None, None))
    return [
        not all(each.accepts(answer) for answer in pair) for each, pair in zip(vectors, answers, strict=True)
    ]


def flagged_vectors(vectors: Sequence[Vector], seen: Sequence[tuple[str, list[bool]]]) -> list[Vector]:
    """Vectors with the names of the mistakes that were seen to fail them."""
    return [
        replace(each, flags=tuple(dict.fromkeys(name for name, fails in seen if fails[i])))
        for i, each in enumerate(vectors)
    ]
