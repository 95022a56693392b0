"""Breaking off a call that does not return."""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_AGAIN = 0.2
"""Seconds until the next look."""


class TimeUp(BaseException):
    """The alarm: time is up. Like an interruption by hand, it is no `Exception`: no judged code is to swallow it."""


@contextmanager
def alarm(seconds: float, when: Callable[[], bool] = lambda: True) -> Iterator[None]:
    """Raise `TimeUp` in what runs longer than some seconds, or, where ``when`` is not true then, as soon as it is.

    It needs a system with timers, and the main thread, which Python interrupts between two of its operations:
    elsewhere, and for infinitely many seconds, nothing is raised. A timer that someone else has set is left alone.
    """
    here = threading.current_thread() is threading.main_thread()
    free = hasattr(signal, "setitimer") and signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    if math.isinf(seconds) or not here or not free:
        yield
        return

    def ring(*_: Any) -> None:
        signal.setitimer(
            signal.ITIMER_REAL, _AGAIN
        )  # also where what it raises is swallowed, as in a finaliser
        if when():
            raise TimeUp

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-3))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
