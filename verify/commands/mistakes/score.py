"""The score of a mistake: if it is caught, after how many cases, where, and what it is called."""

from __future__ import annotations

import time
from dataclasses import dataclass

from verify.case.case import Case
from verify.case.cases import case_chooser
from verify.case.runner import drawn_cases
from verify.checks.random_rounding import RandomRounding, examine_with_random_rounding
from verify.commands.mistakes.certified_equal import certified_equal, small_cases
from verify.diagnosis.diagnose import explain
from verify.diagnosis.mistakes import CATALOGUE, Mistake, wrong_gradient
from verify.oracle.search import follow_up_of
from verify.reference.spec import Spec
from verify.subject.failed import Failed
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
    after, case, check = cases_until_caught(spec, *mistakes, cases=cases, seed=seed)
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


def cases_until_caught(
    spec: Spec, *mistakes: Mistake, cases: int = 1000, seed: int = 0
) -> tuple[int, Case | None, str]:
    """Return how many cases the search of `verify.check` takes to catch it, by either tier.

    With the case, and the check that did.
    """
    target = Target(wrong_gradient(spec, *mistakes))
    tier = RandomRounding(cases=cases)
    for tried, case in enumerate(drawn_cases(case_chooser(spec), cases, seed), start=1):
        try:
            examine_with_random_rounding(tier, target, spec, case, follow_up_of(case))
        except Failed as failure:
            return tried, case, failure.check
    return 0, None, ""
