"""The score of a mistake: if it is caught, after how many cases, where, and what it is called."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import flint
import numpy as np

from verify.case.case import LABELS, Case
from verify.case.cases import cases as drawn_from
from verify.case.runner import run_cases
from verify.checks.random_rounding import RandomRounding, examine_with_random_rounding
from verify.diagnosis.diagnose import explain
from verify.diagnosis.mistakes import CATALOGUE, Mistake, wrong_gradient
from verify.evaluate import balls
from verify.oracle.search import follow_up_of
from verify.reference.derivative import traced_derivative
from verify.reference.spec import Spec
from verify.reference.tensors import layers_of_tensors
from verify.reference.truth import tensors_of
from verify.subject.call import Failed
from verify.subject.target import Target

CONFIGURATIONS = (
    Spec(),
    Spec("relu", "softmax", "squared_error"),
    Spec("tanh", "identity", "squared_error", "mean_all"),
    Spec("leaky_relu", "sigmoid", "binary_cross_entropy", "sum", l2=0.1),
    Spec("identity", "tanh", "squared_error", "half_mean"),
)
"""Where the catalogue is tried: between them, every hidden activation, every output and every kind of reduction."""


@dataclass(frozen=True)
class Score:
    """The score of the oracle on one wrong gradient.

    Attributes
    ----------
    mistakes, spec
        What was wrong with it, and what it should have been the gradient of.
    after
        How many cases it took to catch it; 0 where it was not caught.
    regime, check
        Where, and by which of ``verify.checks.table.CHECKS``.
    diagnosed
        What the diagnosis named.
    alternatives
        What else it could not tell from that.
    same
        Whether what it named makes the same gradient, in certified balls, as what was wrong: two names for it.
    seconds
        How long the diagnosis took.
    """

    mistakes: tuple[str, ...]
    spec: str
    after: int
    regime: str
    check: str
    diagnosed: tuple[str, ...]
    alternatives: tuple[tuple[str, ...], ...]
    same: bool
    seconds: float

    @property
    def caught(self) -> bool:
        """Tell whether some case showed it."""
        return self.after > 0

    @property
    def named(self) -> bool:
        """Tell whether the diagnosis named what was wrong, all of it, alone or first."""
        return self.same

    @property
    def misnamed(self) -> bool:
        """Tell whether the diagnosis named something that was not there, and what was there not even beside it."""
        added = set(self.diagnosed) - set(self.mistakes)
        beside = any(set(names) == set(self.mistakes) for names in self.alternatives)
        return bool(added) and not (self.same or beside)


def score_mistake(spec: Spec, *mistakes: Mistake, cases: int = 1000, seed: int = 0) -> Score:
    """Let the oracle search for, and explain, a gradient with these mistakes in it."""
    after, case, check = caught_after(spec, *mistakes, cases=cases, seed=seed)
    start = time.perf_counter()
    found = explain(wrong_gradient(spec, *mistakes), spec)
    names = tuple(mistake.name for mistake in mistakes)
    seconds = time.perf_counter() - start
    regime = case.regime if case else ""
    same = set(names) == set(found.mistakes)
    if found.mistakes and not same:
        found_by_name = [mistake for mistake in CATALOGUE if mistake.name in found.mistakes]
        same = bool(certified_equal(spec, mistakes, small_cases(spec), found_by_name))
    return Score(names, str(spec), after, regime, check, found.mistakes, found.alternatives, same, seconds)


class _Caught(Exception):
    """Ends the search."""


def caught_after(
    spec: Spec, *mistakes: Mistake, cases: int = 1000, seed: int = 0
) -> tuple[int, Case | None, str]:
    """Return how many cases the search of `verify.check` takes to catch it, by either tier.

    With the case, and the check that did.
    """
    target = Target(wrong_gradient(spec, *mistakes))
    tier = RandomRounding(cases=cases)
    tried = 0
    found: tuple[int, Case | None, str] = (0, None, "")

    def judge(case: Case) -> None:
        nonlocal tried, found
        if found[0]:
            raise _Caught  # Hypothesis repeats a case that fails; what draws at random may answer rightly then
        tried += 1
        try:
            examine_with_random_rounding(tier, target, spec, case, follow_up_of(case))
        except Failed as failure:
            found = tried, case, failure.check
            raise _Caught from failure

    with contextlib.suppress(_Caught):
        run_cases(drawn_from(spec), judge, cases=cases, seed=seed)
    return found


def small_cases(spec: Spec) -> list[Case]:
    """Cases on which gradients are compared in balls: unequal and equal widths, with and without hidden layers."""
    labels = LABELS[spec.targets][1]
    sizes = ((2, 3, 2), (3, 3), (3, 3, 3, 3), (4, 2, 3))
    return [Case(s, 1 + i, regime="soft_labels", labels=labels, seed=i) for i, s in enumerate(sizes)]


def certified_equal(
    spec: Spec, mistakes: Sequence[Mistake], cases: Sequence[Case], others: Sequence[Mistake] | None = None
) -> bool | None:
    """Tell whether mistakes make the right gradient (or that of others) on some cases, in balls; None where
    balls cannot.

    Every ball must meet the other, and both be so narrow that what they could still differ by is far below any
    rounding. Where the one raises, so must the other.
    """
    if any(mistake.state or "keep" in mistake.pieces for mistake in (*mistakes, *(others or ()))):
        return None
    for case in cases:
        with flint.ctx.workprec(192):
            wrong = _in_balls(spec, mistakes, case)
            if others is None:
                right: list[Any] | None = balls.evaluate_in_balls(
                    traced_derivative(spec, case.sizes), case.inputs(), case.sizes
                )[1:]
            else:
                right = _in_balls(spec, others, case)
            if wrong is None or right is None:
                if others is None:
                    return None
                if (wrong is None) != (right is None):
                    return False
                continue
            for made, true in zip(wrong, right, strict=True):
                if made.shape != true.shape or not all(map(_alike, made.flat, true.flat)):
                    return False
    return True


def _in_balls(spec: Spec, mistakes: Sequence[Mistake], case: Case) -> list[Any] | None:
    """The gradient that mistakes make, as arrays of balls; None where it cannot be made."""
    *params, x, y = (balls.exact_balls(array) for array in case.inputs())
    try:
        return tensors_of(wrong_gradient(spec, *mistakes)(layers_of_tensors(params), x, y))
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError):
        return None


def _alike(a: Any, b: Any) -> bool:
    difference = flint.arb(a) - flint.arb(b)
    return bool(difference.contains(0)) and float(difference.rad()) <= np.ldexp(1.0, -100)
