"""A search at work: cases drawn, judged, and simplified by Hypothesis where they fail."""

from __future__ import annotations

import contextlib
import functools
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from hypothesis.database import ExampleDatabase

from verify.case.case import LAYOUTS, PRACTICAL, REGIMES, Case
from verify.case.chooser import CaseChooser
from verify.case.layers.case import LayerCase
from verify.case.runner import CaseSource, drawn_cases, search_cases
from verify.checks.finding import Finding, as_finding
from verify.checks.table import FOLLOW_UPS
from verify.evaluate.budget import Budget
from verify.oracle.error_histogram import ErrorCounter
from verify.oracle.precision import Precision
from verify.oracle.random_rounding_summary import RandomRoundingCounter
from verify.oracle.time_alarm import TimeUp, alarm
from verify.reference.judge import Judgement
from verify.subject.answered_call import CALL_TIMES
from verify.subject.failed import Failed, NotCalled

C = TypeVar("C", Case, LayerCase)
"""The kind of the cases that are drawn."""

T = TypeVar("T")

Progress = Callable[[int, int], None]
"""``progress(judged, cases)``, called after each case."""


SHRINKING = 4.0
"""Seconds, from the first failure, to search for more and to simplify them."""

HANGING = 10
"""A call that is broken off seems to hang once it took so many times as long as any before; slow is not wrong."""


