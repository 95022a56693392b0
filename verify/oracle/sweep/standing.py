"""The standing of a sweep: how many cases were judged until now, with which verdicts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from verify.oracle.sweep.totals import VerdictTotals


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
    verdicts: dict[str, VerdictTotals]
    fresh: int
    workers: int | None

    @property
    def judged(self) -> int:
        """Return how many cases were judged, also by earlier runs."""
        return sum(map(sum, self.verdicts.values()))

    @property
    def all_regimes(self) -> VerdictTotals:
        """Return the verdicts of all regimes together."""
        return VerdictTotals(
            *(sum(counts) for counts in zip(VerdictTotals(0, 0, 0), *self.verdicts.values(), strict=True))
        )

    def table(self) -> list[str]:
        """Return a heading, a line for each regime, and one for all."""
        rows = [*self.verdicts.items(), ("all", self.all_regimes)]
        heading = f"{'':16}" + "".join(f"{name:>14}" for name in VerdictTotals._fields)
        return [heading, *(f"{name:16}" + "".join(f"{n:>14,}" for n in counts) for name, counts in rows)]


Watch = Callable[[Standing], None]
"""Called with the standing as a run begins, and after each shard."""
