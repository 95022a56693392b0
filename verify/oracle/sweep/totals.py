"""Sums over what the shards of a sweep showed: the same in whatever order they were judged."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

from verify.case.case import REGIMES, Case
from verify.checks.finding import Finding
from verify.diagnosis.reproduce import reproduction
from verify.oracle.sweep.plan import Shard
from verify.subject.load import as_target, load


class VerdictTotals(NamedTuple):
    """Totals of cases: verified, inconclusive and failing."""

    verified: int
    inconclusive: int
    failing: int


class FailureTotal:
    """The total of the failures of one kind: the first, and how many."""

    def __init__(self, shard: Shard, failure: dict[str, Any]) -> None:
        fields = failure["first"]
        self.shard, self.choices, self.detail, self.cases = shard, failure["choices"], failure["detail"], 0
        self.case = Case(**{**fields, "layer_sizes": tuple(fields["layer_sizes"])})

    def bare(self, check: str, verdict: str) -> Finding:
        """Return the finding as it was first seen, neither simplified nor diagnosed."""
        target = as_target(load(self.shard.job.where), spec=self.shard.job.spec)
        lines = reproduction(target, target.judged_as(self.shard.job.spec), self.case, check)
        return Finding(verdict, check, f"{self.detail} ({self._counted()})", self.case, reproduce=lines)

    def _counted(self) -> str:
        return f"{self.cases:,} case{'s' if self.cases > 1 else ''} of the sweep"


class Totals:
    """Sums over the results of shards."""

    def __init__(self) -> None:
        self.judged: Counter[str] = Counter()
        self.inconclusive: Counter[str] = Counter()
        self.failing: Counter[str] = Counter()
        self.closest: dict[str, float] = {}
        self.kinds: dict[tuple[str, str], FailureTotal] = {}

    def add(self, shard: Shard, result: dict[str, Any]) -> None:
        """Add what a shard showed; of each kind of failure, the first one that was added is kept."""
        self.judged.update(result["judged"])
        self.inconclusive.update(result["inconclusive"])
        self.failing.update(result["failing"])
        for kind_of_tensor, ratio in result["closest"].items():
            self.closest[kind_of_tensor] = max(self.closest.get(kind_of_tensor, 0.0), ratio)
        for words, failure in result["failures"].items():
            check, verdict = words.split()
            kind = self.kinds.setdefault((check, verdict), FailureTotal(shard, failure))
            kind.cases += failure["cases"]

    def verdicts(self) -> dict[str, VerdictTotals]:
        """Return the verdicts of each regime that was judged."""
        return {
            regime: VerdictTotals(
                self.judged[regime] - self.inconclusive[regime] - self.failing[regime],
                self.inconclusive[regime],
                self.failing[regime],
            )
            for regime in REGIMES
            if self.judged[regime]
        }
