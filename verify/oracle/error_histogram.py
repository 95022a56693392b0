"""The sizes of a run's errors: counts by regime, in units of the bound and of the unit roundoff."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from verify.evaluate.array import Array
from verify.evaluate.formats import limits
from verify.reference.judge import JudgedEntries

PENDING = 50_000
"""Entries that are kept before they are counted: NumPy counts many cases in the time of one."""

UNITS = {"bound": (-28, 56), "u": (-12, 60)}
"""Units of an error, and the powers of 2 between which it is counted, a bar for each."""


@dataclass(frozen=True)
class ErrorHistogram:
    """Errors of all entries of all cases, counted by regime.

    Attributes
    ----------
    unit
        ``bound``: each error in units of its bound. ``u``: in units of u times the largest entry of its tensor.
    edges
        The bars' ends, as exponents of 2; each bar has its upper end, not its lower one. The first bar counts what
        is smaller too, the last what is larger, infinite or not a number.
    counts
        For each regime, the entries in each bar.
    exact
        For each regime, the entries with no error at all, which are in no bar; those whose bound is infinite, where
        the unit is the bound, are among them.
    """

    unit: str
    edges: tuple[int, ...]
    counts: dict[str, tuple[int, ...]]
    exact: dict[str, int]


class _Case(NamedTuple):
    row: int
    u: float
    entries: JudgedEntries


class ErrorCounter:
    """Counts the errors of case after case, for their histogram."""

    def __init__(self) -> None:
        self._rows: dict[str, int] = {}
        self._pending: list[_Case] = []
        self._size = 0
        # A row for each regime; first in it, the entries without an error, then those of each bar.
        self._counts = {unit: np.zeros((0, high - low + 1), np.int64) for unit, (low, high) in UNITS.items()}

    def add(self, regime: str, dtype: npt.DTypeLike, entries: JudgedEntries | None) -> None:
        """Count the entries of a case whose results have the given dtype; nothing where they were not kept."""
        if entries is None or not entries.got.size:
            return
        row = self._rows.setdefault(regime, len(self._rows))
        self._pending.append(_Case(row, limits(np.dtype(dtype)).eps / 2, entries))
        self._size += entries.got.size
        if self._size > PENDING:
            self._count()

    def histograms(self) -> tuple[ErrorHistogram, ...]:
        """One for each unit; none where nothing was counted."""
        self._count()
        if not self._rows:
            return ()
        return tuple(
            ErrorHistogram(
                unit,
                tuple(range(low, high + 1)),
                {regime: tuple(map(int, self._counts[unit][row, 1:])) for regime, row in self._rows.items()},
                {regime: int(self._counts[unit][row, 0]) for regime, row in self._rows.items()},
            )
            for unit, (low, high) in UNITS.items()
        )

    def _count(self) -> None:
        if not self._pending:
            return
        rows = np.repeat(
            [case.row for case in self._pending], [case.entries.got.size for case in self._pending]
        )
        in_units = {
            "bound": np.concatenate([case.entries.ratios for case in self._pending]),
            "u": self._in_u(),
        }
        for unit, errors in in_units.items():
            bars = self._counts[unit].shape[1]
            counted = np.bincount(rows * bars + _bar(errors, unit), minlength=len(self._rows) * bars)
            counted = counted.reshape(-1, bars)
            counted[: len(self._counts[unit])] += self._counts[unit]
            self._counts[unit] = counted
        self._pending, self._size = [], 0

    def _in_u(self) -> Array:
        """Errors in units of u times the largest entry of the tensor."""
        got = np.concatenate(
            [case.entries.got for case in self._pending], dtype=np.float64, casting="same_kind"
        )
        expected = np.concatenate([case.entries.expected for case in self._pending])
        sizes = [
            (size, case.u)
            for case in self._pending
            for shape in case.entries.shapes
            if (size := math.prod(shape))
        ]
        counts, u = (np.array(column) for column in zip(*sizes, strict=True))
        starts = np.cumsum(counts) - counts
        largest = np.maximum.reduceat(abs(expected), starts)
        with np.errstate(all="ignore"):
            error = abs(got - expected)
            return np.asarray(np.where(error == 0, 0.0, error / np.repeat(largest * u, counts)))


def _bar(errors: Array, unit: str) -> npt.NDArray[np.int64]:
    """The bar of each error, from 1 on, by the exponent in its bits; 0 where there is no error."""
    low, high = UNITS[unit]
    # One less, so that a power of 2 is in the bar that it ends; no error becomes the bar below all others.
    exponents = ((errors.view(np.int64) - 1) >> 52) - 1023
    return np.where(errors == 0, 0, np.clip(exponents - low + 1, 1, high - low))
