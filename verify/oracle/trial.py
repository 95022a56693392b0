"""The one path of a run: search, other evaluators, a higher precision, fresh cases, an explanation, and a report."""

from __future__ import annotations

import functools
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Generic

from hypothesis.database import ExampleDatabase

from verify.case.case import PRACTICAL
from verify.case.runner import CaseSource
from verify.checks.adjudicate import adjudicate
from verify.checks.cross_check import XlaAhead, cross_check
from verify.checks.examine import answer_call, call_of
from verify.checks.finding import Finding, FindingExample, as_finding
from verify.checks.further_calls import FURTHER_CALLS
from verify.checks.questions import beside_truth
from verify.checks.random_rounding import RandomRounding, examine_with_random_rounding
from verify.checks.table import CHECKS
from verify.evaluate.budget import Budget
from verify.oracle.arguments import require_checks, require_counts, require_false_alarm, require_seconds
from verify.oracle.error_histogram import ErrorCounter
from verify.oracle.report import Report, options_drawn
from verify.oracle.search import C, Progress, Search, follow_up_of
from verify.oracle.time_alarm import TimeUp, alarm
from verify.reference.judge import VERDICTS, Judgement
from verify.subject.failed import Failed, NotCalled

# Seconds, at most, for each thing that is done about a failure once it is found, and for all of them together.
WITNESSING, COMPLETING, SETTLING, EXPLAINING = 2.0, 6.0, 4.0, 16.0

SEARCHING = 0.6
"""The part for the search, of the seconds that a run may take."""

PASSED_FIRST = 0.25
"""The part of the cases that pass before XLA is set to work beside the search: what fails mostly fails before."""

SURVEY = 15
"""Fresh cases a regime, in which what fails is tried once more."""


