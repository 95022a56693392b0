"""The ledger of a sweep: an SQLite database with one row for each shard, written in transactions."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

FILE = "ledger.sqlite"

SPLIT = "split"
"""The result of a shard that was cut in two because it kills the process that runs it."""


class Ledger:
    """Results by name of shard; what is committed survives a kill and a power cut.

    Parameters
    ----------
    directory
        Where the database is; made if it is not there.

    Raises
    ------
    ValueError
        Where the database cannot be read: it says so, and changes nothing.
    """

    def __init__(self, directory: str | Path) -> None:
        path = Path(directory)
        path.mkdir(parents=True, exist_ok=True)
        self.path = path / FILE
        self._connection = sqlite3.connect(self.path, timeout=60)
        try:
            # Full synchronisation: a committed result is on the disk before the next shard is counted.
            self._connection.executescript(
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                "CREATE TABLE IF NOT EXISTS shards (name TEXT PRIMARY KEY, result TEXT NOT NULL) WITHOUT ROWID;"
            )
        except sqlite3.DatabaseError as error:
            self._connection.close()
            raise ValueError(f"ledger: {self.path} cannot be read as a ledger: {error}") from error

    def put(self, name: str, result: Any) -> None:
        """Commit the result of a shard; the first one stays, since a second is the same."""
        with self._connection:
            self._connection.execute(
                "INSERT OR IGNORE INTO shards VALUES (?, ?)", (name, json.dumps(result, sort_keys=True))
            )

    def get(self, name: str) -> Any:
        """Return the result of a shard; None where it has not been judged."""
        row = self._connection.execute("SELECT result FROM shards WHERE name = ?", (name,)).fetchone()
        return json.loads(row[0]) if row else None

    def names(self) -> set[str]:
        """Return the names of all shards that have a result."""
        return {name for (name,) in self._connection.execute("SELECT name FROM shards")}

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: Iterable[Any]) -> None:
        self.close()
