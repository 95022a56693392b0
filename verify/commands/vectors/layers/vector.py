"""A vector of a layer: one known backward pass, with a bound for every entry of its gradients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from verify.case.layers.case import LayerCall, LayerCase
from verify.commands.vectors.answer_bounds import answer_bounds
from verify.evaluate import balls
from verify.evaluate.array import Array
from verify.evaluate.balls.correct_rounding import correctly_rounded_tensors
from verify.evaluate.decided_ties import decide_ties
from verify.evaluate.ties import tie_directions, tie_outcomes_towards, tied_operations
from verify.reference.layers import reference_in_table
from verify.reference.reference import Reference
from verify.reference.truth import Truth


class LayerVectorAnswer(NamedTuple):
    """The gradients of the differentiated inputs, in order, and the bound of every entry."""

    expected: tuple[Array, ...]
    bound: tuple[Array, ...]

    def accepts(self, gradients: Sequence[Any]) -> bool:
        """Tell whether gradients have the shapes and dtype asked for, and every entry lies within its bound."""
        try:
            tensors = [np.asarray(tensor) for tensor in gradients]
        except (TypeError, ValueError):
            return False
        wanted = [(tensor.shape, tensor.dtype) for tensor in self.expected]
        if [(tensor.shape, tensor.dtype) for tensor in tensors] != wanted:
            return False
        with np.errstate(all="ignore"):
            return all(
                bool(np.all((abs(got - expected) <= bound) | np.isinf(bound)))
                for got, expected, bound in zip(tensors, *self, strict=True)
            )


@dataclass(frozen=True)
class LayerVector:
    """A layer's vector: a known backward pass.

    Attributes
    ----------
    layer, dtype
        The name of the reference, and the format of all its floats.
    sizes
        Pairs (symbol, size) for the symbols of the reference's shapes.
    options
        Pairs (name, value): the keyword arguments of the reference.
    inputs
        All inputs of the reference, in order.
    cotangents
        The gradient of each output, that the backward pass is given.
    answers
        What is accepted: one answer, or where numbers tie one for each choice of a derivative, JAX's first.
    comment
        The regime, in words.
    flags
        Names of the mistakes that fail it.
    """

    layer: str
    dtype: str
    sizes: tuple[tuple[str, int], ...]
    options: tuple[tuple[str, Any], ...]
    inputs: tuple[Array, ...]
    cotangents: tuple[Array, ...]
    answers: tuple[LayerVectorAnswer, ...]
    comment: str = ""
    flags: tuple[str, ...] = ()

    @property
    def group(self) -> tuple[str, str]:
        """Return what the vectors of one group have in common."""
        return self.layer, self.dtype

    @property
    def reference(self) -> Reference:
        """Return what it is the backward pass of."""
        return reference_in_table(self.layer)

    @property
    def arrays(self) -> tuple[Array, ...]:
        """Return all its arrays, in the order in which the binary file has them."""
        answers = [array for answer in self.answers for part in answer for array in part]
        return (*self.inputs, *self.cotangents, *answers)

    @property
    def size(self) -> int:
        """Return how many numbers it has."""
        return sum(array.size for array in self.arrays)

    @property
    def says_something(self) -> bool:
        """Tell whether every expected value is finite, and some bound is."""
        expected, bounds = (
            np.concatenate([part.ravel() for answer in self.answers for part in answer[i]]) for i in (0, 1)
        )
        return bool(np.isfinite(expected).all() and np.isfinite(bounds).any())

    def accepts(self, gradients: Sequence[Any]) -> bool:
        """Tell whether gradients are one of the answers."""
        return any(answer.accepts(gradients) for answer in self.answers)


def layer_truths(reference: Reference, case: LayerCase) -> list[Truth]:
    """The reference's gradients for a case, with bounds: JAX's, and at ties each other choice that gives others."""
    setting, inputs = case.setting(reference), LayerCall(reference, case).inputs()
    truth = setting.truth(inputs, case.dtype)
    found, program = [truth], setting.backward.program
    ties = tied_operations(program, inputs)
    shapes = [np.shape(inputs[program.inputs.index(slot)]) for slot in program.differentiated]
    for _, direction in tie_directions(shapes) if ties else ():
        outcomes = tie_outcomes_towards(program, inputs, direction, ties)
        other = truth.by(decide_ties(program, ties, outcomes), case.dtype)
        if not any(_same(other, known) for known in found):
            found.append(other)
    return found


def _same(one: Truth, other: Truth) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(_flat(one.tensors), _flat(other.tensors), strict=True))


def _flat(pairs: Sequence[tuple[Array, Array]]) -> list[Array]:
    return [part for pair in pairs for part in pair]


def draft_layer_vector(reference: Reference, case: LayerCase, truths: Sequence[Truth]) -> LayerVector:
    """A layer's vector as it will be, with the reference's own values in place of certified ones, which take longer."""
    with np.errstate(over="ignore"):
        answers = [(truth, [value.astype(case.dtype) for value, _ in truth.tensors]) for truth in truths]
    return _made(reference, case, answers)


def layer_vector_of_case(
    reference: Reference, case: LayerCase, truths: Sequence[Truth]
) -> LayerVector | None:
    """A layer's vector of a case; None where the certified balls cannot be rounded without doubt."""
    answers = [(truth, found) for truth in truths if (found := _certain(truth)) is not None]
    return _made(reference, case, answers) if len(answers) == len(truths) else None


def _certain(truth: Truth) -> list[Array] | None:
    def at_precision(bits: int) -> list[Array]:
        tensors = balls.evaluate_at_precision(truth.program, truth.inputs, {}, bits)
        return truth.chosen(tensors)[len(truth.outputs) :]

    return correctly_rounded_tensors(at_precision, np.dtype(truth.dtype).name)


def _made(
    reference: Reference, case: LayerCase, answers: Sequence[tuple[Truth, Sequence[Array]]]
) -> LayerVector:
    arrays = case.arrays(reference)
    return LayerVector(
        reference.name,
        case.dtype,
        case.sizes,
        case.options,
        tuple(arrays.inputs.values()),
        tuple(arrays.cotangents),
        _merged(answers),
        case.regime,
    )


def _merged(answers: Sequence[tuple[Truth, Sequence[Array]]]) -> tuple[LayerVectorAnswer, ...]:
    """The answers, those of the same values as one, with the larger of their bounds."""
    found: list[LayerVectorAnswer] = []
    for truth, expected in answers:
        bound = [answer_bounds(near, *pair) for near, pair in zip(expected, truth.tensors, strict=True)]
        for i, known in enumerate(found):
            if all(np.array_equal(a, b) for a, b in zip(known.expected, expected, strict=True)):
                found[i] = LayerVectorAnswer(known.expected, tuple(map(np.maximum, known.bound, bound)))
                break
        else:
            found.append(LayerVectorAnswer(tuple(expected), tuple(bound)))
    return tuple(found)
