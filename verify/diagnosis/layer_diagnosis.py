"""Explain a wrong backward pass: find the mistakes whose wrong gradients it gives on every case that was observed.

A mistake is a wrong backward pass in JAX. Its program, evaluated with bounds, says how far any evaluation of the same
wrong formula may lie from it. A mistake is named where every entry of every observed gradient lies within these bounds,
and some entry is proved by them not to be the right one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from verify.case.layers.case import LayerCall, LayerCase
from verify.case.layers.cases import layer_cases
from verify.case.runner import drawn_cases
from verify.diagnosis.layer_mistake_program import layer_mistake_program
from verify.diagnosis.mistakes.layers import LAYER_CATALOGUE, LayerMistake
from verify.evaluate.bounds import Arithmetic, Pair, evaluate_with_bounds
from verify.evaluate.budget import Budget
from verify.evaluate.program import NoRule
from verify.reference.judge import judge, judged_ratios
from verify.reference.reference import Reference
from verify.subject.failed import Failed
from verify.subject.layers.answer import LayerAnswer
from verify.subject.layers.target import LayerTarget

UNTRIED = "not every mistake of the catalogue was tried: the time was up"
"""What is said where no mistake that was tried explains a failure, and not all were."""

CASES = 24
"""Cases that a mistake must explain, beside the one that was found."""


@dataclass(frozen=True)
class LayerDiagnosis:
    """The explanation of a wrong backward pass.

    Attributes
    ----------
    mistakes
        The names of the mistakes that give the same numbers on every observed case; empty where none does.
    text
        The same in words.
    """

    mistakes: tuple[str, ...]
    text: str


def explain_layer(
    target: LayerTarget, reference: Reference, case: LayerCase, seed: int = 0, budget: Budget | None = None
) -> LayerDiagnosis:
    """Look for the mistakes that explain a backward pass which fails on a case.

    Once a budget is spent, no further call is observed and no further mistake tried.
    """
    budget = budget or Budget()
    observed = _observed(target, reference, case, seed, budget.stage(budget.left / 2))
    if not any(_fails(call) for call in observed):
        return LayerDiagnosis((), "")
    specific = [mistake for mistake in LAYER_CATALOGUE if mistake.layers and mistake.counts(reference)]
    general = [mistake for mistake in LAYER_CATALOGUE if not mistake.layers]
    for mistakes in (specific, general):
        found = [mistake for mistake in mistakes if not budget.spent and _explains(mistake, observed)]
        if found:
            return LayerDiagnosis(tuple(mistake.name for mistake in found), _text(found, len(observed)))
    return LayerDiagnosis((), UNTRIED if budget.spent else "")


def _observed(
    target: LayerTarget, reference: Reference, case: LayerCase, seed: int, budget: Budget
) -> list[LayerAnswer]:
    """The calls on the case that failed, and on fresh ones of its kind; the case itself first."""
    regimes = tuple(dict.fromkeys((case.regime, "ordinary")))
    fresh = layer_cases(reference, regimes=regimes, dtypes=("float64",), layouts=("C",))
    calls: list[LayerAnswer] = []
    for one in (case, *drawn_cases(fresh, CASES, seed)):
        if calls and budget.spent:
            break
        call = LayerCall(reference, one, target.unit_cotangent)
        try:
            calls.append(LayerAnswer.of(target, reference, target.gradient, call))
        except Failed:  # no numbers to explain
            continue
    # What fails first: one such case refutes most mistakes.
    return sorted(calls, key=lambda call: not _fails(call))


def _judged(pairs: Sequence[Pair], call: LayerAnswer) -> bool:
    return judge(list(pairs), call.tensors, call.dtype, names=call.names).verdict != "wrong"


def _fails(call: LayerAnswer) -> bool:
    return not _judged(call.truth.tensors, call)


def _explains(mistake: LayerMistake, observed: Sequence[LayerAnswer]) -> bool:
    """Tell whether every observed gradient is the mistake's, and some observation shows that it is not the
    right one.
    """
    proved = False
    for call in observed:
        try:
            program = layer_mistake_program(mistake, call.call.setting)
        except (TypeError, ValueError, IndexError, NoRule):  # it cannot be made at these sizes
            return False
        pairs = evaluate_with_bounds(program, call.truth.inputs, Arithmetic.judging(call.dtype, {}))
        if not _judged(pairs, call):
            return False
        proved = proved or _apart(pairs, call.truth.tensors)
    return proved


def _apart(wrong: Sequence[Pair], right: Sequence[Pair]) -> bool:
    """Tell whether some entry cannot be both: the two lie farther apart than their bounds together."""
    for (a, ea), (b, eb) in zip(wrong, right, strict=True):
        with np.errstate(all="ignore"):
            if np.any(judged_ratios(np.asarray(abs(a - b)), np.asarray(ea + eb)) > 1):
                return True
    return False


def _text(found: Sequence[LayerMistake], calls: int) -> str:
    lines: list[str] = []
    for number, mistake in enumerate(found):
        if number:
            lines.append("or, the same numbers on every case tried:")
        lines += [
            f"mistake: {mistake.name}",
            f"  yours  {mistake.wrong}",
            f"  right  {mistake.right}",
            f"  {mistake.story}",
        ]
    lines.append(f"proof: {found[0].name} gives every entry of {calls} calls, within its bound")
    return "\n".join(lines)
