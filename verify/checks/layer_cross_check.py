"""Other evaluators of a layer's case: XLA and balls test the oracle, a higher precision tests the judged code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
import numpy.typing as npt

from verify.case.layers.case import LayerCase
from verify.case.layers.values import LayerArrays
from verify.checks.adjudicate import adjudicate_calls, shrinking
from verify.checks.cross_check import Disagreement
from verify.checks.layers import (
    layer_arguments,
    layer_output_names,
    layer_program_inputs,
    layer_tensor_names,
    next_layer_case,
)
from verify.evaluate import balls, xla
from verify.evaluate.array import Array
from verify.evaluate.program import Program
from verify.reference.backward import LARGEST_BY_BALLS, LayerTruth, Reference
from verify.reference.judge import Judgement, judge, ratios
from verify.subject.layers.reading import read_layer_gradient, read_layer_outputs
from verify.subject.layers.target import LayerTarget


def cross_check_layer(
    reference: Reference, by_xla: Sequence[LayerCase], by_balls: Sequence[LayerCase]
) -> dict[str, int]:
    """Let XLA carry out some cases, and certified balls others; returns how many each ran.

    Raises
    ------
    Disagreement
        When one of them contradicts the NumPy evaluator.
    """
    for case in by_xla:
        worst_xla_error(reference, case)
    for case in by_balls:
        worst_certified_error(reference, case)
    return {"XLA": len(by_xla), "certified balls": len(by_balls)}


def worst_xla_error(reference: Reference, case: LayerCase) -> float:
    """Run the vector-Jacobian product through XLA in the case's dtype; its worst error in units of the bound."""
    setting, arrays = case.setting(reference), case.arrays(reference)
    truth = setting.truth(layer_program_inputs(setting, arrays), case.dtype)
    cotangent = setting.cotangent(arrays.cotangents)
    results = setting.chosen(
        xla.evaluate_backward_by_xla(setting.backward, tuple(arrays.inputs.values()), cotangent)
    )
    names = [*layer_output_names(len(truth.outputs)), *layer_tensor_names(reference)]
    judgement = judge([*truth.outputs, *truth.gradient], results, case.dtype, names=names)
    if judgement.verdict == "wrong":
        raise Disagreement(f"XLA and the NumPy evaluator differ on {case}: {judgement}")
    return judgement.ratio


def worst_certified_error(reference: Reference, case: LayerCase) -> float:
    """Compare the NumPy evaluator with certified balls; its worst error in units of the bound."""
    setting = case.setting(reference)
    inputs = layer_program_inputs(setting, case.arrays(reference))
    truth = setting.truth(inputs, case.dtype)
    certain = setting.chosen(balls.evaluate_certified(setting.backward.program, inputs, {}, case.dtype))
    worst = 0.0
    for ball, (value, bound) in zip(certain, [*truth.outputs, *truth.gradient], strict=True):
        worst = max(worst, float(np.max(ratios(balls.distance(ball, value), bound), initial=0.0)))
    if not worst <= 1:
        raise Disagreement(f"a certified entry lies {worst:.3g} bounds from the NumPy evaluator's on {case}")
    return worst


ADJUDICATED = ("forward", "gradient", "repeat", "second_call")
"""The checks that are about numbers: "wrong" and "imprecise" are told apart by a higher precision."""


def adjudicate_layer(
    target: LayerTarget, reference: Reference, case: LayerCase, check: str, judgement: Judgement
) -> Judgement:
    """A judgement of "wrong", turned into "imprecise" where the error shrinks with the unit roundoff.

    As `verify.checks.adjudicate`, of one tensor of the gradient or of the outputs, by the calls that ``check`` makes.
    """
    again, certified = _recomputed(target, reference, case, check, judgement)
    return adjudicate_calls(judgement, case.dtype, again, certified)


def shrinks_in_layer(
    target: LayerTarget, truth: LayerTruth, case: LayerCase, judgement: Judgement
) -> bool | None:
    """Tell if an error of a gradient, beside this truth, shrinks with the unit roundoff.

    None where that cannot be told: the code cannot run at a higher precision, or balls would take too long.
    """
    if sum(array.size for array in truth.inputs) > LARGEST_BY_BALLS:
        return None
    again, certified = _recomputed(
        target, truth.setting.reference, case, "gradient", judgement, truth.program
    )

    def distances(arrays: list[Array], dtype: np.dtype[Any]) -> list[float]:
        exact = certified(dtype)
        return [float(balls.distance(exact, array).max(initial=0.0)) for array in arrays]

    return shrinking(judgement, case.dtype, again, distances)


def _recomputed(
    target: LayerTarget,
    reference: Reference,
    case: LayerCase,
    check: str,
    judgement: Judgement,
    program: Program | None = None,
) -> tuple[Callable[[np.dtype[Any]], Array | None], Callable[[np.dtype[Any]], Any]]:
    """The ways in which the tensor in question is computed again in another dtype, and the certified balls of it.

    ``program`` gives the latter; not given, it is the reference's.
    """
    setting = case.setting(reference)
    names = layer_output_names(len(setting.outputs)) if check == "forward" else layer_tensor_names(reference)
    i = names.index(judgement.tensor)
    last = next_layer_case(case) if check == "second_call" else case

    def results(dtype: np.dtype[Any]) -> list[Array]:
        """The tensors that the check judges: one, or those of each pass where it makes several of the same numbers."""
        run = target.run if check in ("gradient", "forward") or target.session is None else target.session()
        found = []
        for one in (case, last) if check in ("repeat", "second_call") else (case,):
            arrays = _widen(layer_arguments(target, reference, one), dtype)
            returned = run(arrays.inputs, setting.options, arrays.cotangents)
            if check == "forward":
                assert returned.outputs is not None
                return [np.array(read_layer_outputs(returned.outputs, setting)[i], dtype=dtype)]
            passes = [returned.gradient]
            if check == "repeat" and returned.again is not None:
                passes.append(returned.again())
            found += [np.array(read_layer_gradient(result, setting, str(dtype))[i]) for result in passes]
        return found if check == "repeat" else found[-1:]

    def again(dtype: np.dtype[Any]) -> Array | None:
        """The tensor of another call, the farthest where there are several; None where the call fails."""
        try:
            with np.errstate(all="ignore"):
                arrays = results(dtype)
                errors = [abs(float(array[judgement.index]) - judgement.expected) for array in arrays]
                return arrays[int(np.argmax(errors))]  # NaN counts as the farthest
        except Exception:  # whatever it raises, it cannot run like this
            return None

    def certified(dtype: np.dtype[Any]) -> Any:
        inputs = layer_program_inputs(setting, layer_arguments(target, reference, last))
        certain = balls.evaluate_certified(program or setting.backward.program, inputs, {}, dtype)
        return setting.chosen(certain)[i if check == "forward" else len(setting.outputs) + i]

    return again, certified


def _widen(arrays: LayerArrays, dtype: npt.DTypeLike) -> LayerArrays:
    """The same numbers in another float dtype; integers as they are."""

    def convert(leaf: Any) -> Any:
        return leaf.copy() if leaf.dtype.kind in "iu" else leaf.astype(dtype)

    return LayerArrays(
        {name: jax.tree.map(convert, tree) for name, tree in arrays.inputs.items()},
        [convert(cotangent) for cotangent in arrays.cotangents],
    )
