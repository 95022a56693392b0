"""Turns and rounds: how times are taken so that a ratio of two of them means something.

A machine's speed drifts, and what else it does comes and goes. So no peer is measured alone: in each round each has
one turn, in random order, and a ratio is formed within the round. What is reported is the median of the rounds'
ratios, with quartiles.
"""

from __future__ import annotations

import math
import random
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


class _Timed(Protocol):
    """A peer that can be asked for ``("seconds", samples, calls, untimed)``."""

    def ask(self, verb: str, *arguments: int) -> float:
        """Seconds a call, the median of the samples."""


@dataclass(frozen=True)
class MeasuredSpread:
    """A median with its quartiles."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> MeasuredSpread:
        """The quartiles of some values, by linear interpolation between them."""
        if len(values) == 1:
            return cls(values[0], values[0], values[0])
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(median, low, high)


@dataclass(frozen=True)
class Effort:
    """The effort of a measurement: seconds and numbers of turns.

    Parameters
    ----------
    seconds
        What the rounds of one cell should take together.
    fewest, most
        Rounds.
    turn
        Seconds that a turn should take, where a call takes less.
    sample
        Seconds that a sample should take, where a call takes less: far longer than the clock's tick, and shorter
        than the slices of time that a busy system deals out, so that the median of a turn's samples ignores them.
    pause
        Seconds before each turn, in which the last one's thread pool falls asleep.
    warm
        Seconds of untimed calls at the start of a turn, in which the system gives the threads that it has woken a core
        each: at first they may share one.
    """

    seconds: float = 6.0
    fewest: int = 5
    most: int = 25
    turn: float = 0.01
    sample: float = 0.001
    pause: float = 0.0
    warm: float = 0.0


def take_turns(members: Mapping[str, _Timed], effort: Effort) -> dict[str, list[float]]:
    """Seconds a call, for each member and round: lists of one length, one entry a round."""
    requests: dict[str, tuple[int, int, int]] = {}
    cost = 0.0
    for name, member in members.items():
        once = member.ask("seconds", 1, 1, 1)
        if once < effort.warm:  # the first call may have been a slow one
            once = member.ask("seconds", 1, int(effort.warm / once), 0)
        calls = math.ceil(effort.sample / once)
        samples = max(1, round(effort.turn / (calls * once)))
        # The caches are full of the last peer's numbers. A long call fills them on its own.
        untimed = max(int(effort.warm / once), 1 if samples * calls > 1 else 0)
        requests[name] = (samples, calls, untimed)
        cost += effort.pause + (samples * calls + untimed) * once
    rounds = min(effort.most, max(effort.fewest, int(effort.seconds / cost)))
    order = random.Random(0)
    taken: dict[str, list[float]] = {name: [] for name in members}
    for _ in range(rounds):
        for name in order.sample(list(members), len(members)):
            time.sleep(effort.pause)
            taken[name].append(members[name].ask("seconds", *requests[name]))
    return taken


def measured_ratios(taken: Mapping[str, Sequence[float]], ours: str) -> dict[str, MeasuredSpread]:
    """The time of every peer over ours, round by round."""
    return {
        name: MeasuredSpread.of([theirs / mine for theirs, mine in zip(times, taken[ours], strict=True)])
        for name, times in taken.items()
        if name != ours
    }


def geometric_mean(values: Sequence[float]) -> float:
    """The n-th root of the product: the mean for ratios."""
    return math.exp(statistics.fmean(map(math.log, values)))
