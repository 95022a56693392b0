"""sweep(): a plan carried out on an executor, its results gathered from the ledger."""

from __future__ import annotations

import importlib
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, NamedTuple

from verify.case.draw import cases as drawn_from
from verify.case.recipe import DTYPES, REGIMES, Case
from verify.checks.finding import Finding
from verify.checks.table import FOLLOW_UPS
from verify.diagnosis.reproduce import reproduction
from verify.oracle.report import Report
from verify.oracle.search import Progress
from verify.oracle.sweep import worker
from verify.oracle.sweep.engine import Deadly, Engine
from verify.oracle.sweep.ledger import SPLIT, Ledger
from verify.oracle.sweep.plan import Job, Shard, digest_of, environment, plan
from verify.reference.judge import VERDICTS
from verify.reference.spec import Spec
from verify.subject.load import as_target, load


class Place(NamedTuple):
    """A target that every process can load by name, and a Spec that it is judged by."""

    where: str
    spec: Spec | None = None


def sweep(
    gradient: Any,
    specs: Spec | Sequence[Spec] | None = None,
    *,
    cases: int,
    ledger: str | Path,
    seed: int = 0,
    executor: Executor | Callable[[], Executor] | None = None,
    workers: int | None = None,
    dtypes: Sequence[str] | None = None,
    regimes: Sequence[str] = tuple(REGIMES),
    labels: str | None = None,
    checks: Sequence[str] = FOLLOW_UPS,
    progress: Progress | None = None,
    diagnose: bool = True,
) -> Report:
    """Judge a gradient on millions of cases, on any executor, and go on where an earlier run was stopped.

    Parameters
    ----------
    gradient
        ``"module:name"`` or ``"path/to/file.py:name"``, as for `verify.load`; or a function that a module has under
        its own name. Every process loads it by that name, and must find the same bytes there.
    specs
        A Spec, or several: each is given its part of the cases. Not given: the target's own, else the default.
    cases
        How many cases to judge, all specs together.
    ledger
        The directory of the results. The same call with the same ledger goes on where it was stopped.
    seed
        The same seed draws the same cases.
    executor
        A `concurrent.futures.Executor`, such as that of a Dask client (``client.get_executor()``); or a function that
        makes one. Not given: a process for each core.
    workers
        How many processes to start; of another executor, how many workers it has. Not given: what it tells.
    dtypes, regimes, labels, checks
        As for `verify.check`.
    progress
        Called with (judged, cases) after each shard.
    diagnose
        Whether to simplify and diagnose the failures, one of each kind.

    Returns
    -------
    Report
        The same to the bit, but for the seconds, whatever ran it, in whatever order.

    Raises
    ------
    ValueError, TypeError
        When an argument is not usable.
    RuntimeError
        When a worker has another version of the target or of what judges it; or when the executor is broken, and was
        not given as a function.
    """
    if isinstance(cases, bool) or not isinstance(cases, int) or cases < 1:
        raise ValueError(f"cases must be a positive integer; got {cases!r}")
    if workers is not None and (isinstance(workers, bool) or not isinstance(workers, int) or workers < 1):
        raise ValueError(f"workers must be a positive integer; got {workers!r}")
    where = _named(gradient)
    listed = [specs] if specs is None or isinstance(specs, Spec) else list(specs)
    return sweep_places(
        [Place(where, spec) for spec in listed],
        where.rpartition(":")[2],
        cases=cases,
        ledger=ledger,
        seed=seed,
        executor=executor,
        workers=workers,
        options={"dtypes": dtypes, "regimes": tuple(regimes), "labels": labels},
        checks=checks,
        progress=progress,
        diagnose=diagnose,
    )


