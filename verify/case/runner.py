"""The one runner of Hypothesis: it draws cases from a strategy, gives each to a function, and simplifies failures."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import TypeVar

from hypothesis import HealthCheck, Phase, Verbosity, event, given, settings
from hypothesis import seed as hypothesis_seed
from hypothesis import strategies as st
from hypothesis.database import ExampleDatabase, choices_to_bytes

T = TypeVar("T")

OBSERVED = "HYPOTHESIS_EXPERIMENTAL_OBSERVABILITY"
"""The environment variable with which Hypothesis writes every case to a file, for viewers such as Tyche."""

FEATURES = ("regime", "dtype", "labels", "layout", "batch")
"""Attributes of a case by which a viewer groups the cases."""


def run_cases(
    strategy: st.SearchStrategy[T],
    each: Callable[[T], None],
    *,
    cases: int,
    seed: int,
    simplify: bool = False,
    database: ExampleDatabase | None = None,
) -> None:
    """Run a function on each of the drawn cases.

    Parameters
    ----------
    strategy
        The strategy that draws: `verify.cases`.
    each
        Called with each case. It ends the run by raising an exception.
    cases
        How many cases to draw.
    seed
        The same seed draws the same cases.
    simplify
        Whether to search for the simplest case that raises the same exception.
    database
        A Hypothesis example database that remembers failures.

    Raises
    ------
    Exception
        As ``each`` raised it; an ExceptionGroup where the simplified cases raised several kinds.
    """
    phases = [Phase.generate, *[Phase.shrink] * simplify, *[Phase.reuse] * (database is not None)]

    @settings(
        max_examples=cases,
        database=database,
        deadline=None,
        phases=phases,
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
        print_blob=False,
        report_multiple_bugs=simplify,
    )
    @hypothesis_seed(seed)  # inside of the settings: it would take their database away
    @given(strategy)
    def run(case: T) -> None:
        if OBSERVED in os.environ:
            for name in FEATURES:
                if hasattr(case, name):
                    event(name, payload=str(getattr(case, name)))
        each(case)

    run()


class RunnerBeginning(ExampleDatabase):
    """A database from which a search begins with one draw, so that this is simplified.

    Parameters
    ----------
    drawn
        What the strategy drew: a string of bytes, of `verify.cases`.
    """

    def __init__(self, drawn: bytes) -> None:
        super().__init__()
        self._drawn = choices_to_bytes((drawn,))

    def fetch(self, key: bytes) -> Iterator[bytes]:
        """Yield the draw as one that failed and was not simplified."""
        if key.endswith(b".secondary"):
            yield self._drawn

    def save(self, key: bytes, value: bytes) -> None:
        """Keep nothing."""

    def delete(self, key: bytes, value: bytes) -> None:
        """Keep everything."""


def drawn_cases(strategy: st.SearchStrategy[T], cases: int, seed: int) -> list[T]:
    """Return the first cases that a strategy draws."""
    drawn: list[T] = []
    run_cases(strategy, drawn.append, cases=cases, seed=seed)
    return drawn
