"""The state of one run of the conformance tests: the target, its options, and the findings so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest

from verify.case.case import REGIMES
from verify.case.cases import suitable_regimes
from verify.case.layers.values import REGIMES as LAYER_REGIMES
from verify.checks.finding import Finding
from verify.checks.table import CHECKS, FOLLOW_UPS, LAYER_CHECKS
from verify.oracle.backward import check_backward
from verify.oracle.check import check
from verify.oracle.report import Report
from verify.subject.layers.layer_options import layer_from_options, options_name_layer
from verify.subject.target_options import target_from_options


@dataclass
class ConformanceSession:
    """A target under test; what a search found is kept, since one search serves several checks."""

    target: Any
    arguments: dict[str, Any]
    cases: int
    found: dict[tuple[str, str], Report] = field(default_factory=dict)
    order: ClassVar[tuple[str, ...]] = tuple(CHECKS)

    @property
    def regimes(self) -> tuple[str, ...]:
        """The regimes that are possible for the target."""
        labels = self.arguments["labels"] or self.target.labels
        return suitable_regimes(
            self.arguments.get("regimes", tuple(REGIMES)), labels=labels, layers=self.target.layers
        )

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
        """Return what a search for failures of a check found in a regime, of this check or of another."""
        own = self._searched("gradient", regime)
        if own or check_name not in FOLLOW_UPS:
            return own  # what fails at its first call is asked for no second one
        return self._searched(check_name, regime)

    def _searched(self, follow_up: str, regime: str) -> tuple[Finding, ...]:
        if (follow_up, regime) not in self.found:
            options = {**self.arguments, "regimes": (regime,), "checks": (follow_up,)}
            # One explanation is enough: regimes mostly fail for the same reason.
            diagnose = not any(report.findings for report in self.found.values())
            report = self._report(cases=self.cases, xla=0, certified=0, diagnose=diagnose, **options)
            self.found[follow_up, regime] = report
        return self.found[follow_up, regime].findings

    def report_of(self, finding: Finding) -> Report:
        """The report that a finding is from."""
        return next(report for report in self.found.values() if any(f is finding for f in report.findings))

    def _report(self, **options: Any) -> Report:
        return check(self.target, **options)


class LayerConformanceSession(ConformanceSession):
    """A layer under test in a session of the conformance tests."""

    order = LAYER_CHECKS

    @property
    def regimes(self) -> tuple[str, ...]:
        """The regimes that are drawn."""
        return tuple(self.arguments.get("regimes", LAYER_REGIMES))

    @property
    def checks(self) -> tuple[str, ...]:
        """The checks that the target can be put to."""
        return LAYER_CHECKS

    def _report(self, **options: Any) -> Report:
        return check_backward(self.target, **options)


_KEY = pytest.StashKey[ConformanceSession]()


def prepare_session(config: pytest.Config) -> ConformanceSession:
    """Prepare a session: its ConformanceSession, made from the command line's options where it does not exist yet.

    Raises
    ------
    ValueError, TypeError
        When the target or an option cannot be used.
    """
    if _KEY not in config.stash:
        layer = options_name_layer(config.getoption("reference"))
        read, made = (
            (layer_from_options, LayerConformanceSession)
            if layer
            else (target_from_options, ConformanceSession)
        )
        target, arguments = read(config.getoption("target"), vars(config.option))
        config.stash[_KEY] = made(target, arguments, config.getoption("cases"))
    return config.stash[_KEY]
