"""Strings of bytes that choose cases: Hypothesis draws and simplifies these, or a seeded generator draws them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from hypothesis import strategies as st

T = TypeVar("T")


@dataclass(frozen=True)
class CaseChooser(Generic[T]):
    """Strings of bytes, and the case that each stands for: zeros for the simplest.

    Parameters
    ----------
    length
        The bytes of a string.
    case
        The case that a string chooses.
    """

    length: int
    case: Callable[[bytes], T]

    @property
    def strategy(self) -> st.SearchStrategy[T]:
        """Return the strategy with which Hypothesis draws, and simplifies."""
        # One string of bytes, not a draw for each choice: it takes Hypothesis a third of the time, it is simplified
        # byte by byte all the same, and Hypothesis copies no part of it onto another, as it would with draws of a kind
        # in five of six cases. Twenty bytes would be too many: it gives up before it has tried to lower each of them.
        return st.binary(min_size=self.length, max_size=self.length).map(self.case)

    def drawn(self, n: int, seed: int) -> list[bytes]:
        """Return n strings that a seed draws, without Hypothesis: it takes half a millisecond a case to plan."""
        drawn = np.random.default_rng(seed).bytes(n * self.length)
        return [drawn[i : i + self.length] for i in range(0, len(drawn), self.length)]

    def first(self, n: int, seed: int) -> list[bytes]:
        """Return the string of the simplest case, and those that a seed draws: n together."""
        return [bytes(self.length), *self.drawn(n - 1, seed)]
