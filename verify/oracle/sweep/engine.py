"""An executor that outlives its workers: shards whose worker died are given again, alone if they may be the cause."""

from __future__ import annotations

import multiprocessing
import os
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Executor, Future, wait
from concurrent.futures.process import ProcessPoolExecutor
from typing import Any, Generic, Protocol, TypeVar

from verify.oracle.sweep import worker

TOGETHER = 2
"""Deaths of a worker after which its work is given alone, since it may be the cause."""

# How executors that are not the standard library's name the death of a worker.
_DEATHS = (
    "KilledWorker",
    "TerminatedWorkerError",
    "FutureCancelledError",
    "WorkerCrashedError",
    "CommClosedError",
)


class _Work(Protocol):
    """A piece of work, which can be done once more."""

    def __hash__(self) -> int: ...


W = TypeVar("W", bound=_Work)


class DeadlyWork(Exception):
    """The work that was given to an engine kills every process that does it."""


class EngineBroken(RuntimeError):
    """The engine's executor is broken, and cannot be made anew."""


class Engine(Generic[W]):
    """The engine of a sweep: does work on an executor.

    Parameters
    ----------
    executor
        A `concurrent.futures.Executor`; or a function that makes one, so that a broken one can be replaced. Not given:
        processes of the standard library.
    workers
        How many pieces of work are under way at once. Not given: twice the executor's workers, where it tells them.
    """

    def __init__(self, executor: Executor | Callable[[], Executor] | None, workers: int | None) -> None:
        self._make: Callable[[], Executor] | None = None if isinstance(executor, Executor) else executor
        if executor is None:
            count = workers or os.cpu_count() or 1
            context = multiprocessing.get_context("spawn")  # a fork of a process with JAX's threads may hang
            self._make = lambda: ProcessPoolExecutor(count, context, worker.start_worker)
        self._executor = executor if isinstance(executor, Executor) else self._made()
        self._under_way: dict[Future[Any], W] = {}
        self.workers: int | None = workers or getattr(self._executor, "_max_workers", None)
        """How many processes are at work, where that is known."""
        self.window = 2 * (self.workers or 32)

    def run(
        self,
        todo: Iterator[W],
        do: Callable[..., Any],
        *arguments: Any,
        tries: Callable[[W], int] = lambda _: 3,
        alone: bool = False,
    ) -> Iterator[tuple[W, Any]]:
        """Yield each piece of work with ``do(work, *arguments)``, in the order in which they finish.

        Where every process that does a piece alone dies, ``tries(work)`` times, its result is an instance of
        `DeadlyWork`. ``alone`` does every piece alone.

        Raises
        ------
        RuntimeError
            Where the executor is broken, and cannot be made anew.
        """
        deaths: Counter[W] = Counter()
        again: deque[W] = deque()
        suspects: deque[W] = deque(todo if alone else ())
        under_way = self._under_way
        while True:
            while not suspects and len(under_way) < self.window:
                work = again.popleft() if again else next(todo, None)
                if work is None:
                    break
                under_way[self._submit(do, work, *arguments)] = work
            if not under_way:
                if not suspects:
                    return
                work = suspects.popleft()
                yield work, self._alone(tries(work), do, work, *arguments)
                continue
            finished, _ = wait(under_way, return_when=FIRST_COMPLETED)
            for future in finished:
                work = under_way.pop(future)
                try:
                    yield work, future.result()
                except (Exception, CancelledError) as error:
                    if not _is_death(error):
                        raise
                    deaths[work] += 1
                    (suspects if deaths[work] >= TOGETHER else again).append(work)

    def _alone(self, tries: int, do: Callable[..., Any], work: W, *arguments: Any) -> Any:
        for _ in range(tries):
            try:
                return self._submit(do, work, *arguments).result()
            except (Exception, CancelledError) as error:
                if not _is_death(error):
                    raise
        return DeadlyWork(str(work))

    def _submit(self, do: Callable[..., Any], *arguments: Any) -> Future[Any]:
        try:
            return self._executor.submit(do, *arguments)
        except (BrokenExecutor, RuntimeError) as error:  # loky's is a RuntimeError
            if not _is_death(error) and "shutdown" not in str(error):
                raise
            self._executor.shutdown(wait=False)
            self._executor = self._made()
            return self._executor.submit(do, *arguments)

    def _made(self) -> Executor:
        if self._make is None:
            raise EngineBroken(
                "the executor is broken: a worker died. Give a function that makes it (executor=lambda: ...), and "
                "it is made anew; what was done is in the ledger"
            )
        return self._make()

    def close(self) -> None:
        """Give up what is under way, and shut the executor down, if it was made here."""
        for future in self._under_way:
            future.cancel()
        if self._make is None:
            return
        if self._under_way:  # a pool of processes would finish its work first, which may take long
            for process in (getattr(self._executor, "_processes", None) or {}).values():
                process.terminate()
        self._executor.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> Engine[W]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _is_death(error: BaseException) -> bool:
    """Tell if an error says that a worker died, rather than that its work failed."""
    names = {kind.__name__ for kind in type(error).__mro__}
    return isinstance(error, (BrokenExecutor, CancelledError)) or bool(names.intersection(_DEATHS))
