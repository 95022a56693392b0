"""Learning-rate schedules: the rate of an epoch, from the first rate and how far the training has come."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from mlp_ref.checks import check_number

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "SCHEDULES",
    "Adaptive",
    "Constant",
    "Cosine",
    "InverseScaling",
    "Moment",
    "Schedule",
    "as_schedule",
]


class Moment(NamedTuple):
    """The moment of a schedule: the progress of a training at the beginning of an epoch.

    Attributes
    ----------
    epoch : int
        How many are complete.
    epochs : int
        How many there are to be.
    rows : int
        How many rows a complete epoch takes.
    lowered : int
        How often the patience of the early stopping has run out.
    """

    epoch: int
    epochs: int
    rows: int
    lowered: int


Schedule: TypeAlias = "Callable[[float, Moment], float]"
"""``schedule(first, at)``: the rate of an epoch, where that of the first is `first`."""


class Constant(NamedTuple):
    """The same rate throughout."""

    def __call__(self, first: float, at: Moment) -> float:  # noqa: ARG002  # every schedule takes it
        """Return the rate of an epoch, where that of the first is `first`."""
        return first


class InverseScaling(NamedTuple):
    """``first / (1 + t)**power`` after t rows, as in scikit-learn: with many rows it falls fast.

    Attributes
    ----------
    power : float
    """

    power: float = 0.5

    def __call__(self, first: float, at: Moment) -> float:
        """Return the rate of an epoch, where that of the first is `first`."""
        return float(first / (1 + at.epoch * at.rows) ** self.power)


class Cosine(NamedTuple):
    """Half a cosine, from the first rate down to `last` times it (Loshchilov and Hutter 2017, without restarts).

    Attributes
    ----------
    last : float
        At least 0 and less than 1; what the epoch after the last one would have.
    """

    last: float = 0.0

    def __call__(self, first: float, at: Moment) -> float:
        """Return the rate of an epoch, where that of the first is `first`."""
        fraction = (1 + math.cos(math.pi * at.epoch / at.epochs)) / 2
        return first * (self.last + (1 - self.last) * fraction)


class Adaptive(NamedTuple):
    """The first rate, divided by `divisor` each time the early stopping's patience runs out.

    The training goes on then, and ends where the rate is `smallest` or less, as in scikit-learn.

    Attributes
    ----------
    divisor : float
        More than 1.
    smallest : float
        Positive.
    """

    divisor: float = 5.0
    smallest: float = 1e-6

    def __call__(self, first: float, at: Moment) -> float:
        """Return the rate of an epoch, where that of the first is `first`."""
        return float(first / self.divisor**at.lowered)


SCHEDULES: dict[str, Any] = {
    "constant": Constant,
    "inverse_scaling": InverseScaling,
    "adaptive": Adaptive,
    "cosine": Cosine,
}


def as_schedule(schedule: Any) -> Schedule:
    """Return a schedule: `schedule` itself, with its settings checked, or one with the usual settings for a name."""
    if isinstance(schedule, str) and schedule in SCHEDULES:
        schedule = SCHEDULES[schedule]()
    if isinstance(schedule, InverseScaling):
        check_number(schedule.power, "schedule.power", above=0)
    elif isinstance(schedule, Cosine):
        check_number(schedule.last, "schedule.last", least=0, below=1)
    elif isinstance(schedule, Adaptive):
        check_number(schedule.divisor, "schedule.divisor", above=1)
        check_number(schedule.smallest, "schedule.smallest", above=0)
    elif not callable(schedule) or isinstance(schedule, type):
        names = ", ".join(map(repr, SCHEDULES))
        raise ValueError(
            f"schedule must be one of {names}, or a function (first, at) -> rate, got {schedule!r}"
        )
    checked: Schedule = schedule
    return checked
