"""Witnesses about a layer's case: XLA and balls about the oracle, a higher precision about the judged code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
import numpy.typing as npt

from verify.case.layers.case import LayerCase
from verify.case.layers.values import LayerArrays
from verify.checks.adjudicate import adjudicate_calls
from verify.checks.cross_check import Disagreement
from verify.checks.layers import layer_arguments, layer_output_names, layer_program_inputs, layer_tensor_names
from verify.evaluate import balls, xla
from verify.reference.backward import Reference
from verify.reference.judge import Judgement, judge, ratios
from verify.subject.layers.reading import read_gradient, read_outputs
from verify.subject.layers.target import LayerTarget

Array = npt.NDArray[Any]


def cross_check_layer(
    reference: Reference, by_xla: Sequence[LayerCase], by_balls: Sequence[LayerCase]
) -> dict[str, int]:
    """Let XLA carry out some cases, and certified balls others; returns how many each ran.

    Raises
    ------
    Disagreement
        When a witness contradicts the NumPy evaluator.
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
    certain = setting.chosen(balls.certified(setting.backward.program, inputs, {}, case.dtype))
    worst = 0.0
    for ball, (value, bound) in zip(certain, [*truth.outputs, *truth.gradient], strict=True):
        worst = max(worst, float(np.max(ratios(balls.distance(ball, value), bound), initial=0.0)))
    if not worst <= 1:
        raise Disagreement(f"a certified entry lies {worst:.3g} bounds from the NumPy evaluator's on {case}")
    return worst


def adjudicate_layer(
    target: LayerTarget, reference: Reference, case: LayerCase, check: str, judgement: Judgement
) -> Judgement:
    """A judgement of "wrong", turned into "imprecise" where the error shrinks with the unit roundoff.

    As `verify.checks.adjudicate`, of one tensor of the gradient or of the outputs.
    """
    setting = case.setting(reference)
    names = layer_output_names(len(setting.outputs)) if check == "forward" else layer_tensor_names(reference)
    i = names.index(judgement.tensor)

    def again(dtype: np.dtype[Any]) -> Array | None:
        """The tensor in question, of another call; None where that fails, or gives another dtype or shape."""
        arrays = _widen(layer_arguments(target, reference, case), dtype)
        run = target.run
        try:
            with np.errstate(all="ignore"):
                returned = run(arrays.inputs, setting.options, arrays.cotangents)
                if check == "forward":
                    assert returned.outputs is not None
                    return np.array(read_outputs(returned.outputs, setting)[i], dtype=dtype)
                return np.array(read_gradient(returned.gradient, setting, str(dtype))[i])
        except Exception:  # whatever it raises, it cannot run like this
            return None

    def certified(dtype: np.dtype[Any]) -> Any:
        inputs = layer_program_inputs(setting, layer_arguments(target, reference, case))
        certain = setting.chosen(balls.certified(setting.backward.program, inputs, {}, dtype))
        return certain[i if check == "forward" else len(setting.outputs) + i]

    return adjudicate_calls(judgement, case.dtype, again, certified)


def _widen(arrays: LayerArrays, dtype: npt.DTypeLike) -> LayerArrays:
    """The same numbers in another float dtype; integers as they are."""

    def convert(leaf: Any) -> Any:
        return leaf.copy() if leaf.dtype.kind in "iu" else leaf.astype(dtype)

    return LayerArrays(
        {name: jax.tree.map(convert, tree) for name, tree in arrays.inputs.items()},
        [convert(cotangent) for cotangent in arrays.cotangents],
    )
