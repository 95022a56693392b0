"""The one runner: it gives drawn cases to a function, and lets Hypothesis simplify those that fail."""

from __future__ import annotations

import contextlib
import functools
import os
import random
import unittest
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np
from hypothesis import HealthCheck, Phase, Verbosity, event, given, settings
from hypothesis import seed as hypothesis_seed
from hypothesis import strategies as st
from hypothesis.database import ExampleDatabase, choices_to_bytes

from verify.case.chooser import CaseChooser

T = TypeVar("T")

CaseSource = CaseChooser[T] | st.SearchStrategy[T]
"""What cases are drawn from: a chooser without Hypothesis, or a strategy with it."""

OBSERVED = "HYPOTHESIS_EXPERIMENTAL_OBSERVABILITY"
"""The environment variable with which Hypothesis writes every case to a file, for viewers such as Tyche."""

FEATURES = ("regime", "dtype", "labels", "layout", "batch")
"""Attributes of a case by which a viewer groups the cases."""


def search_cases(
    source: CaseSource[T],
    each: Callable[[T], None],
    *,
    cases: int,
    seed: int,
    database: ExampleDatabase | None = None,
) -> None:
    """Run a function on drawn cases, and search for the simplest case of each kind of exception that it raises.

    The cases of a chooser are drawn without Hypothesis, which is given those that fail: to simplify them, and to find
    what else fails on the way.

    Parameters
    ----------
    source
        What the cases are drawn from: of a chooser the simplest of all, and those that the seed draws.
    each, cases, seed
        As for `run_cases`.
    database
        A Hypothesis example database that remembers failures: what it remembers is tried first.

    Raises
    ------
    Exception
        As ``each`` raised it; an ExceptionGroup where the simplified cases raised several kinds.
    """
    if not isinstance(source, CaseChooser):
        run_cases(source, each, cases=cases, seed=seed, simplify=True, database=database)
        return
    replay = functools.partial(
        _run, source.strategy, each, phases=(Phase.reuse, Phase.shrink), cases=cases, seed=seed
    )
    if database is not None:
        with contextlib.suppress(unittest.SkipTest):  # Hypothesis: the database remembers nothing
            replay(database=database)
    drawn = source.first(cases, seed)
    if OBSERVED in os.environ:  # Hypothesis sees each of them
        replay(database=RunnerBeginning(*drawn, kept=database))
        return
    failed = _first_failures(source, each, drawn)
    if failed:
        replay(database=RunnerBeginning(*failed.values(), kept=database))
        raise next(iter(failed))  # what does not fail once more


def _first_failures(
    chooser: CaseChooser[T], each: Callable[[T], None], drawn: Sequence[bytes]
) -> dict[Exception, bytes]:
    """Return what a function raised, and the simplest string of bytes for which it did: one of each kind.

    After a failure the search goes on for as long as Hypothesis would.
    """
    found: dict[type[Exception], tuple[Exception, bytes]] = {}
    first = enough = len(drawn)
    with _global_generators_kept():
        for count, choices in enumerate(drawn, start=1):
            # As Hypothesis does: what draws from these draws the same when the case is put once more.
            random.seed(0)
            np.random.seed(0)  # noqa: NPY002 - the global generator, which judged code may use
            try:
                each(chooser.case(choices))
            except Exception as error:
                kind = type(error)
                if kind not in found:
                    first = min(first, count)
                    enough = max(_FEWEST, min(first + _MOST_AFTER_FIRST, 2 * count))
                if kind not in found or choices < found[kind][1]:
                    found[kind] = error, choices
            if count >= enough:
                break
    return dict(found.values())


_FEWEST, _MOST_AFTER_FIRST = 10, 1000
"""Cases that are put, where some fail: so many at least; after the first that fails as many as before the last kind of
failure was seen, and so many at most. These are the numbers of Hypothesis.
"""


@contextlib.contextmanager
def _global_generators_kept() -> Iterator[None]:
    """Give Python's and NumPy's global generators the states back that they had."""
    of_python, of_numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - as above
    try:
        yield
    finally:
        random.setstate(of_python)
        np.random.set_state(of_numpy)  # noqa: NPY002 - as above


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
    _run(strategy, each, phases=phases, cases=cases, seed=seed, database=database)


def _run(
    strategy: st.SearchStrategy[T],
    each: Callable[[T], None],
    *,
    phases: Sequence[Phase],
    cases: int,
    seed: int,
    database: ExampleDatabase | None,
) -> None:
    """Let Hypothesis run a function on cases, in some of its phases."""

    @settings(
        max_examples=cases,
        database=database,
        deadline=None,
        phases=phases,
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
        print_blob=False,
        report_multiple_bugs=Phase.shrink in phases,
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
    """A database from which a search begins with some draws, so that those that fail are simplified.

    Parameters
    ----------
    *drawn
        What the strategy drew: strings of bytes, of `verify.cases`.
    kept
        The database in which failures are kept; None where they are not.
    """

    def __init__(self, *drawn: bytes, kept: ExampleDatabase | None = None) -> None:
        super().__init__()
        self._drawn, self._kept = [choices_to_bytes((choices,)) for choices in drawn], kept

    def fetch(self, key: bytes) -> Iterator[bytes]:
        """Yield the draws as some that failed and were not simplified."""
        if key.endswith(b".secondary"):
            yield from self._drawn

    def save(self, key: bytes, value: bytes) -> None:
        """Keep a failure."""
        if self._kept is not None:
            self._kept.save(key, value)

    def delete(self, key: bytes, value: bytes) -> None:
        """Forget a failure."""
        if self._kept is not None:
            self._kept.delete(key, value)


def drawn_cases(source: CaseSource[T], cases: int, seed: int) -> list[T]:
    """Return the first cases that are drawn."""
    if isinstance(source, CaseChooser):
        return [source.case(choices) for choices in source.first(cases, seed)]
    drawn: list[T] = []
    run_cases(source, drawn.append, cases=cases, seed=seed)
    return drawn
