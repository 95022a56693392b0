"""A program in a process beside ours that answers a line with a line, within a time limit, and ends with all it began.

What it writes to standard error is read while it works, so that it never waits for that, and the last of it is kept.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
import weakref
from collections.abc import Sequence

_TAIL = 4096
"""Bytes of standard error that are kept."""

_WIDTH = 200
"""Characters of a line of it that are shown."""

_LINES = 5
"""Last lines of it that are shown."""

_PIECE = 1 << 16


def shortened_line(line: bytes) -> str:
    """The beginning of a line of a program, in quotes."""
    text = line[:240].decode("utf-8", "backslashreplace").rstrip("\n")
    return repr(text if len(text) <= 60 else text[:57] + "...")


class ProcessGaveNoAnswer(Exception):
    """A program's process gave no answer; the message says what it did instead, in the past tense. It has been ended.

    ``silent`` says whether it is still running then: the time was up, or it has closed its output.
    """

    def __init__(self, message: str, silent: bool = False) -> None:
        super().__init__(message)
        self.silent = silent


class Process:
    """A running program, in a process group of its own.

    Parameters
    ----------
    command
        The program and its arguments; no shell reads them.

    Raises
    ------
    OSError
        When it cannot be started.
    """

    def __init__(self, command: Sequence[str]) -> None:
        if os.name != "posix":
            raise OSError(
                "a program can be judged on a POSIX system alone: it needs process groups and poll()"
            )
        self._child = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )
        self.end = weakref.finalize(self, _ended, self._child)
        """Ends the program and whatever it began; also called at the interpreter's exit."""
        pipes = (self._child.stdin, self._child.stdout, self._child.stderr)
        self._stdin, self._stdout, self._stderr = (pipe.fileno() for pipe in pipes if pipe is not None)
        for pipe in (self._stdin, self._stdout, self._stderr):
            os.set_blocking(pipe, False)
        self._received = bytearray()
        self._said = bytearray()
        self._poll = select.poll()
        self._poll.register(self._stdout, select.POLLIN)
        self._poll.register(self._stderr, select.POLLIN)

    @property
    def pid(self) -> int:
        """The process, which is also its group."""
        return self._child.pid

    def asked(self, line: bytes, seconds: float, longest: int) -> bytes:
        """The line that answers a line; both end in a newline.

        Parameters
        ----------
        line
            What to send.
        seconds
            How long to wait.
        longest
            Most bytes that an answer can have.

        Raises
        ------
        ProcessGaveNoAnswer
            When it ends, or closes its output, or the time is up, or the answer is too long. It has been ended.
        """
        try:
            return self._exchanged(line, time.monotonic() + seconds, seconds, longest)
        except (
            BaseException
        ):  # an interrupted exchange leaves half a line behind, so that no later one is right
            self.end()
            raise

    def _exchanged(self, line: bytes, deadline: float, seconds: float, longest: int) -> bytes:
        unsent = self._sent(memoryview(line))
        if unsent:
            self._poll.register(self._stdin, select.POLLOUT)
        searched = 0
        while (newline := self._received.find(b"\n", searched)) < 0:
            searched = len(self._received)
            if searched > longest:
                raise ProcessGaveNoAnswer(
                    f"wrote more than {longest} bytes without ending the line{self.last_words()}"
                )
            left = deadline - time.monotonic()
            ready = self._poll.poll(1000 * left) if left > 0 else []
            if not ready:
                raise ProcessGaveNoAnswer(
                    f"{self._begun()} within {seconds:g} s{self.last_words()}", silent=True
                )
            for pipe, _ in ready:
                if pipe == self._stdin:
                    unsent = self._sent(unsent)
                    if not unsent:
                        self._poll.unregister(pipe)
                else:
                    self._read(pipe)
        if unsent:
            self._poll.unregister(self._stdin)
            raise ProcessGaveNoAnswer(f"answered before it had read the question{self.last_words()}")
        answer = bytes(self._received[: newline + 1])
        del self._received[: newline + 1]
        return answer

    def _begun(self) -> str:
        """Return what is missing: the whole answer, or the newline that ends it."""
        if not self._received:
            return "gave no answer"
        return f"began a line, {shortened_line(bytes(self._received))}, and did not end it"

    def _sent(self, unsent: memoryview) -> memoryview:
        """Write what the pipe takes; what is left. A program that no longer reads is found out by reading."""
        try:
            return unsent[os.write(self._stdin, unsent) :]
        except BlockingIOError:
            return unsent
        except BrokenPipeError:
            return unsent[:0]

    def _read(self, pipe: int) -> None:
        try:
            piece = os.read(pipe, _PIECE)
        except BlockingIOError:
            return
        if pipe == self._stdout:
            if not piece:
                end = self._end()
                raise ProcessGaveNoAnswer(f"{end}{self.last_words()}", silent=self._child.returncode is None)
            self._received += piece
        elif piece:
            self._said += piece
            del self._said[:-_TAIL]
        else:
            self._poll.unregister(pipe)

    def _end(self) -> str:
        """Return how it ended: it has closed its output, and mostly that is because it is no longer there."""
        try:
            status = self._child.wait(1)
        except subprocess.TimeoutExpired:
            return "closed its standard output"
        if status >= 0:
            return f"ended with status {status}"
        with contextlib.suppress(ValueError):
            return f"was ended by {signal.Signals(-status).name}"
        return f"was ended by signal {-status}"

    def last_words(self) -> str:
        """The last lines of its standard error as the end of a sentence; empty where it wrote none."""
        with contextlib.suppress(OSError):
            while piece := os.read(self._stderr, _PIECE):
                self._said += piece
                del self._said[:-_TAIL]
                if len(piece) < _PIECE:  # one that never stops writing must not keep us here
                    break
        text = self._said.decode("utf-8", "backslashreplace").strip()
        kept = [
            line if len(line) <= _WIDTH else f"{line[:_WIDTH]}..." for line in text.splitlines()[-_LINES:]
        ]
        return f"; its standard error ends: {' | '.join(kept)}" if text else ""

    def stop(self, line: bytes, seconds: float) -> None:
        """Send a last line, give it some time to end by itself, and end what is left of it."""
        if self.end.alive:
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                self._sent(memoryview(line))
                self._child.wait(seconds)
        self.end()


def _ended(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    for pipe in (child.stdin, child.stdout, child.stderr):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
