"""The second tier of a verdict: an answer beside what random rounding may do to it.

It is a model (`verify.evaluate.rounding`), and sharper than the worst case by orders of magnitude. What lies beyond its
band is looked into by calling the same code at a higher precision; the model alone calls nothing wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from verify.case.case import PRACTICAL, Call, Case
from verify.case.layers.case import LayerCase
from verify.checks.adjudicate import error_shrinks
from verify.checks.examine import examine_case, function_to_examine
from verify.checks.questions import require_within_bounds
from verify.evaluate import rounding
from verify.evaluate.array import Array
from verify.evaluate.bounds import Arithmetic, Pair
from verify.reference.derivative import traced_derivative
from verify.reference.judge import Banded, Judgement, judge, roots
from verify.reference.tensors import Tensor, tensor_names
from verify.reference.truth import SpecLike, sizes_of_inputs, tensors_of
from verify.subject.call import AnsweredCall, Failed, Recovered
from verify.subject.target import Target

FALSE_ALARM = 1e-12
"""The probability of a false alarm in a whole run, under the model, that is allowed unless asked otherwise."""

SPOT_CHECK = 16
"""One in so many cases is put beside its band although its bound says enough, or is for float64."""

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

        Below float64: where the bound says little, and at sizes of practice. Else now and then.
        """
        vague = case.regime == PRACTICAL or not max(judgement.allows, default=0.0) <= roots(case.dtype)[0]
        return (vague and case.dtype != "float64") or case.seed % SPOT_CHECK == 0

    def beside(self, answer: AnsweredCall) -> Banded:
        """An answer beside its band.

        A choice in doubt, such as the side of relu's kink, is taken as the reference takes it; an answer that is
        beyond that band is put beside the one that holds both sides.
        """
        truth = answer.truth
        sizes = sizes_of_inputs(truth.inputs)
        program, at = traced_derivative(answer.spec, sizes), Arithmetic.judging(truth.dtype, sizes)

        def bands(quantile: float, samples: int, either: bool) -> list[Pair]:
            pairs = rounding.evaluate_under_rounding(program, truth.inputs, at, quantile, samples, either)
            found = [(value, quantile * sigma) for value, sigma in pairs]
            if isinstance(answer.gradient, Recovered):
                errors = tensors_of(answer.gradient.error)
                found = [(value, band + error) for (value, band), error in zip(found, errors, strict=True)]
            return found

        return self.banded(bands, tensors_of(answer.gradient), answer.dtype)

    def banded(
        self,
        bands: Callable[[float, int, bool], list[Pair]],
        tensors: list[Array],
        dtype: str,
        names: Sequence[Tensor] | None = None,
    ) -> Banded:
        """Tensors beside ``bands(quantile, samples, either)``, which are pairs of a value and how far its band reaches.

        ``names`` as for `verify.reference.judge.judge`.
        """
        quantile, samples = self.quantile(sum(tensor.size for tensor in tensors))

        def beside(either: bool) -> Banded:
            pairs = bands(quantile, samples, either)
            found = judge(pairs, tensors, dtype, names=names)
            verdict = "beyond" if found.verdict == "wrong" else "in doubt" if either else "within"
            sigma = found.bound / quantile
            sigmas = found.error / sigma if sigma > 0 else math.inf if found.error > 0 else 0.0
            least = roots(np.dtype(dtype))[1]
            widths = tuple(
                float(band.max(initial=0.0)) / max(float(abs(value).max(initial=0.0)), least)
                for value, band in pairs
            )
            return Banded(verdict, found.tensor, found.index, sigmas, quantile, widths)

        as_reference = beside(either=False)
        return as_reference if as_reference.verdict == "within" else beside(either=True)


def examine_with_random_rounding(
    tier: RandomRounding | None, target: Target, spec: SpecLike, case: Case, follow_up: str = "gradient"
) -> Judgement:
    """Put one case to a gradient function, and its answer beside what random rounding may do to it.

    Raises
    ------
    Failed
        As `verify.checks.examine.examine_case`. Also ``wrong``, where an entry lies beyond its band and its error does
        not shrink at a higher precision; and ``inconclusive``, where it lies beyond and the code cannot be called at
        a higher precision.
    """
    judgement = examine_case(target, spec, case, follow_up)
    if tier is None or not tier.asks(case, judgement):
        return judgement
    call = Call(case)
    answer = AnsweredCall.of(target, spec, function_to_examine(target, "gradient"), call)
    require_within_bounds("repeat", answer.pairs, tensors_of(answer.gradient), answer.dtype)
    banded = tier.beside(answer)
    names = tensor_names(len(answer.gradient))
    return explained(
        judgement,
        banded,
        lambda: entry_of(banded, names, answer.pairs, tensors_of(answer.gradient)),
        lambda found: error_shrinks(target, spec, call, "gradient", found),
    )


def explained(
    judgement: Judgement,
    banded: Banded,
    entry: Callable[[], Judgement],
    shrinks: Callable[[Judgement], bool | None],
) -> Judgement:
    """A judgement with its place in the band; where that is beyond, the error must shrink at a higher precision.

    Parameters
    ----------
    judgement, banded
        The judgement by bounds, and the place in the band.
    entry
        The entry that is beyond it.
    shrinks
        Tells whether its error shrinks; None where that cannot be told.

    Raises
    ------
    Failed
        ``wrong``, where it does not shrink; ``inconclusive``, where that cannot be told.
    """
    if banded.verdict != "beyond":
        return replace(judgement, banded=banded)
    found = entry()
    shrunk = shrinks(found)
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


def entry_of(
    banded: Banded, names: Sequence[Tensor], pairs: Sequence[Pair], tensors: Sequence[Array]
) -> Judgement:
    """The entry that is beyond its band, with its bound in the worst case."""
    i = list(names).index(banded.tensor)
    (value, bound), tensor = pairs[i], tensors[i]
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
