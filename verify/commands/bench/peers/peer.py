"""A peer: who is measured, and how its task is prepared."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from verify.commands.bench.task import Task


Step = Callable[[], Any]


@dataclass(frozen=True)
class Peer:
    """A peer: one column of the results of the bench.

    Parameters
    ----------
    title
        What a reader sees.
    library
        The module that must be importable; ``numpy`` where nothing else is needed. Several are separated by spaces.
    source
        ``file:function`` in this package.
    install
        What ``pip install`` needs to be told.
    rows_at_most
        For an epoch that takes minutes: train on this many rows and scale the time up.
    """

    title: str
    library: str
    source: str
    install: str = ""
    rows_at_most: int | None = None

    @property
    def available(self) -> bool:
        """True where the library is installed."""
        return all(importlib.util.find_spec(name) is not None for name in self.library.split())

    def prepare(self, task: Task) -> Step:
        """The function that does the task once."""
        file, name = self.source.split(":")
        step: Step = getattr(importlib.import_module(f"verify.commands.bench.peers.{file}"), name)(task)
        return step


class PeerUnsupported(Exception):
    """A peer cannot do a task; the message says why."""
