"""The ledger of a sweep: an SQLite database with one row for each shard, written in transactions."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from verify.oracle.sweep.plan import Plan, Shard

FILE = "ledger.sqlite"

SPLIT = "split"
"""The result of a shard that was cut in two because it kills the process that runs it."""


class Ledger:
    """Results by name of shard; what is committed survives a kill and a power cut.

    Parameters
    ----------
    directory
        Where the database is; made if it is not there.
    new
        Whether the directory and the database may be made.

    Raises
    ------
    ValueError
        Where the database cannot be read or made, and later where it cannot be written: it says so, and changes
        nothing.
    """

    def __init__(self, directory: str | Path, new: bool = True) -> None:
        folder = Path(directory)
        self.path = folder / FILE
        if folder.exists() and not folder.is_dir():
            raise ValueError(f"ledger must be a directory; {folder} is a file")
        if not new and not self.path.is_file():
            raise ValueError(f"there is no ledger in {folder}: a sweep makes {self.path}")
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(f"ledger: the directory {folder} cannot be made: {error.strerror}") from error
        try:
            self._connection = sqlite3.connect(self.path, timeout=60)
        except sqlite3.Error as error:
            raise ValueError(f"ledger: {self.path} cannot be opened: {error}") from error
        try:
            # Full synchronisation: a committed result is on the disk before the next shard is counted.
            self._connection.executescript(
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                "CREATE TABLE IF NOT EXISTS sweeps (plan TEXT PRIMARY KEY) WITHOUT ROWID;"
                "CREATE TABLE IF NOT EXISTS results"
                " (name TEXT PRIMARY KEY, result TEXT NOT NULL, committed REAL NOT NULL) WITHOUT ROWID;"
            )
        except sqlite3.Error as error:
            self._connection.close()
            raise ValueError(f"ledger: {self.path} cannot be read as a ledger: {error}") from error

    def put(self, name: str, result: Any) -> None:
        """Commit the result of a shard; the first one stays, since a second is the same."""
        text = json.dumps(result, sort_keys=True)
        with self._writing():
            self._connection.execute(
                "INSERT OR IGNORE INTO results VALUES (?, ?, ?)", (name, text, time.time())
            )

    def get(self, name: str) -> Any:
        """Return the result of a shard; None where it has not been judged."""
        row = self._connection.execute("SELECT result FROM results WHERE name = ?", (name,)).fetchone()
        return json.loads(row[0]) if row else None

    def names(self) -> set[str]:
        """Return the names of all shards that have a result."""
        return {name for (name,) in self._connection.execute("SELECT name FROM results")}

    def add_plan(self, plan: str) -> None:
        """Commit the plan of a sweep whose results are kept here."""
        with self._writing():
            self._connection.execute("INSERT OR IGNORE INTO sweeps VALUES (?)", (plan,))

    def plans(self) -> list[str]:
        """Return the plans of the sweeps whose results are kept here."""
        return [plan for (plan,) in self._connection.execute("SELECT plan FROM sweeps")]

    def committed(self, name: str) -> float:
        """Return when the result of a shard was committed, in seconds since 1970; 0 where it has none."""
        row = self._connection.execute("SELECT committed FROM results WHERE name = ?", (name,)).fetchone()
        return float(row[0]) if row else 0.0

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """A transaction; an error says that what was committed before is there."""
        try:
            with self._connection:
                yield
        except sqlite3.Error as error:
            raise ValueError(
                f"ledger: {self.path} cannot be written: {error}. What was committed is kept: once that is mended, "
                "the same command goes on"
            ) from error

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: Iterable[Any]) -> None:
        self.close()


def ledger_results(plan: Plan, book: Ledger) -> Iterator[tuple[Shard, Any]]:
    """Yield each shard of a plan whose result a ledger has, with it; of one that was split, those of its parts."""
    for shard in plan.shards:
        yield from _results_of_shard(shard, plan, book)


def _results_of_shard(shard: Shard, plan: Plan, book: Ledger) -> Iterator[tuple[Shard, Any]]:
    result = book.get(shard.name(plan.environment))
    if result == SPLIT:
        for half in shard.halves():
            yield from _results_of_shard(half, plan, book)
    elif result is not None:
        yield shard, result
