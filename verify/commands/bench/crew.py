"""The peers' processes, as the parent sees them: started alike, asked one at a time."""

from __future__ import annotations

import contextlib
import os
import pickle
import subprocess
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from verify.commands.bench.peer_worker import ERROR, UNSUPPORTED
from verify.commands.bench.peers.peer import PeerUnsupported

CORETYPE = "OPENBLAS_CORETYPE"
"""The variable that makes OpenBLAS run the kernels of another processor; no peer inherits it."""


class CrewMemberFailed(RuntimeError):
    """A member of the crew failed: a peer raised an exception, or its process ended.

    Attributes
    ----------
    name
        The peer.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(reason)
        self.name = name


def crew_cores(threads: int) -> str:
    """The cores that every peer is bound to, as ``"0,1"``; empty where the system cannot bind a process.

    Raises
    ------
    ValueError
        When this process may not use as many cores.
    """
    try:
        usable = sorted(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        usable = list(range(os.cpu_count() or 1))
    if not 1 <= threads <= len(usable):
        raise ValueError(
            f"threads must be between 1 and {len(usable)}, the cores that may be used; got {threads}"
        )
    # The last cores: the first is the one that most systems give their own work.
    return ",".join(map(str, usable[-threads:])) if hasattr(os, "sched_setaffinity") else ""


def crew_environment(threads: int) -> dict[str, str]:
    """The environment that limits every library to so many threads, with the kernels that it would choose itself."""
    pools = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
    # XLA takes the size of its pool from NPROC, or else from the cores that the process is bound to.
    limits = dict.fromkeys((*pools, "NPROC"), str(threads))
    eigen = "true" if threads > 1 else "false"
    limits["XLA_FLAGS"] = f"--xla_cpu_multi_thread_eigen={eigen} intra_op_parallelism_threads={threads}"
    inherited = {name: value for name, value in os.environ.items() if name != CORETYPE}
    return {**inherited, **limits, "JAX_PLATFORMS": "cpu"}


class CrewMember:
    """One peer, in a process of its own, which starts with the first request."""

    def __init__(self, kind: str, name: str, threads: int) -> None:
        self.name = name
        self._command = [
            sys.executable,
            "-m",
            "verify.commands.bench.peer_worker",
            kind,
            name,
            crew_cores(threads),
        ]
        self._environment = crew_environment(threads)
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, verb: str, *arguments: Any) -> Any:
        """Return what the peer's `verify.commands.bench.peer_worker.PeerWorker` returns for a verb.

        Raises
        ------
        CrewMemberFailed
            When it raised an exception, or its process has ended; a later request starts another.
        PeerUnsupported
            When it has no such network.
        """
        if self._process is None:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self._environment
            )
        requests, answers = self._process.stdin, self._process.stdout
        assert requests is not None
        assert answers is not None
        try:
            pickle.dump((verb, arguments), requests)
            requests.flush()
            outcome, value = pickle.load(answers)
        except (EOFError, OSError, pickle.UnpicklingError) as error:
            status = self._process.wait()
            self.stop()
            raise CrewMemberFailed(self.name, f"its process ended with status {status}") from error
        if outcome == UNSUPPORTED:
            raise PeerUnsupported(value)
        if outcome == ERROR:
            raise CrewMemberFailed(self.name, value)
        return value

    def stop(self) -> None:
        """End the process, in the middle of a call if need be."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):  # what was not sent is not needed
                    stream.close()
        self._process = None


@contextlib.contextmanager
def crew(kind: str, names: Iterable[str], threads: int) -> Iterator[dict[str, CrewMember]]:
    """The named peers' processes, ended on the way out, whatever happens."""
    members = {name: CrewMember(kind, name, threads) for name in names}
    try:
        yield members
    finally:
        for member in members.values():
            member.stop()
