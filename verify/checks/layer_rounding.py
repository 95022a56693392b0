"""A layer's gradient beside what random rounding may do to it: see `verify.checks.random_rounding`."""

from __future__ import annotations

from collections.abc import Callable

from verify.case.layers.case import LayerCase
from verify.checks.layer_cross_check import shrinks_in_layer
from verify.checks.layers import (
    Choices,
    call_layer,
    examine_layer_case,
    layer_beside_truth,
    layer_tensor_names,
)
from verify.checks.random_rounding import RandomRounding, entry_of, explained
from verify.evaluate import rounding
from verify.evaluate.bounds import Arithmetic, Pair
from verify.evaluate.program import NoRule
from verify.reference.backward import LayerTruth, Reference
from verify.reference.judge import Judgement
from verify.subject.layers.target import LayerTarget


def layer_examined_with(
    tier: RandomRounding | None,
    target: LayerTarget,
    reference: Reference,
    case: LayerCase,
    follow_up: str = "gradient",
    choices: Choices | None = None,
    left: set[str] | None = None,
) -> Judgement:
    """Put one case to a backward pass, and its answer beside what random rounding may do to it.

    A gradient that is a mean of several choices at ties has no band. Where the model has no rule for an operation, what
    it lacks is added to ``left``.

    Raises
    ------
    Failed
        As `verify.checks.layers.examine_layer_case`, and as `verify.checks.random_rounding.explained`.
    """
    judgement = examine_layer_case(target, reference, case, follow_up, choices)
    if tier is None or judgement.note or not tier.asks(case, judgement):
        return judgement
    call = call_layer(target, target.run, reference, case)
    _, truth = layer_beside_truth(call, "repeat")
    if truth is None:
        return judgement
    names = layer_tensor_names(reference)
    try:
        banded = tier.banded(_bands(truth), call.gradient, case.dtype, names)
    except NoRule as lacking:
        if left is not None:
            left.add(f"random rounding: {lacking}")
        return judgement
    return explained(
        judgement,
        banded,
        lambda: entry_of(banded, names, truth.gradient, call.gradient),
        lambda found: shrinks_in_layer(target, truth, case, found),
    )


def _bands(truth: LayerTruth) -> Callable[[float, int, bool], list[Pair]]:
    """The bands of the judged tensors."""
    setting, at = truth.setting, Arithmetic.judging(truth.dtype, {})

    def bands(quantile: float, samples: int, either: bool) -> list[Pair]:
        pairs = rounding.evaluate_under_rounding(truth.program, truth.inputs, at, quantile, samples, either)
        return [(value, quantile * sigma) for value, sigma in (pairs[i] for i in setting.judged)]

    return bands
