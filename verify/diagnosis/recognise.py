"""A wrong gradient that is right for something else: a multiple of the declared one, or another loss's.

What is said here has been judged like everything else: every entry of several cases within its bound.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from verify.case.case import Case, labels_of_case
from verify.checks.finding import Finding
from verify.evaluate.bounds import Pair
from verify.evaluate.budget import Budget
from verify.reference.judge import judge
from verify.reference.spec import HIDDEN, OUTPUT_LOSSES, REDUCTIONS, WEIGHTS, Spec
from verify.reference.truth import Gradient, SpecLike, Truth, tensors_of
from verify.subject.answered_call import as_gradient, call_function, widen_by_recovery
from verify.subject.failed import Failed
from verify.subject.target import Target

CONSTANTS = tuple(Fraction(n) for n in ("1", "2", "1/2", "4", "1/4"))
WIDTHS = ((5, 4, 3), (3, 6, 5), (6, 2, 4))
BATCHES = (7, 2, 9, 3)


@dataclass(frozen=True)
class RecognisedFactor:
    """A product of powers: ``constant * batch**b * n_out**o * n_in**i``."""

    constant: Fraction = Fraction(1)
    batch: int = 0
    n_out: int = 0
    n_in: int = 0

    def of(self, case: Case) -> float:
        """The value of the product for a case."""
        sizes = (case.batch, case.layer_sizes[-1], case.layer_sizes[0])
        powers = (self.batch, self.n_out, self.n_in)
        value = self.constant
        for size, power in zip(sizes, powers, strict=True):
            value *= Fraction(size) ** power
        return float(value)

    def __str__(self) -> str:
        """The product in words: ``batch * n_out``, ``1 / batch``, ``-1``, ``batch / 2``."""
        above: list[str] = []
        below: list[str] = []
        for number, place in ((abs(self.constant.numerator), above), (self.constant.denominator, below)):
            if number != 1:
                place.append(str(number))
        for name, power in (("batch", self.batch), ("n_out", self.n_out), ("n_in", self.n_in)):
            symbol = name if abs(power) == 1 else f"{name}^{abs(power)}"
            if power:
                (above if power > 0 else below).append(symbol)
        text = " * ".join(above) or "1"
        if below:
            text += " / " + (below[0] if len(below) == 1 else f"({' * '.join(below)})")
        return f"-{text}" if self.constant < 0 else text

    @property
    def complexity(self) -> int:
        """A measure of how simple the product is: the smaller are tried first."""
        powers = abs(self.batch) + abs(self.n_out) + 2 * abs(self.n_in)
        return 2 * powers + (abs(self.constant) != 1) + (self.constant < 0)


ONE = RecognisedFactor()
FACTORS = sorted(
    (
        RecognisedFactor(sign * constant, batch, n_out, n_in)
        for sign, constant, batch, n_out, n_in in itertools.product(
            (1, -1), CONSTANTS, (0, 1, -1, 2, -2), (0, 1, -1), (0, 1, -1)
        )
    ),
    key=lambda factor: factor.complexity,
)

# What each reduction makes of the sum over the rows.
REDUCTION_FACTORS = {
    name: RecognisedFactor(
        Fraction(1, 2) if name.startswith("half_") else Fraction(1),
        batch=0 if name.endswith("sum") else -1,
        n_out=-1 if name.endswith("mean_all") else 0,
    )
    for name in REDUCTIONS
}


def with_recognition(
    findings: Sequence[Finding], target: Target, spec: SpecLike, budget: Budget | None = None
) -> list[Finding]:
    """Findings, those about a gradient that is wrong with what it is instead, where that was recognised."""
    return [
        replace(finding, diagnosis=recognise(target, spec, budget))
        if (finding.check, finding.verdict) == ("gradient", "wrong")
        else finding
        for finding in findings
    ]


def recognise(target: Target, spec: SpecLike, budget: Budget | None = None) -> str:
    """Return what else a wrong gradient is exactly the gradient of, in a sentence or two; empty where nothing
    was found.
    """
    if not isinstance(spec, Spec):
        return ""
    try:
        seen = [(case, _gradient(target, case)) for case in _cases(target, spec)]
    except Failed:
        return ""
    for other in _family(spec, one_layer=target.layers == 1):
        if budget is not None and budget.spent:
            break
        factor = _factor(seen, other)
        if factor is not None and (other, factor) != (spec, ONE):
            return _sentence(spec, other, factor)
    return ""


def _cases(target: Target, spec: Spec) -> Iterator[Case]:
    """Ordinary cases of unequal sizes: of one depth first, so that most other losses are ruled out by one trace."""
    dtype = "float64" if "float64" in (target.dtypes or ("float64",)) else "float32"
    one_hot, soft = labels_of_case(spec.targets, target.labels)
    depth = target.layers or 2
    for i, (sizes, batch) in enumerate(zip(WIDTHS, BATCHES, strict=False)):
        labels = soft if i == 1 else one_hot
        inside = (sizes[1],) * (depth > 1) + (3,) * (depth - 2)
        case = Case((sizes[0], *inside, sizes[2]), batch, dtype, labels=labels, seed=i)
        yield replace(case, weights=spec.weighted)
    if target.layers is None:
        case = Case((3, 4), BATCHES[-1], dtype, labels=one_hot, seed=len(WIDTHS))
        yield replace(case, weights=spec.weighted)


def _gradient(target: Target, case: Case) -> Gradient:
    arrays = case.arrays()
    return as_gradient(call_function(target.gradient, arrays), arrays.params)


def _family(spec: Spec, one_layer: bool) -> Iterator[Spec]:
    """The declared one, and those that differ from it in one part: weights, penalty, reduction, output and loss, ..."""
    yield spec
    if spec.weighted:
        for weights, reduction in itertools.product(WEIGHTS, REDUCTIONS):
            yield replace(spec, weights=weights, reduction=reduction)
    if spec.l2:
        for l2, reduction in itertools.product((spec.l2, 0.0), REDUCTIONS):
            yield replace(spec, l2=l2, reduction=reduction)
    for output, loss in OUTPUT_LOSSES:
        yield replace(spec, output=output, loss=loss)
    if not one_layer:
        for hidden in HIDDEN:
            yield replace(spec, hidden=hidden)


def _factor(seen: list[tuple[Case, Gradient]], spec: Spec) -> RecognisedFactor | None:
    """The factor by which every tensor of every case differs from a spec's gradient; None where there is none."""
    possible: list[RecognisedFactor] = []
    for number, (case, gradient) in enumerate(seen):
        truth = Truth.of(spec, case.inputs(), case.dtype)
        low, high = _ratio(widen_by_recovery(truth.tensors, gradient), gradient)
        if number == 0:
            some = (
                Fraction((low + high) / 2).limit_denominator(1000) if np.isfinite(low + high) else Fraction(0)
            )
            possible = [*FACTORS, RecognisedFactor(some)]
        possible = [factor for factor in possible if low <= factor.of(case) <= high]
        possible = [
            factor for factor in possible if _is_multiple(gradient, truth, factor.of(case), case.dtype)
        ]
        if not possible:
            return None
    return possible[0]


