"""sweep(): a plan carried out on an executor, its results gathered from the ledger."""

from __future__ import annotations

import importlib
import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, NamedTuple

from verify.case.case import DTYPES, REGIMES
from verify.case.cases import cases as drawn_from
from verify.checks.finding import Finding
from verify.checks.table import FOLLOW_UPS
from verify.oracle.report import Report
from verify.oracle.search import Progress
from verify.oracle.sweep import worker
from verify.oracle.sweep.digest import digest_of_program, digest_of_target
from verify.oracle.sweep.engine import DeadlyWork, Engine
from verify.oracle.sweep.ledger import SPLIT, Ledger, ledger_results
from verify.oracle.sweep.plan import SHARD, Job, Plan, Shard, plan_environment, plan_options
from verify.oracle.sweep.standing import Standing, Watch
from verify.oracle.sweep.totals import FailureTotal, Totals
from verify.reference.judge import VERDICTS
from verify.reference.spec import Spec
from verify.subject.load import as_target, load


class SweepRefused(RuntimeError):
    """A worker has another version of the target, or of what judges it, than the process that made the plan."""


class SweepPlace(NamedTuple):
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
    shard: int = SHARD,
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
    shard
        How many cases are given to a process at once, and are lost with it: fewer where a case takes seconds, more
        where there are thousands of workers. Another number draws other cases.
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
        When a worker has another version of the target or of what judges it, or lacks it; or when the executor is
        broken, and was not given as a function.
    """
    if isinstance(cases, bool) or not isinstance(cases, int) or cases < 1:
        raise ValueError(f"cases must be a positive integer; got {cases!r}")
    if workers is not None and (isinstance(workers, bool) or not isinstance(workers, int) or workers < 1):
        raise ValueError(f"workers must be a positive integer; got {workers!r}")
    if isinstance(shard, bool) or not isinstance(shard, int) or shard < 1:
        raise ValueError(f"shard must be a positive integer; got {shard!r}")

    def watch(standing: Standing) -> None:
        if progress is not None and standing.fresh:
            progress(standing.judged, standing.cases)

    where = _named(gradient)
    if specs is None or isinstance(specs, Spec):
        listed: Sequence[Spec | None] = [specs]
    elif isinstance(specs, Sequence) and specs and all(isinstance(spec, Spec) for spec in specs):
        listed = specs
    else:
        raise TypeError(
            f"specs must be a Spec or a list of them; got {specs!r}. verify.check takes a JAX loss, "
            "verify.check_backward a layer"
        )
    return sweep_places(
        [SweepPlace(where, spec) for spec in listed],
        where.rpartition(":")[2],
        cases=cases,
        ledger=ledger,
        seed=seed,
        executor=executor,
        workers=workers,
        options={"dtypes": dtypes, "regimes": tuple(regimes), "labels": labels},
        checks=checks,
        shard=shard,
        watch=watch,
        diagnose=diagnose,
    )


def sweep_places(
    places: Sequence[SweepPlace],
    name: str,
    *,
    cases: int,
    ledger: str | Path,
    seed: int,
    executor: Executor | Callable[[], Executor] | None,
    workers: int | None,
    options: dict[str, Any],
    checks: Sequence[str],
    shard: int,
    watch: Watch | None,
    diagnose: bool,
) -> Report:
    """Sweep several targets as one: see `sweep`, whose arguments these are."""
    start = time.perf_counter()
    jobs = tuple(_job(place, options) for place in places)
    plan = Plan(name, jobs, cases, seed, tuple(checks), shard, plan_environment())
    interrupted = False
    findings: list[Finding] = []
    with Ledger(ledger) as book, Engine[Shard](executor, workers) as engine:
        book.add_plan(plan.to_json())
        try:
            _judge_all(plan, engine, book, watch)
        except KeyboardInterrupt:
            interrupted = True
        totals = Totals()
        for judged, result in ledger_results(plan, book):
            totals.add(judged, result)
        for (check, verdict), kind in totals.kinds.items():
            if diagnose and not interrupted:
                findings.append(_finding(check, verdict, kind, engine))
            else:
                findings.append(kind.bare(check, verdict))
    findings.sort(key=lambda finding: -VERDICTS.index(finding.verdict))
    # Two kinds may turn out to be one, once rounding is told from a mistake: the first stays.
    findings = list({(f.check, f.verdict): f for f in reversed(findings)}.values())[::-1]
    return Report(
        target=name,
        spec=plan.spec,
        cases=cases,
        seed=seed,
        judged={regime: totals.judged[regime] for regime in REGIMES if totals.judged[regime]},
        inconclusive=dict(sorted(totals.inconclusive.items())),
        evaluators={"NumPy with bounds": totals.judged.total()},
        closest=dict(sorted(totals.closest.items())),
        findings=tuple(findings),
        seconds=time.perf_counter() - start,
        interrupted=interrupted,
        failed=totals.failing.total(),
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


def _job(place: SweepPlace, options: dict[str, Any]) -> tuple[Job, tuple[tuple[str, Any], ...]]:
    """The job of a place, and the options of `verify.cases` with what its target takes."""
    loaded = load(place.where)
    target = as_target(loaded, spec=place.spec)
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
    return Job(place.where, digest_of_target(place.where), spec, digest_of_program(loaded)), plan_options(own)


def _judge_all(plan: Plan, engine: Engine[Shard], book: Ledger, watch: Watch | None) -> None:
    """Judge every shard that has no result yet, and commit each result as it comes."""
    totals, fresh, alone = Totals(), 0, False

    def tell() -> None:
        if watch is not None:
            watch(Standing(plan.cases, totals.verdicts(), fresh, engine.workers))

    # Those before the first that is left: a run that goes on begins with them.
    todo = _unjudged(plan.shards, plan, book, totals)
    first = next(todo, None)
    tell()
    todo = itertools.chain([] if first is None else [first], todo)
    while True:
        halves: list[Shard] = []
        judging = engine.run(todo, worker.judge_shard, plan.environment, tries=_tries, alone=alone)
        for shard, result in judging:
            if isinstance(result, DeadlyWork) and len(shard) > 1:
                book.put(shard.name(plan.environment), SPLIT)
                halves += shard.halves()
                continue
            if isinstance(result, DeadlyWork):
                result = worker.case_that_kills_worker(shard)
            elif "refused" in result:
                raise SweepRefused(f"a worker refused {shard.job.where}: {result['refused']}")
            book.put(shard.name(plan.environment), result)
            totals.add(shard, result)
            fresh += len(shard)
            tell()
        if not halves:
            return
        todo, alone = iter(halves), True


def _tries(shard: Shard) -> int:
    """Return how many processes a shard may kill before it is cut in two, which does no harm; or before a case
    is blamed.
    """
    return 1 if len(shard) > 1 else 3


def _unjudged(shards: Iterable[Shard], plan: Plan, book: Ledger, totals: Totals) -> Iterator[Shard]:
    """The shards without a result, of one that was split those of its halves; the results are added to the totals."""
    for shard in shards:
        result = book.get(shard.name(plan.environment))
        if result is None:
            yield shard
        elif result == SPLIT:
            yield from _unjudged(shard.halves(), plan, book, totals)
        else:
            totals.add(shard, result)


def _finding(check: str, verdict: str, kind: FailureTotal, engine: Engine[Shard]) -> Finding:
    """The finding of a kind, simplified and diagnosed in a worker; as it was first seen where that kills the worker."""
    bare = kind.bare(check, verdict)
    if kind.detail == worker.DIED:
        return bare
    [(_, found)] = engine.run(iter([kind.shard]), worker.simplest_finding, kind.choices, check, verdict)
    return found if isinstance(found, Finding) else bare
