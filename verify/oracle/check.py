"""check(): a search for a case that a gradient fails, and a report of what it found."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.database import ExampleDatabase

from verify.case.case import DTYPES, LAYOUTS, PRACTICAL, REGIMES, Call, Case
from verify.case.cases import cases as drawn_cases
from verify.case.cases import suitable_regimes
from verify.case.practical import practical_cases
from verify.checks.adjudicate import adjudicate
from verify.checks.cross_check import cross_check
from verify.checks.finding import Finding, FindingExample, as_finding
from verify.checks.random_rounding import FALSE_ALARM, RandomRounding, examine_with_random_rounding
from verify.checks.row_shares import find_row_shares
from verify.checks.table import CHECKS, FOLLOW_UPS
from verify.diagnosis.diagnose import with_diagnosis
from verify.diagnosis.recognise import with_recognition
from verify.diagnosis.reproduce import reproduction
from verify.evaluate.budget import Budget
from verify.oracle.arguments import require_checks, require_counts, require_false_alarm
from verify.oracle.error_histogram import ErrorCounter
from verify.oracle.report import Report
from verify.oracle.search import Progress, Search
from verify.oracle.time_alarm import TimeUp, alarm
from verify.reference.judge import VERDICTS, Judgement
from verify.reference.spec import Spec
from verify.reference.truth import SpecLike
from verify.subject.call import Failed, NotCalled
from verify.subject.load import Judged, as_target
from verify.subject.target import Target

__all__ = ["Progress", "check", "examine"]

# Seconds, at most, for each thing that is done about a failure once it is found, and for all of them together.
WITNESSING, COMPLETING, SETTLING, RECOGNISING, DIAGNOSING = 2.0, 6.0, 4.0, 4.0, 10.0
EXPLAINING = 16.0

SEARCHING = 0.6
"""The part for the search, of the seconds that a run may take."""

SURVEY = 15
"""Fresh cases a regime, in which a failing gradient is tried once more."""


def check(
    gradient: Judged,
    spec: SpecLike | None = None,
    *,
    cases: int = 1000,
    seed: int = 0,
    dtypes: Sequence[str] | None = None,
    regimes: Sequence[str] = tuple(REGIMES),
    layouts: Sequence[str] = LAYOUTS,
    labels: str | None = None,
    checks: Sequence[str] = FOLLOW_UPS,
    loss: Callable[..., Any] | None = None,
    forward: Callable[..., Any] | None = None,
    xla: int = 2,
    certified: int = 4,
    database: ExampleDatabase | None = None,
    progress: Progress | None = None,
    diagnose: bool = True,
    false_alarm: float = FALSE_ALARM,
    seconds: float | None = None,
) -> Report:
    """Judge a hand-written gradient: JAX's derivative, with a derived bound for every entry, decides.

    Parameters
    ----------
    gradient
        ``gradient(params, x, y) -> [(dweight, dbias), ...]``, a Target, or what `verify.adapt` returns. ``params``
        is a list of ``Layer(weight, bias)``, weight (n_in, n_out), bias (n_out,); x is (batch, n_in); y is
        (batch, n_out).
    spec
        What it is the gradient of: a Spec, or any JAX function ``loss(params, x, y) -> scalar``. Not given: the
        target's own, where it has one, else the default Spec.
    cases
        How many cases to judge. The search ends earlier where the gradient fails.
    seed
        The same seed draws the same cases.
    dtypes, regimes, layouts, labels
        What is drawn: see `verify.cases`. Not given: what the target takes.
    checks
        Which of ``verify.checks.table.FOLLOW_UPS`` to make; each case is given one.
    loss, forward
        The user's own ``loss(params, x, y) -> float`` and ``forward(params, x) -> (batch, n_out)``, the outputs
        after the output activation; judged too where given.
    xla, certified
        How many of the cases are also carried out by XLA, and in certified balls, to show that the NumPy
        evaluator speaks for JAX and that its bounds hold.
    database
        A Hypothesis example database that remembers failures; none is used when not given.
    progress
        Called with (judged, cases) after each case.
    diagnose
        Whether to look for what explains a failure.
    false_alarm
        The most, under the model of random rounding, that the probability may be that rounding alone takes any entry
        of the run beyond its band. 0: that model is not asked, and no networks of practical size are judged.
    seconds
        Judge no further case after about so many; a call that has not returned by then is broken off, where the
        system has timers and this is the main thread. Not given: as long as the cases take.

    Returns
    -------
    Report
        ``report.ok``, ``report.verdict``, ``report.findings``, ``str(report)``, ``report.to_json()``.

    Raises
    ------
    TypeError, ValueError
        When an argument is not usable, or a user's JAX loss is not scalar or uses a primitive without a rule.
    """
    target = as_target(gradient, loss, forward, spec)
    spec = target.judged_as(spec)
    if not isinstance(spec, Spec) and not callable(spec):
        raise TypeError(
            f"spec must be a Spec or a JAX function loss(params, x, y); got {type(spec).__name__}"
        )
    require_counts(cases=cases, seed=seed, xla=xla, certified=certified)
    require_false_alarm(false_alarm)
    number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
    if seconds is not None and not (number and seconds > 0):
        raise ValueError(f"seconds must be a positive number, or None; got {seconds!r}")
    require_checks(checks, FOLLOW_UPS)
    taken: dict[str, Any] = {
        "dtypes": dtypes or target.dtypes or DTYPES,
        "labels": labels or target.labels,
        "layers": target.layers,
    }
    draw = functools.partial(drawn_cases, spec, layouts=layouts, **taken)
    strategy = draw(regimes=regimes)
    start = time.perf_counter()
    practical = practical_cases(spec, seed, **taken) if false_alarm and set(regimes) == set(REGIMES) else []
    tier = RandomRounding(false_alarm, cases + len(practical)) if false_alarm else None
    run = Budget(math.inf if seconds is None else seconds)
    examine = functools.partial(examine_with_random_rounding, tier, target, spec)
    search = Search(examine, cases, progress, checks, budget=run.stage(SEARCHING * run.left))
    findings: list[Finding] = []
    witnesses: dict[str, int] = {}
    interrupted, left = False, []
    try:
        search.run(strategy, seed, database)
        if not search.findings:
            search.run_also(practical)
        after = run.stage(EXPLAINING) if search.findings else run
        witnessing = after.stage(WITNESSING) if search.findings else run
        witnesses = cross_check(spec, search.sample(xla), search.sample(certified), witnessing)
        with alarm(run.left):
            settling = after.stage(SETTLING)
            findings = [_settle(target, spec, finding, settling) for finding in search.findings]
            completing = after.stage(COMPLETING)
            for i, finding in enumerate(findings):  # the first one's fresh cases are counted with the others
                errors = ErrorCounter() if i else search.errors
                findings[i] = _surveyed(target, spec, finding, draw, regimes, seed, errors, completing)
            if diagnose:
                findings = with_recognition(findings, target, spec, after.stage(RECOGNISING))
                findings = with_diagnosis(findings, target, spec, labels, after.stage(DIAGNOSING))
    except (KeyboardInterrupt, TimeUp) as stop:
        interrupted = isinstance(stop, KeyboardInterrupt)
        findings = findings or search.findings
        if search.at_work is not None:
            waited = time.perf_counter() - search.began
            left.append(f"a call that had not returned after {waited:.1f} s, on {search.at_work}")
            if not interrupted and not findings:
                detail = f"the call did not return within {waited:.1f} s"
                findings = [Finding("crashed", "runs", detail, search.at_work)]
        elif findings and not interrupted:
            left.append("what explains the failure: the time was up")
    if search.judged.total() < cases and not (findings or interrupted):
        left.append(f"{cases - search.judged.total()} of {cases} cases: the time was up")
    findings.sort(key=lambda finding: -VERDICTS.index(finding.verdict))
    findings = list({(finding.check, finding.verdict): finding for finding in reversed(findings)}.values())[
        ::-1
    ]
    return Report(
        target=target.name,
        spec=str(spec) if isinstance(spec, Spec) else getattr(spec, "__name__", repr(spec)),
        cases=cases,
        seed=seed,
        judged={name: search.judged[name] for name in (*REGIMES, PRACTICAL) if search.judged[name]},
        inconclusive=dict(search.inconclusive),
        evaluators={"NumPy with bounds": search.judged.total(), **witnesses},
        closest=search.closest,
        precision=search.precision.summary(),
        random_rounding=search.banded.summary(false_alarm),
        findings=tuple(findings),
        seconds=time.perf_counter() - start,
        interrupted=interrupted,
        notes=target.notes,
        left=tuple(left),
        errors=search.errors.histograms(),
        nearest=search.nearest and FindingExample.of(*search.nearest),
    )


def examine(
    gradient: Judged, case: Case, spec: SpecLike | None = None, check: str = "gradient"
) -> Finding | Judgement:
    """Put one case to a gradient: what a Finding's ``reproduce`` calls.

    Parameters
    ----------
    gradient, spec
        As in `check`.
    case
        The case.
    check
        One of ``verify.checks.table.CHECKS``.

    Returns
    -------
    Finding or Judgement
        What failed; or, where nothing did, the entry that came closest to its bound.
    """
    target = as_target(gradient, spec=spec)
    spec = target.judged_as(spec)
    try:
        tier = RandomRounding() if check == "rounding" else None
        return examine_with_random_rounding(
            tier, target, spec, case, check if check in FOLLOW_UPS else "gradient"
        )
    except Failed as failure:
        return _settle(target, spec, as_finding(failure, case))


def _settle(target: Target, spec: SpecLike, finding: Finding, budget: Budget | None = None) -> Finding:
    """A finding about numbers, with "wrong" and "imprecise" told apart by a higher precision."""
    about_numbers = CHECKS[finding.check].turn or finding.check == "gradient"  # "rounding" is settled already
    if not about_numbers or finding.judgement is None:
        return finding
    assert isinstance(finding.case, Case)
    judgement = adjudicate(target, spec, Call(finding.case), finding.check, finding.judgement, budget)
    return replace(finding, verdict=judgement.verdict, judgement=judgement)


def complete_finding(
    target: Target,
    spec: SpecLike,
    finding: Finding,
    draw: functools.partial[st.SearchStrategy[Case]],
    regimes: Sequence[str],
    seed: int,
    errors: ErrorCounter | None = None,
) -> Finding:
    """Return a finding with its verdict settled, the regimes that it fails in, and the lines that reproduce it.

    The errors of the fresh cases that show those regimes are added to ``errors``.
    """
    finding = _settle(target, spec, finding)
    return _surveyed(target, spec, finding, draw, regimes, seed, errors, Budget())


def _of_equal_widths(
    examine: Callable[[Case, str], Judgement], case: Case, depth: int, follow_up: str
) -> tuple[Case, Judgement] | None:
    """A failing case of so many widths, all equal: a transposed gradient fits in no other."""
    alike = replace(case, layer_sizes=(12,) * depth, batch=6, regime="ordinary")
    try:
        examine(alike, follow_up)
    except NotCalled:
        return None
    except Failed as failure:
        return (alike, failure.judgement) if failure.judgement is not None else None
    return None


def _surveyed(
    target: Target,
    spec: SpecLike,
    finding: Finding,
    draw: functools.partial[st.SearchStrategy[Case]],
    regimes: Sequence[str],
    seed: int,
    errors: ErrorCounter | None,
    budget: Budget,
) -> Finding:
    """A finding with the regimes that it fails in, tried on fresh cases, and the lines that reproduce it."""
    case = finding.case
    assert isinstance(case, Case)
    follow_up = finding.check if finding.check in FOLLOW_UPS else "gradient"
    tier = RandomRounding() if finding.check == "rounding" else None
    failing, larger = {}, None
    for regime in suitable_regimes(
        regimes, labels=draw.keywords.get("labels") or "rows", layers=target.layers
    ):
        fresh = Search(
            functools.partial(examine_with_random_rounding, tier, target, spec),
            SURVEY,
            errors=errors,
            budget=budget,
        )
        tried, failed = fresh.survey(draw(regimes=[regime]), seed, follow_up)
        failing[regime] = (failed, tried)
        larger = larger or fresh.largest
    alike = None
    if finding.judgement is not None and not budget.spent:
        some = case.layer_sizes if larger is None else larger[0].layer_sizes[:4]
        depth = target.layers + 1 if target.layers else len(some)
        examine = functools.partial(examine_with_random_rounding, tier, target, spec)
        alike = _of_equal_widths(examine, case, depth, follow_up)
    if larger is None or larger[0].extent <= case.extent:
        larger = alike or larger
    return replace(
        finding,
        regimes=failing,
        larger=larger and FindingExample.of(*larger),
        rows=alike and alike[1].entries and find_row_shares(spec, alike[0], alike[1].entries),
        reproduce=reproduction(target, spec, case, finding.check),
    )