def _ratio(truth: list[Pair], gradient: Gradient) -> tuple[float, float]:
    """The numbers between which the factor lies, by the entry that is known best."""
    values, bounds = (np.concatenate([np.ravel(pair[i]) for pair in truth]) for i in range(2))
    found = np.concatenate([np.ravel(tensor).astype(np.float64) for tensor in tensors_of(gradient)])
    with np.errstate(all="ignore"):
        doubt = np.where(values != 0, bounds / abs(values), np.inf)
        i = int(np.argmin(doubt))
        ratio = float(found[i] / values[i])
    room = 4 * abs(ratio) * float(doubt[i])
    return ratio - room, ratio + room


def _is_multiple(gradient: Gradient, truth: Truth, factor: float, dtype: str) -> bool:
    """Tell whether every entry is the factor times the truth: within as many bounds, and two roundings by the
    factor.
    """
    u = float(np.finfo(np.dtype(dtype).type).eps)
    pairs = [
        (factor * v, abs(factor) * (e + 2 * u * (abs(v) + e)))
        for v, e in widen_by_recovery(truth.tensors, gradient)
    ]
    return judge(pairs, tensors_of(gradient), dtype).verdict == "verified"


def _sentence(declared: Spec, other: Spec, factor: RecognisedFactor) -> str:
    """Return what was recognised, beside what was declared."""
    own = REDUCTION_FACTORS[other.reduction]
    named = [name for name, candidate in REDUCTION_FACTORS.items() if _quotient(candidate, own) == factor]
    lines = []
    if other == declared:
        lines.append(f"every tensor is {factor} times what it must be")
    if named:
        lines.append(f"this is exactly the gradient of {replace(other, reduction=named[0])}")
    elif other != declared:
        lines.append(f"this is exactly {factor} times the gradient of {other}")
    if len(lines) > (other == declared):
        lines.append(f"you declared {declared}")
    return "\n".join(lines)


def _quotient(a: RecognisedFactor, b: RecognisedFactor) -> RecognisedFactor:
    return RecognisedFactor(a.constant / b.constant, a.batch - b.batch, a.n_out - b.n_out, a.n_in - b.n_in)
