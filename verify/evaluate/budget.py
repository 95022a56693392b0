"""A budget of time: a clock that a run and its stages share."""

from __future__ import annotations

import math
import time


class Budget:
    """Seconds from now on, and no more than are left of another budget.

    Parameters
    ----------
    seconds
        How many; infinitely many where nothing is said.
    within
        The budget that this one is a part of.
    """

    def __init__(self, seconds: float = math.inf, within: Budget | None = None) -> None:
        self._end: float = min(time.monotonic() + seconds, within._end if within else math.inf)

    @property
    def left(self) -> float:
        """Seconds that are left; negative afterwards."""
        return self._end - time.monotonic()

    @property
    def spent(self) -> bool:
        """Tell whether none are left."""
        return self.left <= 0

    def stage(self, seconds: float) -> Budget:
        """A part of it for one stage, which begins now."""
        return Budget(seconds, self)