def sweep_places(
    places: Sequence[Place],
    name: str,
    *,
    cases: int,
    ledger: str | Path,
    seed: int,
    executor: Executor | Callable[[], Executor] | None,
    workers: int | None,
    options: dict[str, Any],
    checks: Sequence[str],
    progress: Progress | None,
    diagnose: bool,
) -> Report:
    """Sweep several targets as one: see `sweep`, whose arguments these are."""
    start = time.perf_counter()
    jobs = [_job(place, options) for place in places]
    shards = [
        shard
        for i, (job, own) in enumerate(jobs)
        for shard in plan(job, cases // len(jobs) + (i < cases % len(jobs)), seed, own, checks)
    ]
    here = environment()
    interrupted = False
    findings: list[Finding] = []
    with Ledger(ledger) as book, Engine[Shard](executor, workers) as engine:
        try:
            _judge_all(shards, engine, book, here, progress)
        except KeyboardInterrupt:
            interrupted = True
        totals = _Totals()
        for shard in shards:
            totals.add(shard, _results(shard, book, here))
        for (check, verdict), kind in totals.kinds.items():
            if diagnose and not interrupted:
                findings.append(_finding(check, verdict, kind, engine))
            else:
                findings.append(kind.bare(check, verdict))
    findings.sort(key=lambda finding: -VERDICTS.index(finding.verdict))
    # Two kinds may turn out to be one, once rounding is told from a mistake: the first stays.
    findings = list({(f.check, f.verdict): f for f in reversed(findings)}.values())[::-1]
    texts = list(dict.fromkeys(str(job.spec) for job, _ in jobs))
    return Report(
        target=name,
        spec=texts[0] if len(texts) == 1 else f"{len(texts)} specs",
        cases=cases,
        seed=seed,
        judged={regime: totals.judged[regime] for regime in REGIMES if totals.judged[regime]},
        inconclusive=dict(sorted(totals.inconclusive.items())),
        evaluators={"NumPy with bounds": totals.judged.total()},
        closest=dict(sorted(totals.closest.items())),
        findings=tuple(findings),
        seconds=time.perf_counter() - start,
        interrupted=interrupted,
        failed=sum(kind.cases for kind in totals.kinds.values()),
    )


def _named(gradient: Any) -> str:
    """The name by which every process can load a target."""
    where = gradient
    if not isinstance(gradient, str):
        module, name = getattr(gradient, "__module__", None), getattr(gradient, "__qualname__", "")
        where = f"{module}:{name}"
        found = None
        if module not in (None, "__main__") and "<" not in name:
            found = importlib.import_module(module)
            for part in name.split("."):
                found = getattr(found, part, None)
        if found is not gradient:
            raise TypeError(
                "gradient must be one that other processes can load: a function of a module, 'module:name' or "
                f"'path/to/file.py:name'; got {gradient!r}"
            )
    source, _, name = where.rpartition(":")
    return f"{Path(source).resolve()}:{name}" if source.endswith(".py") else where


def _job(place: Place, options: dict[str, Any]) -> tuple[Job, dict[str, Any]]:
    """The job of a place, and the options of `verify.cases` with what its target takes."""
    target = as_target(load(place.where), spec=place.spec)
    spec = target.judged_as(place.spec)
    if not isinstance(spec, Spec):
        raise TypeError(f"specs must be of type Spec; got {type(spec).__name__}")
    own = {
        **options,
        "dtypes": tuple(options["dtypes"] or target.dtypes or DTYPES),
        "labels": options["labels"] or target.labels,
        "layers": target.layers,
    }
    drawn_from(spec, **own)  # an unknown name is an error now, not in a worker
    return Job(place.where, digest_of(place.where), spec), own


def _judge_all(
    shards: list[Shard], engine: Engine[Shard], book: Ledger, here: dict[str, str], progress: Progress | None
) -> None:
    """Judge every shard that has no result yet, and commit each result as it comes."""
    done = book.names()
    total = sum(map(len, shards))
    left = sum(len(shard) for shard in _unjudged(shards, book, done, here))
    todo = _unjudged(shards, book, done, here)
    alone = False
    while True:
        halves: list[Shard] = []
        judging = engine.run(todo, worker.judge_shard, here, tries=_tries, alone=alone)
        for shard, result in judging:
            if isinstance(result, Deadly) and len(shard) > 1:
                book.put(shard.name(here), SPLIT)
                halves += shard.halves()
                continue
            if isinstance(result, Deadly):
                result = worker.dead_case(shard)
            elif "refused" in result:
                raise RuntimeError(f"a worker refused {shard.job.where}: {result['refused']}")
            book.put(shard.name(here), result)
            left -= len(shard)
            if progress is not None:
                progress(total - left, total)
        if not halves:
            return
        todo, alone = iter(halves), True


def _tries(shard: Shard) -> int:
    """Return how many processes a shard may kill before it is cut in two, which does no harm; or before a case
    is blamed.
    """
    return 1 if len(shard) > 1 else 3


def _unjudged(shards: Sequence[Shard], book: Ledger, done: set[str], here: dict[str, str]) -> Iterator[Shard]:
    """The shards without a result; of one that was split, those of its halves."""
    for shard in shards:
        name = shard.name(here)
        if name not in done:
            yield shard
        elif book.get(name) == SPLIT:
            yield from _unjudged(shard.halves(), book, done, here)


def _results(shard: Shard, book: Ledger, here: dict[str, str]) -> Iterator[tuple[Shard, Any]]:
    """The results of a shard, or of its halves, as far as there are any."""
    result = book.get(shard.name(here))
    if result == SPLIT:
        for half in shard.halves():
            yield from _results(half, book, here)
    elif result is not None:
        yield shard, result


class _Kind:
    """Failures of one kind: the first, and how many."""

    def __init__(self, shard: Shard, failure: dict[str, Any]) -> None:
        fields = failure["first"]
        self.shard, self.detail, self.cases = shard, failure["detail"], 0
        self.case = Case(**{**fields, "layer_sizes": tuple(fields["layer_sizes"])})

    def bare(self, check: str, verdict: str) -> Finding:
        """The finding as it was first seen, neither simplified nor diagnosed."""
        target = as_target(load(self.shard.job.where), spec=self.shard.job.spec)
        lines = reproduction(target, target.judged_as(self.shard.job.spec), self.case, check)
        return Finding(verdict, check, f"{self.detail} ({self._counted()})", self.case, reproduce=lines)

    def _counted(self) -> str:
        return f"{self.cases:,} case{'s' if self.cases > 1 else ''} of the sweep"


class _Totals:
    """Sums over shards, the same in whatever order these were judged."""

    def __init__(self) -> None:
        self.judged: Counter[str] = Counter()
        self.inconclusive: Counter[str] = Counter()
        self.closest: dict[str, float] = {}
        self.kinds: dict[tuple[str, str], _Kind] = {}

    def add(self, _: Shard, results: Iterator[tuple[Shard, Any]]) -> None:
        """Add what a shard showed."""
        for shard, result in results:
            self.judged.update(result["judged"])
            self.inconclusive.update({name: n for name, n in result["inconclusive"].items() if n})
            for kind_of_tensor, ratio in result["closest"].items():
                self.closest[kind_of_tensor] = max(self.closest.get(kind_of_tensor, 0.0), ratio)
            for words, failure in result["failures"].items():
                check, verdict = words.split()
                kind = self.kinds.setdefault((check, verdict), _Kind(shard, failure))
                kind.cases += failure["cases"]


def _finding(check: str, verdict: str, kind: _Kind, engine: Engine[Shard]) -> Finding:
    """The finding of a kind, simplified and diagnosed in a worker; as it was first seen where that kills the worker."""
    bare = kind.bare(check, verdict)
    if kind.detail == worker.DIED:
        return bare
    [(_, found)] = engine.run(iter([kind.shard]), worker.simplest_finding, check, verdict)
    return found if isinstance(found, Finding) else bare
