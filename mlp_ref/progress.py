"""Progress of a training run: a bar on a terminal where tqdm is installed, otherwise a line per epoch."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mlp_ref.history import History

__all__ = ["progress_reporter"]


@contextmanager
def progress_reporter(epochs: int, progress: bool) -> Iterator[Callable[[History], None]]:
    """Give the function to call at the end of each of `epochs` epochs; it shows nothing unless `progress`."""
    if not progress:
        yield _say_nothing
        return
    bar = _bar(epochs)
    if bar is None:
        yield lambda history: print(
            f"Epoch: {len(history.loss)}/{epochs}, {history.last_epoch()}", flush=True
        )
        return

    def update(history: History) -> None:
        bar.set_postfix_str(history.last_epoch(), refresh=False)
        bar.update()

    with bar:
        yield update


def _say_nothing(_: History) -> None:
    pass


def _bar(epochs: int) -> Any | None:
    if sys.stderr is None or not sys.stderr.isatty():
        return None
    try:
        from tqdm import tqdm
    except ImportError:
        return None
    return tqdm(total=epochs, unit="epoch")