class Trial(ABC, Generic[C]):
    """A target, and what it is judged against: what a run needs to know of their kind.

    Parameters
    ----------
    target, spec
        What is judged, and what by: the Spec or JAX loss of a network, or the Reference of a layer.
    drawn
        What is drawn beside the regimes: arguments of the strategy of cases.
    seed
        The same seed draws the same cases.
    """

    follow_ups: Sequence[str]
    """The checks that need a call of their own."""

    regimes: Sequence[str]
    """Every regime that is drawn, in the order of a report."""

    def __init__(
        self, target: Any, spec: Any, drawn: Mapping[str, Any] = MappingProxyType({}), seed: int = 0
    ) -> None:
        self.target, self.spec, self.drawn, self.seed = target, spec, dict(drawn), seed

    @property
    @abstractmethod
    def judged_as(self) -> str:
        """The words of a report for the spec."""

    @property
    def options(self) -> Mapping[str, Any]:
        """The options that are drawn beside sizes and numbers: for each name the values to choose from."""
        return {}

    @abstractmethod
    def draw(self, regimes: Sequence[str]) -> CaseSource[C]:
        """Return what the cases of some regimes are drawn from.

        Raises
        ------
        ValueError
            When there are none.
        """

    def practical(self) -> list[C]:
        """Return cases of practical size, which are judged beside those that are drawn."""
        return []

    def suitable(self, regimes: Sequence[str]) -> Sequence[str]:
        """Return those of the regimes that are possible for the target."""
        return regimes

    def illustrated(self, finding: Finding) -> Finding:
        """Return a finding with what pictures of it need beside a larger case."""
        return finding

    @abstractmethod
    def explained(self, findings: list[Finding], budget: Budget | None = None) -> list[Finding]:
        """Return the findings with what explains them; as long as it takes, where there is no budget."""

    @abstractmethod
    def reproduction(self, finding: Finding) -> str:
        """Return the lines of Python that show a finding once more."""

    def examine(self, tier: RandomRounding | None, case: C, follow_up: str) -> Judgement:
        """Put one case, and one follow-up, to the target; raise Failed where it does not pass."""
        return examine_with_random_rounding(tier, self.target, self.spec, case, follow_up)

    def settled(self, finding: Finding, budget: Budget | None = None) -> Finding:
        """Return a finding about numbers with "wrong" and "imprecise" told apart by a higher precision."""
        settling = CHECKS[finding.check].turn or finding.check == "gradient"  # "rounding" is settled already
        if not settling or finding.judgement is None:
            return finding
        call = call_of(self.target, self.spec, finding.case)
        judgement = adjudicate(self.target, self.spec, call, finding.check, finding.judgement, budget)
        return replace(finding, verdict=judgement.verdict, judgement=judgement)

    def causes(self, findings: list[Finding]) -> list[Finding]:
        """Return the findings but those of a further call that fails as a first call too, as the gradient does."""
        wrong = any(finding.check == "gradient" for finding in findings)
        return [finding for finding in findings if not (wrong and self._fails_at_once(finding))]

    def _fails_at_once(self, finding: Finding) -> bool:
        if finding.check not in FURTHER_CALLS or finding.detail != CHECKS[finding.check].question:
            return False
        call = FURTHER_CALLS[finding.check](call_of(self.target, self.spec, finding.case))
        try:
            beside_truth("gradient", answer_call(self.target, self.spec, call))
        except NotCalled:
            return False
        except Failed as failure:
            return failure.check == "gradient"
        return False

    def examined(self, case: C, check: str) -> Finding | Judgement:
        """Put one case to the target for a check: what failed, its verdict settled; or the judgement."""
        try:
            return self.examine(tier_of(check), case, self.follow_up_for(check, case))
        except Failed as failure:
            return self.settled(as_finding(failure, case))

    def completed(
        self, finding: Finding, regimes: Sequence[str], errors: ErrorCounter, budget: Budget | None = None
    ) -> Finding:
        """Return a finding with the regimes that it fails in, tried on fresh cases, and the lines that reproduce it.

        The errors of the fresh cases are added to ``errors``.
        """
        budget = budget or Budget()
        put = functools.partial(self.examine, tier_of(finding.check))
        failing, larger = {}, None
        for regime in self.suitable(regimes):
            fresh: Search[C] = Search(put, SURVEY, errors=errors, budget=budget)
            follow_up = self.follow_up_for(finding.check, finding.case)
            tried, failed = fresh.survey(self.draw([regime]), self.seed, follow_up)
            failing[regime] = (failed, tried)
            larger = larger or fresh.largest
        finding = replace(
            finding,
            regimes=failing,
            larger=larger and FindingExample.of(*larger),
            reproduce=self.reproduction(finding),
        )
        return finding if budget.spent else self.illustrated(finding)

    def follow_up_for(self, check: str, case: Any) -> str:
        """Return the follow-up in whose turn a case fails a check: what fails at any call may need the case's own."""
        if check in self.follow_ups:
            return check
        return "gradient" if check == "rounding" else follow_up_of(case, self.follow_ups)

    def report(
        self,
        *,
        cases: int,
        regimes: Sequence[str],
        checks: Sequence[str],
        xla: int,
        certified: int,
        database: ExampleDatabase | None,
        progress: Progress | None,
        diagnose: bool,
        false_alarm: float,
        seconds: float | None,
    ) -> Report:
        """Judge the target: see `verify.check`, whose arguments and errors these are."""
        require_counts(cases=cases, seed=self.seed, xla=xla, certified=certified)
        require_false_alarm(false_alarm)
        require_seconds(seconds)
        require_checks(checks, self.follow_ups)
        source = self.draw(regimes)
        start = time.perf_counter()
        practical = self.practical() if false_alarm and set(regimes) == set(self.regimes) else []
        tier = RandomRounding(false_alarm, cases + len(practical)) if false_alarm else None
        run = Budget(math.inf if seconds is None else seconds)
        ahead = XlaAhead(self.spec)

        def progressed(judged: int, of: int) -> None:
            if judged >= PASSED_FIRST * of and not search.findings:
                ahead.begin(expected)
            if progress is not None:
                progress(judged, of)

        search: Search[C] = Search(
            functools.partial(self.examine, tier),
            cases,
            progressed,
            checks,
            budget=run.stage(SEARCHING * run.left),
        )
        expected: list[C] = search.expected_sample(source, self.seed, xla)
        findings: list[Finding] = []
        witnesses: dict[str, int] = {}
        left: list[str] = []
        interrupted = False
        try:
            search.run(source, self.seed, database)
            if not search.findings:
                search.run_also(practical)
            after = run.stage(EXPLAINING) if search.findings else run
            witnessing = after.stage(WITNESSING) if search.findings else run
            witnesses = cross_check(
                self.spec, search.sample(xla), search.sample(certified), witnessing, ahead
            )
            with alarm(run.left):
                settling = after.stage(SETTLING)
                findings = [self.settled(finding, settling) for finding in self.causes(search.findings)]
                completing = after.stage(COMPLETING)
                for i, finding in enumerate(findings):
                    # The first one's fresh cases are counted with the others.
                    errors = ErrorCounter() if i else search.errors
                    findings[i] = self.completed(finding, regimes, errors, completing)
                if diagnose:
                    findings = self.explained(findings, after)
        except (KeyboardInterrupt, TimeUp) as stop:
            interrupted = isinstance(stop, KeyboardInterrupt)
            findings = findings or search.findings
            if search.at_work is not None:
                waited, hangs = search.waited()
                what = f"a call that had not returned after {waited:.1f} s" if waited else "what was at work"
                left.append(f"{what}, on {search.at_work}")
                if hangs and not interrupted and not findings:
                    detail = f"the call did not return within {waited:.1f} s"
                    findings = [Finding("crashed", "runs", detail, search.at_work)]
            elif findings and not interrupted:
                left.append("what explains the failure: the time was up")
        finally:
            ahead.end()
        if search.budget.spent and not (findings or interrupted):
            practical_left = len(practical) - search.judged[PRACTICAL]
            if search.judged.total() < cases:
                left.append(f"{cases - search.judged.total()} of {cases} cases: the time was up")
            elif practical_left:
                left.append(f"{practical_left} of {len(practical)} cases of practical size: the time was up")
        return Report(
            target=self.target.name,
            spec=self.judged_as,
            cases=cases,
            seed=self.seed,
            judged={name: search.judged[name] for name in (*self.regimes, PRACTICAL) if search.judged[name]},
            inconclusive=dict(search.inconclusive),
            evaluators={"NumPy with bounds": search.judged.total(), **witnesses},
            closest=search.closest,
            precision=search.precision.summary(),
            random_rounding=search.banded.summary(false_alarm),
            findings=_worst_first(findings),
            seconds=time.perf_counter() - start,
            interrupted=interrupted,
            notes=(
                *self.target.notes,
                *options_drawn(self.options, search.put),
                *(f"at ties or kinks: {name} ({n} cases)" for name, n in search.choices.most_common()),
            ),
            left=(*sorted(search.left), *left),
            errors=search.errors.histograms(),
            nearest=search.nearest and FindingExample.of(*search.nearest),
        )


def tier_of(check: str) -> RandomRounding | None:
    """Return what a check of one case needs of random rounding."""
    return RandomRounding() if check == "rounding" else None


def _worst_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings from the worst on, one of each check and verdict."""
    ordered = sorted(findings, key=lambda finding: -VERDICTS.index(finding.verdict))
    return tuple({(finding.check, finding.verdict): finding for finding in reversed(ordered)}.values())[::-1]
