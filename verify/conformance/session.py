"""What one run of the conformance tests knows: the target, what it is judged on, and what was found so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from verify.case.draw import suited
from verify.case.recipe import REGIMES
from verify.checks.finding import Finding
from verify.checks.table import CHECKS, FOLLOW_UPS
from verify.oracle.check import check
from verify.oracle.report import Report
from verify.subject.options import judged
from verify.subject.target import Target


@dataclass
class Conformance:
    """A target under test; what a search found is kept, since one search serves several checks."""

    target: Target
    arguments: dict[str, Any]
    cases: int
    found: dict[tuple[str, str], Report] = field(default_factory=dict)

    @property
    def regimes(self) -> tuple[str, ...]:
        """The regimes that are possible for the target."""
        labels = self.arguments["labels"] or self.target.labels
        return suited(self.arguments.get("regimes", tuple(REGIMES)), labels=labels, layers=self.target.layers)

    @property
    def checks(self) -> tuple[str, ...]:
        """The checks that the target can be put to."""
        given = {"loss": self.arguments["loss"], "forward": self.arguments["forward"]}
        return tuple(
            name
            for name, check in CHECKS.items()
            if not check.needs or getattr(self.target, check.needs) or given.get(check.needs)
        )

    def findings(self, check_name: str, regime: str) -> tuple[Finding, ...]:
        """What a search for failures of a check found in a regime, of this check or of another."""
        own = self._searched("gradient", regime)
        if own or check_name not in FOLLOW_UPS:
            return own  # what fails at its first call is asked for no second one
        return self._searched(check_name, regime)

    def _searched(self, follow_up: str, regime: str) -> tuple[Finding, ...]:
        if (follow_up, regime) not in self.found:
            options = {**self.arguments, "regimes": (regime,), "checks": (follow_up,)}
            # One explanation is enough: regimes mostly fail for the same reason.
            diagnose = not any(report.findings for report in self.found.values())
            report = check(self.target, cases=self.cases, xla=0, certified=0, diagnose=diagnose, **options)
            self.found[follow_up, regime] = report
        return self.found[follow_up, regime].findings

    def report_of(self, finding: Finding) -> Report:
        """The report that a finding is from."""
        return next(report for report in self.found.values() if any(f is finding for f in report.findings))


_KEY = pytest.StashKey[Conformance]()


def prepared(config: pytest.Config) -> Conformance:
    """The session's Conformance, made from the command line's options where it does not exist yet.

    Raises
    ------
    ValueError, TypeError
        When the target or an option cannot be used.
    """
    if _KEY not in config.stash:
        target, arguments = judged(config.getoption("target"), vars(config.option))
        config.stash[_KEY] = Conformance(target, arguments, config.getoption("cases"))  # type: ignore[arg-type]
    return config.stash[_KEY]
