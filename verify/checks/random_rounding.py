"""The second tier of a verdict: an answer beside what random rounding may do to it.

It is a model (`verify.evaluate.rounding`), and sharper than the worst case by orders of magnitude. What lies beyond its
band is looked into by calling the same code at a higher precision; the model alone calls nothing wrong.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from verify.case.case import PRACTICAL, Case
from verify.case.layers.case import LayerCase
from verify.checks.adjudicate import error_shrinks
from verify.checks.examine import AnyTarget, answer_case, examine_case, failures_say_the_question
from verify.checks.questions import beside_truth
from verify.evaluate import rounding
from verify.evaluate.bounds import Arithmetic
from verify.evaluate.program import NoRule
from verify.reference.judge import BandedJudgement, Judgement, judge, roots
from verify.reference.truth import Truth
from verify.subject.answered_call import widen_by_recovery
from verify.subject.failed import Failed
from verify.subject.layers.answer import Answer

FALSE_ALARM = 1e-12
"""The probability of a false alarm in a whole run, under the model, that is allowed unless asked otherwise."""

SPOT_CHECK = 16
"""One in so many cases is put beside its band although its bound is narrow enough, or is for float64."""

_MANY = 200_000
"""Entries of the gradient from which on half the samples must do."""


@dataclass(frozen=True)
class RandomRounding:
    """The bands of a run: their number of samples and their failure probability.

    Parameters
    ----------
    false_alarm
        The most, under the model, that the probability may be that rounding alone takes any entry of any case of
        the run beyond its band.
    cases
        How many answers the run may put beside their bands.
    """

    false_alarm: float = FALSE_ALARM
    cases: int = 1

    def quantile(self, entries: int) -> tuple[float, int]:
        """Return how many sigma the bands of an answer of so many entries reach, and the samples that sigma is
        taken from.
        """
        samples = rounding.SAMPLES if entries <= _MANY else rounding.SAMPLES // 2
        return rounding.band_quantile(self.false_alarm / (self.cases * entries), samples), samples

    def asks(self, case: Case | LayerCase, judgement: Judgement) -> bool:
        """Tell whether a case is put beside its band.

        Below float64: where the bound is too wide to show much, and at sizes of practice. Else one in `SPOT_CHECK`.
        """
        vague = case.regime == PRACTICAL or not max(judgement.allows, default=0.0) <= roots(case.dtype)[0]
        return (vague and case.dtype != "float64") or case.seed % SPOT_CHECK == 0

    def beside(self, answer: Answer, truth: Truth | None = None) -> BandedJudgement:
        """An answer beside its band: of its own truth, or of another one.

        A choice in doubt, such as the side of relu's kink, is taken as the reference takes it; an answer that is
        beyond that band is put beside the one that holds both sides.
        """
        truth = truth or answer.truth
        program, at = truth.program, Arithmetic.judging(truth.dtype, truth.sizes)
        quantile, samples = self.quantile(sum(tensor.size for tensor in answer.tensors))
        least = roots(np.dtype(answer.dtype))[1]

        def beside(either: bool) -> BandedJudgement:
            found = rounding.evaluate_under_rounding(program, truth.inputs, at, quantile, samples, either)
            if truth.judged is not None:
                found = [found[i] for i in truth.judged]
            pairs = widen_by_recovery([(value, quantile * sigma) for value, sigma in found], answer.gradient)
            worst = judge(pairs, answer.tensors, answer.dtype, names=answer.names)
            verdict = "beyond" if worst.verdict == "wrong" else "in doubt" if either else "within"
            sigma = worst.bound / quantile
            sigmas = worst.error / sigma if sigma > 0 else math.inf if worst.error > 0 else 0.0
            widths = tuple(
                float(band.max(initial=0.0)) / max(float(abs(value).max(initial=0.0)), least)
                for value, band in pairs
            )
            return BandedJudgement(verdict, worst.tensor, worst.index, sigmas, quantile, widths)

        as_reference = beside(either=False)
        return as_reference if as_reference.verdict == "within" else beside(either=True)


def examine_with_random_rounding(
    tier: RandomRounding | None,
    target: AnyTarget,
    spec: Any,
    case: Case | LayerCase,
    follow_up: str = "gradient",
) -> Judgement:
    """Put one case to a target, and its answer beside what random rounding may do to it.

    A gradient that is a mean of several choices at ties has no band. Where the model has no rule for an operation, the
    judgement says so.

    Raises
    ------
    Failed
        As `verify.checks.examine.examine_case`. Also ``wrong``, where an entry lies beyond its band and its error does
        not shrink at a higher precision; and ``inconclusive``, where it lies beyond and the code cannot be called at
        a higher precision.
    """
    judgement = examine_case(target, spec, case, follow_up)
    if tier is None or judgement.note or not tier.asks(case, judgement):
        return judgement
    answer = answer_case(target, spec, case)
    with failures_say_the_question():
        truth = beside_truth("repeat", answer)[1]
    if truth is None:
        return judgement
    try:
        banded = tier.beside(answer, truth)
    except NoRule as lacking:
        return replace(judgement, left=f"random rounding: {lacking}")
    if banded.verdict != "beyond":
        return replace(judgement, banded=banded)
    found = _entry(banded, answer, truth)
    shrunk = error_shrinks(target, spec, answer.call, found, truth)
    if shrunk:
        return replace(judgement, banded=replace(banded, verdict="rounding"))
    said = f"beyond random rounding: {banded.sigmas:.3g} sigma, where {banded.quantile:.3g} are allowed"
    if shrunk is None:
        detail = f"{said}; it is within the worst case, and cannot be called at a precision that would tell"
        raise Failed("rounding", "inconclusive", detail, replace(found, verdict="inconclusive"))
    detail = (
        f"{said}; it is within the worst case, but stays as it is at a higher precision: it is no rounding"
    )
    raise Failed("rounding", "wrong", detail, found)


def _entry(banded: BandedJudgement, answer: Answer, truth: Truth) -> Judgement:
    """The entry that is beyond its band, with its bound in the worst case."""
    i = list(answer.names).index(banded.tensor)
    (value, bound), tensor = widen_by_recovery(truth.tensors, answer.gradient)[i], answer.tensors[i]
    got, expected, allowed = (float(part[banded.index]) for part in (tensor, value, bound))
    error = abs(got - expected)
    return Judgement(
        verdict="wrong",
        tensor=banded.tensor,
        index=banded.index,
        error=error,
        bound=allowed,
        got=got,
        expected=expected,
        ratio=error / allowed,
        scale=float(np.max(abs(value), initial=0.0)),
        banded=banded,
    )
