"""The sweeps that a ledger keeps: what each is to do, how far it has come, and whether the code has changed since."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from verify.oracle.sweep.digest import digest_of_target
from verify.oracle.sweep.ledger import Ledger, ledger_results
from verify.oracle.sweep.plan import Plan, plan_differences, plan_environment
from verify.oracle.sweep.standing import Standing
from verify.oracle.sweep.totals import Totals

LATELY = 60.0
"""Seconds over which the speed of a sweep is told from its ledger."""


@dataclass(frozen=True)
class KeptSweep:
    """A sweep that a ledger keeps the results of.

    Attributes
    ----------
    plan
        What it is to do.
    standing
        How far it has come.
    failures
        Of each kind ``"check verdict"``, how many cases failed.
    last
        When its last result was committed, in seconds since 1970.
    lately
        Cases judged in the last minute.
    others
        In what the code or the versions here differ from those that judged it: empty where the same command goes on.
    """

    plan: Plan
    standing: Standing
    failures: dict[str, int]
    last: float
    lately: int
    others: tuple[str, ...]

    def __str__(self) -> str:
        judged, cases = self.standing.judged, self.plan.cases
        lines = [
            f"{self.plan.target} as the gradient of {self.plan.spec}",
            f"  cases        {judged:,} of {cases:,} judged ({judged / cases:.1%}), seed {self.plan.seed}",
        ]
        if judged:
            said = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.last))
            lines.append(
                f"  last result  {said}; {self.lately / LATELY:,.0f} cases a second in the last minute"
            )
        kinds = ", ".join(f"{words} {n:,}" for words, n in self.failures.items())
        lines += [f"  failing      {kinds}  (check, verdict, cases)"] if kinds else []
        lines += [
            f"  {'judged by' if i == 0 else '':13}other code: {what}" for i, what in enumerate(self.others)
        ]
        return "\n".join([*lines, *(f"  {row}" for row in self.standing.table() if judged)])


def kept_sweeps(directory: str | Path) -> list[KeptSweep]:
    """Return the sweeps of a ledger, whether or not one is at work on it, the last one that was worked on first.

    Raises
    ------
    ValueError
        Where there is no ledger, or it cannot be read.
    """
    with Ledger(directory, new=False) as book:
        return sorted((_kept(Plan.from_json(text), book) for text in book.plans()), key=lambda k: -k.last)


def _kept(plan: Plan, book: Ledger) -> KeptSweep:
    totals, last, lately, now = Totals(), 0.0, 0, time.time()
    for shard, result in ledger_results(plan, book):
        totals.add(shard, result)
        committed = book.committed(shard.name(plan.environment))
        last = max(last, committed)
        lately += len(shard) if committed > now - LATELY else 0
    return KeptSweep(
        plan,
        Standing(plan.cases, totals.verdicts(), 0, None),
        {" ".join(words): kind.cases for words, kind in totals.kinds.items()},
        last,
        lately,
        tuple(_changed(plan)),
    )


def _changed(plan: Plan) -> list[str]:
    """Return in what the code and the versions here differ from those of a plan."""
    here = plan_environment()
    for job, _ in plan.jobs:
        try:
            here[job.where] = digest_of_target(job.where)
        except OSError:
            here[job.where] = "missing"
    return plan_differences(here, {**plan.environment, **{job.where: job.code for job, _ in plan.jobs}})
