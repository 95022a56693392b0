"""check(): a search for a case that a gradient fails, and a report of what it found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from hypothesis.database import ExampleDatabase

from verify.case.case import DTYPES, LAYOUTS, REGIMES, Case
from verify.case.cases import case_chooser, suitable_regimes
from verify.case.chooser import CaseChooser
from verify.case.practical import practical_cases
from verify.checks.finding import Finding, FindingExample
from verify.checks.random_rounding import FALSE_ALARM
from verify.checks.row_shares import find_row_shares
from verify.checks.table import FOLLOW_UPS
from verify.diagnosis.diagnose import with_diagnosis
from verify.diagnosis.recognise import with_recognition
from verify.diagnosis.reproduce import reproduction
from verify.evaluate.budget import Budget
from verify.oracle.report import Report
from verify.oracle.search import Progress
from verify.oracle.trial import Trial, tier_of
from verify.reference.judge import Judgement
from verify.reference.spec import Spec
from verify.reference.truth import SpecLike
from verify.subject.failed import Failed, NotCalled
from verify.subject.load import Judged, as_target

__all__ = ["Progress", "check", "examine"]

RECOGNISING, DIAGNOSING = 4.0, 10.0
"""Seconds, at most, to recognise what a wrong gradient is, and to find the mistakes that explain it."""


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
    drawn = {
        "dtypes": dtypes or target.dtypes or DTYPES,
        "labels": labels or target.labels,
        "layers": target.layers,
        "layouts": layouts,
    }
    return NetworkTrial(target, spec, drawn, seed).report(
        cases=cases,
        regimes=regimes,
        checks=checks,
        xla=xla,
        certified=certified,
        database=database,
        progress=progress,
        diagnose=diagnose,
        false_alarm=false_alarm,
        seconds=seconds,
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
    return NetworkTrial(target, spec).examined(case, check)


class NetworkTrial(Trial[Case]):
    """A gradient function, and the Spec or JAX loss of the network that it is judged by."""

    follow_ups = FOLLOW_UPS
    regimes = tuple(REGIMES)

    @property
    def judged_as(self) -> str:
        """The Spec, or the name of the user's loss."""
        return (
            str(self.spec) if isinstance(self.spec, Spec) else getattr(self.spec, "__name__", repr(self.spec))
        )

    def draw(self, regimes: Sequence[str]) -> CaseChooser[Case]:
        """Return what chooses the cases of some regimes: see `verify.cases`."""
        return case_chooser(self.spec, regimes=regimes, **self.drawn)

    def practical(self) -> list[Case]:
        """Return networks of practical size."""
        taken = {name: value for name, value in self.drawn.items() if name != "layouts"}
        return practical_cases(self.spec, self.seed, **taken)

    def suitable(self, regimes: Sequence[str]) -> Sequence[str]:
        """Return those of the regimes that are possible with the target's labels and layers."""
        return suitable_regimes(regimes, labels=self.drawn.get("labels") or "rows", layers=self.target.layers)

    def illustrated(self, finding: Finding) -> Finding:
        """Return a finding with a case of equal widths, and how much of each row of its batch is in the gradient."""
        case, larger = finding.case, finding.larger
        assert isinstance(case, Case)
        if finding.judgement is None:
            return finding
        some = larger.case.layer_sizes[:4] if larger and isinstance(larger.case, Case) else case.layer_sizes
        alike = self._of_equal_widths(finding, self.target.layers + 1 if self.target.layers else len(some))
        if alike is None:
            return finding
        if larger is None or larger.case.extent <= case.extent:
            larger = FindingExample.of(*alike)
        entries = alike[1].entries
        return replace(finding, larger=larger, rows=entries and find_row_shares(self.spec, alike[0], entries))

    def _of_equal_widths(self, finding: Finding, depth: int) -> tuple[Case, Judgement] | None:
        """A failing case of so many widths, all equal: a transposed gradient fits in no other."""
        assert isinstance(finding.case, Case)
        alike = replace(finding.case, layer_sizes=(12,) * depth, batch=6, regime="ordinary")
        try:
            self.examine(tier_of(finding.check), alike, self.follow_up_for(finding.check, alike))
        except NotCalled:
            return None
        except Failed as failure:
            return (alike, failure.judgement) if failure.judgement is not None else None
        return None

    def explained(self, findings: list[Finding], budget: Budget | None = None) -> list[Finding]:
        """Return the findings with what they recognise, and with the mistakes that explain the worst of them."""
        findings = with_recognition(findings, self.target, self.spec, budget and budget.stage(RECOGNISING))
        diagnosing = budget and budget.stage(DIAGNOSING)
        return with_diagnosis(findings, self.target, self.spec, self.drawn.get("labels"), diagnosing)

    def reproduction(self, finding: Finding) -> str:
        """Return the lines of Python that show a finding once more."""
        assert isinstance(finding.case, Case)
        return reproduction(self.target, self.spec, finding.case, finding.check)
