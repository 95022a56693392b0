"""The standing of a sweep: while it runs, and later, from its ledger."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from verify.oracle.sweep.ledger import SPLIT, Ledger
from verify.oracle.sweep.plan import Plan, Shard, differences, digest_of, plan_environment
from verify.oracle.sweep.totals import Totals, Verdicts

LATELY = 60.0
"""Seconds over which the speed of a sweep is told from its ledger."""


@dataclass(frozen=True)
class Standing:
    """The verdicts of a sweep until now, and who is at work on it.

    Attributes
    ----------
    cases
        How many are to be judged.
    verdicts
        Of each regime, how many cases were verified, inconclusive and failing until now.
    fresh
        How many cases were judged since this run of the sweep began; 0 as it begins.
    workers
        How many processes are at work; None where the executor does not tell.
    """

    cases: int
    verdicts: dict[str, Verdicts]
    fresh: int
    workers: int | None

    @property
    def judged(self) -> int:
        """Return how many cases were judged, also by earlier runs."""
        return sum(map(sum, self.verdicts.values()))

    @property
    def all_regimes(self) -> Verdicts:
        """Return the verdicts of all regimes together."""
        return Verdicts(
            *(sum(counts) for counts in zip(Verdicts(0, 0, 0), *self.verdicts.values(), strict=True))
        )

    def table(self) -> list[str]:
        """Return a heading, a line for each regime, and one for all."""
        rows = [*self.verdicts.items(), ("all", self.all_regimes)]
        heading = f"{'':16}" + "".join(f"{name:>14}" for name in Verdicts._fields)
        return [heading, *(f"{name:16}" + "".join(f"{n:>14,}" for n in counts) for name, counts in rows)]


Watch = Callable[[Standing], None]
"""Called with the standing as a run begins, and after each shard."""


@dataclass(frozen=True)
class Kept:
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


def kept(directory: str | Path) -> list[Kept]:
    """Return the sweeps of a ledger, whether or not one is at work on it, the last one that was worked on first.

    Raises
    ------
    ValueError
        Where there is no ledger, or it cannot be read.
    """
    with Ledger(directory, new=False) as book:
        return sorted((_kept(Plan.from_json(text), book) for text in book.plans()), key=lambda k: -k.last)


def _kept(plan: Plan, book: Ledger) -> Kept:
    totals, last, lately, now = Totals(), 0.0, 0, time.time()
    for shard, result in results(plan, book):
        totals.add(shard, result)
        committed = book.committed(shard.name(plan.environment))
        last = max(last, committed)
        lately += len(shard) if committed > now - LATELY else 0
    return Kept(
        plan,
        Standing(plan.cases, totals.verdicts(), 0, None),
        {" ".join(words): kind.cases for words, kind in totals.kinds.items()},
        last,
        lately,
        tuple(_changed(plan)),
    )


def results(plan: Plan, book: Ledger) -> Iterator[tuple[Shard, Any]]:
    """Yield each shard of a plan that has a result, with it; of one that was split, those of its parts."""
    for shard in plan.shards:
        yield from _results(shard, plan, book)


def _results(shard: Shard, plan: Plan, book: Ledger) -> Iterator[tuple[Shard, Any]]:
    result = book.get(shard.name(plan.environment))
    if result == SPLIT:
        for half in shard.halves():
            yield from _results(half, plan, book)
    elif result is not None:
        yield shard, result


def _changed(plan: Plan) -> list[str]:
    """Return in what the code and the versions here differ from those of a plan."""
    here = plan_environment()
    for job, _ in plan.jobs:
        try:
            here[job.where] = digest_of(job.where)
        except OSError:
            here[job.where] = "missing"
    return differences(here, {**plan.environment, **{job.where: job.code for job, _ in plan.jobs}})
