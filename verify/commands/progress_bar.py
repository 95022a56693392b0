"""A progress bar for the commands."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tqdm import tqdm

from verify.oracle.check import Progress


@contextmanager
def progress_bar(what: str) -> Iterator[Progress]:
    """A progress bar on standard error while it is a terminal; nothing otherwise."""
    with tqdm(desc=what, unit="case", leave=False, disable=not sys.stderr.isatty(), file=sys.stderr) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield progress
