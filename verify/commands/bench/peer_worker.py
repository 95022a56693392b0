"""One peer's process: it waits for a request, carries it out, answers, and waits again.

``python -m verify.commands.bench.peer_worker KIND PEER CORES`` reads pickled ``(verb, arguments)`` from its
standard input and writes pickled ``(outcome, value)`` to its standard output. It ends with its input.
"""

from __future__ import annotations

import gc
import os
import pickle
import re
import signal
import statistics
import sys
import time
import tracemalloc
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from verify.commands.bench.peers.peer import Peer, Step
    from verify.commands.bench.task import Task
    from verify.commands.bench.true_results import TrueClasses, TrueResult

VALUE, UNSUPPORTED, ERROR = "value", "unsupported", "error"


class PeerWorker:
    """The worker in a peer's process: each public method is a verb. Libraries are imported when a task needs them."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._step: Step | None = None

    def truth(self, task: Task) -> TrueResult | TrueClasses:
        """Return what anybody must return for a task."""
        from verify.commands.bench.true_results import true_result_of

        return true_result_of(task)

    def prepare(self, task: Task) -> None:
        """Make the task's arrays, and compile what is compiled before the first call."""
        self._step = None
        self._step = self._peer.prepare(task)

    def result(self) -> tuple[float, list[Any]] | None:
        """The loss and the tensors (weight, bias, weight, ...) that a call returns, as NumPy arrays."""
        import numpy as np

        found = self._required()()
        if found is None:
            return None
        loss, layers = found
        return float(loss), [np.asarray(tensor) for layer in layers for tensor in layer]

    def seconds(self, samples: int, calls: int, untimed: int) -> float:
        """Seconds a call: the median of some samples, each the mean of `calls` in a row, after some untimed calls."""
        step = self._required()
        for _ in range(untimed):
            step()
        gc.freeze()  # what is here by now stays: the collector need not look at it during the calls
        times = []
        for _ in range(samples):
            start = time.perf_counter()
            for _ in range(calls):
                step()
            times.append((time.perf_counter() - start) / calls)
        return statistics.median(times)

    def allocated(self, untimed: int) -> int:
        """The most bytes that a call adds to the memory that Python and NumPy have allocated, while it runs."""
        step = self._required()
        for _ in range(untimed):
            step()
        tracemalloc.start()
        try:
            step()
            tracemalloc.reset_peak()
            before, _ = tracemalloc.get_traced_memory()
            step()
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        return max(0, peak - before)

    def kernels(self) -> list[str]:
        """The libraries that multiply matrices here: name, processor of the kernels, package it comes from."""
        try:
            from threadpoolctl import threadpool_info
        except ImportError:
            return []
        pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
        return sorted({_described(pool) for pool in pools})

    def drop(self) -> None:
        """Forget the task, and give its memory back."""
        self._step = None
        gc.unfreeze()
        gc.collect()

    def _required(self) -> Step:
        if self._step is None:
            raise RuntimeError("no task has been prepared")
        return self._step


def _described(pool: dict[str, Any]) -> str:
    package = re.search(r"-packages[/\\](\w+)", pool["filepath"])
    architecture = pool.get("architecture") or "unknown"
    return f"{pool['internal_api']} {architecture}, {package[1] if package else pool['filepath']}'s"


def _serve(worker: PeerWorker, requests: Any, answers: Any) -> None:
    """Answer requests until there are no more."""
    from verify.commands.bench.peers.peer import PeerUnsupported

    while True:
        try:
            verb, arguments = pickle.load(requests)
        except EOFError:
            return
        try:
            answer = (VALUE, getattr(worker, verb)(*arguments))
        except PeerUnsupported as reason:
            answer = (UNSUPPORTED, str(reason))
        except Exception as error:  # whatever a library raises, the others go on
            answer = (ERROR, f"{type(error).__name__}: {error}")
        pickle.dump(answer, answers, protocol=pickle.HIGHEST_PROTOCOL)
        answers.flush()


def main(kind: str, name: str, cores: str) -> None:
    """Bind a peer's process to its cores, keep its standard output for answers, and serve."""
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # an interrupt is for the parent, which then closes our input
    if cores:  # before any library counts them
        os.sched_setaffinity(0, {int(core) for core in cores.split(",")})
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a library that prints must not break the protocol

    import numpy as np

    from verify.commands.bench.peers import KINDS

    with np.errstate(all="ignore"):  # as mlp_ref's own training loop is
        _serve(PeerWorker(KINDS[kind][name]), sys.stdin.buffer, answers)


if __name__ == "__main__":
    main(*sys.argv[1:])