class Search(Generic[C]):
    """A search for cases that one target fails: what it judged, and the simplest failing case of each kind.

    Parameters
    ----------
    examine
        ``examine(case, follow_up)`` puts one case to the target; it raises Failed where the target fails.
    cases
        How many cases to judge.
    progress
        Called after each.
    follow_ups
        The checks of which each case is given one.
    errors
        Where the errors are counted.
    budget
        Once it is spent, no further case is judged.
    """

    def __init__(
        self,
        examine: Callable[[C, str], Judgement],
        cases: int,
        progress: Progress | None = None,
        follow_ups: Sequence[str] = FOLLOW_UPS,
        errors: ErrorCounter | None = None,
        budget: Budget | None = None,
    ) -> None:
        self.budget = budget or Budget()
        self.at_work: C | None = None
        CALL_TIMES.began, CALL_TIMES.longest = None, 0.0
        self.examine: Callable[[C, str], Judgement] = examine
        self.cases, self.progress = cases, progress
        self.follow_ups = tuple(follow_ups)
        self.judged: Counter[str] = Counter()
        self.inconclusive: Counter[str] = Counter()
        self.closest: dict[str, float] = {}
        self.precision = Precision()
        self.banded = RandomRoundingCounter()
        self.errors = ErrorCounter() if errors is None else errors
        self.choices: Counter[str] = Counter()
        self.left: set[str] = set()
        self.nearest: tuple[C, Judgement] | None = None
        self.largest: tuple[C, Judgement] | None = None
        self.seen: list[C] = []
        self._simplest: dict[type[Failed], Finding] = {}
        self._failed: dict[C, Failed] = {}
        self._failures: dict[type[Failed], dict[C, Finding]] = {}

    @property
    def findings(self) -> list[Finding]:
        """The simplest failing case of each kind of failure."""
        return list(self._simplest.values())

    @property
    def put(self) -> list[C]:
        """The cases that were put to the target, those of practical size aside."""
        failed: list[C] = list(self._failed)
        return self.seen + failed

    def sample(self, n: int) -> list[C]:
        """Some of the judged cases: n, evenly spaced."""
        return _evenly_spaced(self.seen, n)

    def expected_sample(self, source: CaseSource[C], seed: int, n: int) -> list[C]:
        """The sample of a search in which no case fails; empty where Hypothesis draws the cases as it goes."""
        if not isinstance(source, CaseChooser):
            return []
        return [source.case(choices) for choices in _evenly_spaced(source.first(self.cases, seed), n)]

    def run(self, source: CaseSource[C], seed: int, database: ExampleDatabase | None = None) -> None:
        """Search, and shrink what fails."""

        def judge(case: C) -> None:
            self.judge(case, follow_up_of(case, self.follow_ups))

        try:
            # Hypothesis ends on the simplest case of each kind: a failure, or several in a group.
            with contextlib.suppress(Failed, ExceptionGroup), self._alarm():
                search_cases(source, judge, cases=self.cases, seed=seed, database=database)
        except (TimeUp, BaseExceptionGroup) as stop:
            if not isinstance(stop, TimeUp) and stop.subgroup(TimeUp) is None:
                raise
            if self.at_work is not None:  # a call was broken off
                raise
            self._simplest = {
                kind: found[min(found, key=_simplicity)] for kind, found in self._failures.items()
            }

    def survey(self, source: CaseSource[C], seed: int, follow_up: str) -> tuple[int, int]:
        """Try fresh cases without searching on: how many were tried, and how many failed."""
        tried = failed = 0
        for case in drawn_cases(source, self.cases, seed):
            if self.budget.spent:
                break
            try:
                judgement: Judgement | None = self.examine(case, follow_up)
                fails = False
            except NotCalled:
                break
            except Failed as failure:
                judgement, fails = failure.judgement, True
                failed += 1
            tried += 1
            if judgement is not None:
                self.errors.add(case.regime, case.dtype, judgement.entries)
                if fails and (self.largest is None or case.extent > self.largest[0].extent):
                    self.largest = case, judgement
        return tried, failed

    def run_also(self, cases: Sequence[C]) -> None:
        """Judge these cases too, up to the first that fails; it is not simplified."""
        try:
            with contextlib.suppress(Failed), self._alarm():
                for case in cases:
                    self.judge(case)
        except TimeUp:
            if self.at_work is not None:  # a call was broken off
                raise

    def waited(self) -> tuple[float, bool]:
        """Return for how many seconds the call that was broken off was waited for, and whether it seems to hang.

        No seconds where the search was not in a call.
        """
        if CALL_TIMES.began is None:
            return 0.0, False
        seconds = time.perf_counter() - CALL_TIMES.began
        return seconds, seconds > HANGING * CALL_TIMES.longest

    def _alarm(self) -> contextlib.AbstractContextManager[None]:
        """Breaks off a call that goes on after the budget is spent, and a quarter of it more."""
        return alarm(1.25 * self.budget.left, when=lambda: self.at_work is not None)

    def judge(self, case: C, follow_up: str = "gradient") -> None:
        """Judge one case; raise Failed, of a type of its own for each kind of failure, where it fails."""
        if self.budget.spent:
            raise TimeUp
        self.at_work = case
        try:
            judgement = self.examine(case, follow_up)
        except NotCalled:
            self.at_work = None
            if case in self._failed:  # it failed when it was still called
                raise self._failed[case] from None
            return
        except Failed as failure:
            kind = _kind(failure.check, failure.verdict)
            self.at_work = None
            if not self._simplest:
                self.budget = self.budget.stage(SHRINKING)
            self._simplest[kind] = as_finding(failure, case)
            self._failures.setdefault(kind, {})[case] = self._simplest[kind]
            failed = kind(failure.check, failure.verdict, failure.detail, failure.judgement)
            self._failed[case] = failed
            raise failed from failure.__cause__
        self.at_work = None
        self.judged[case.regime] += 1
        self.inconclusive[case.regime] += judgement.verdict == "inconclusive"
        kind_of_tensor = judgement.tensor.kind
        self.closest[kind_of_tensor] = max(self.closest.get(kind_of_tensor, 0.0), judgement.ratio)
        names = judgement.entries.names if judgement.entries else None
        if judgement.verdict == "verified":
            self.precision.add(case.dtype, judgement.right_to, names)
        if judgement.banded is not None:
            self.banded.add(case.dtype, judgement.banded, names)
        if judgement.choice:
            self.choices[judgement.choice] += 1
        if judgement.left:
            self.left.add(judgement.left)
        self.errors.add(case.regime, case.dtype, judgement.entries)
        if self.nearest is None or judgement.ratio > self.nearest[1].ratio:
            self.nearest = case, judgement
        if case.regime != PRACTICAL:  # balls would take minutes for these
            self.seen.append(case)
        if self.progress is not None:
            self.progress(min(self.judged.total(), self.cases), self.cases)


def _evenly_spaced(items: Sequence[T], n: int) -> list[T]:
    """Return n of some items, or all of them where there are fewer."""
    return list(items[:: max(1, len(items) // n)][:n]) if n else []


def _simplicity(case: Case | LayerCase) -> tuple[int, ...]:
    """Return how simple a case is: the smaller, the simpler."""
    if isinstance(case, LayerCase):
        return (sum(n for _, n in case.sizes),)
    regimes = [*REGIMES, PRACTICAL]
    regime = regimes.index(case.regime) if case.regime in regimes else len(regimes)
    return (
        regime,
        len(case.layer_sizes),
        sum(case.layer_sizes) + case.batch,
        LAYOUTS.index(case.layout),
    )


def follow_up_of(case: Case | LayerCase, follow_ups: Sequence[str] = FOLLOW_UPS) -> str:
    """The follow-up that a case is given: its seed chooses as well as a draw of its own would."""
    return follow_ups[case.seed % len(follow_ups)]


@functools.cache
def _kind(check: str, verdict: str) -> type[Failed]:
    """A type of failure: Hypothesis shrinks failures of different types apart."""
    return type(f"{check}_{verdict}", (Failed,), {})
