"""The live view of a sweep: a bar and a table on a terminal, lines elsewhere."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import TextIO

from tqdm import tqdm

from verify.case.case import REGIMES
from verify.oracle.sweep.standing import Standing, Watch

EVERY = 10.0
"""Seconds between two lines."""


@contextlib.contextmanager
def live_view(what: str, lines: bool, file: TextIO | None = None) -> Iterator[Watch]:
    """Show live how a sweep stands.

    Parameters
    ----------
    what
        What is swept.
    lines
        Whether to write lines where ``file`` is no terminal; without that, nothing is shown there.
    file
        Where to; standard error where not given.
    """
    file = file or sys.stderr
    if file.isatty():
        with contextlib.ExitStack() as bars:
            yield _table(what, file, bars)
    elif lines:
        yield _lines(what, file)
    else:
        yield lambda _: None


def _table(what: str, file: TextIO, bars: contextlib.ExitStack) -> Watch:
    """A bar, and under it a table of the verdicts by regime, where the terminal has room for it."""
    bar = bars.enter_context(tqdm(desc=what, unit=" cases", leave=False, file=file, dynamic_ncols=True))
    rows = [
        bars.enter_context(tqdm(bar_format="{desc}", leave=False, file=file, position=i + 1))
        for i in range(len(REGIMES) + 2)
    ]

    def watch(standing: Standing) -> None:
        bar.total = standing.cases
        if not standing.fresh:
            bar.initial = bar.n = bar.last_print_n = standing.judged
        bar.set_postfix_str(_of_workers(standing), refresh=False)
        bar.update(standing.judged - bar.n)
        bar.refresh()  # update leaves out what comes soon after the last time
        for row, text in zip(rows, standing.table(), strict=False):
            row.set_description_str(text)

    return watch


def _lines(what: str, file: TextIO) -> Watch:
    """A line as the run begins, every ten seconds, and at the end."""
    began, told = time.monotonic(), -EVERY

    def watch(standing: Standing) -> None:
        nonlocal told
        seconds = time.monotonic() - began
        if seconds - told < EVERY and standing.judged < standing.cases:
            return
        told = seconds
        print(f"{what}: {live_line(standing, seconds)}", file=file, flush=True)

    return watch


def live_line(standing: Standing, seconds: float) -> str:
    """Return the standing of a run that has worked for so many seconds, in one line."""
    parts = [f"{standing.judged:,} of {standing.cases:,} cases"]
    if standing.fresh and seconds > 0:
        rate = standing.fresh / seconds
        left = tqdm.format_interval((standing.cases - standing.judged) / rate)
        parts += [f"{rate:,.0f} a second", f"{left} left"]
    workers = _of_workers(standing)
    parts += [workers] if workers else []
    verdicts = []
    for i, (name, n) in enumerate(standing.all_regimes._asdict().items()):
        where = [f"{regime} {counts[i]:,}" for regime, counts in standing.verdicts.items() if i and counts[i]]
        verdicts.append(f"{name} {n:,}" + (f" ({', '.join(where)})" if where else ""))
    return f"{', '.join(parts)}; {', '.join(verdicts)}"


def _of_workers(standing: Standing) -> str:
    n = standing.workers
    return "" if n is None else f"{n} worker{'s' if n > 1 else ''}"
