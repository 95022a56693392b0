"""The work of a sweep's process: judge the cases of one shard, or complete one finding.

Nothing that uses several threads is imported before `start_worker` has run: each process has one core.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from verify.case.case import Case
    from verify.case.chooser import CaseChooser
    from verify.checks.finding import Finding
    from verify.oracle.sweep.plan import Job, Shard


DIED = "the process that called the gradient died"
"""What is said of a case that kills the process that judges it."""


def start_worker() -> None:
    """Prepare a process of a pool: it uses one thread, since others like it run beside it, and ends with its parent.

    Ctrl-C in a terminal reaches every process there: the parent alone answers it.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:  # a pool's process waits for ever where its parent was killed
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


def judge_shard(shard: Shard, environment: dict[str, str]) -> dict[str, Any]:
    """Return what a shard's cases showed, as plain data that is the same wherever it is computed.

    Returns
    -------
    dict
        ``judged``, ``inconclusive`` and ``failing`` by regime, ``closest`` by kind of tensor, and ``failures``: for
        each kind ``"check verdict"``, how many cases, and the first of them. Or ``refused``: why it was not judged
        here.
    """
    from verify.checks.examine import examine_case
    from verify.oracle.search import follow_up_of
    from verify.subject.failed import Failed

    refused = _differences(shard.job, environment)
    if refused:
        return {"refused": refused}
    try:
        target, spec, choices, case_of = _prepared(shard)
    except (ValueError, TypeError) as error:
        return {"refused": str(error)}
    judged: dict[str, int] = {}
    inconclusive: dict[str, int] = {}
    failing: dict[str, int] = {}
    closest: dict[str, float] = {}
    failures: dict[str, dict[str, Any]] = {}
    for i, case in enumerate(map(case_of, choices)):
        judged[case.regime] = judged.get(case.regime, 0) + 1
        try:
            judgement = examine_case(target, spec, case, follow_up_of(case, shard.checks))
        except Failed as failure:
            kind = failures.setdefault(
                f"{failure.check} {failure.verdict}",
                {"cases": 0, "first": _plain(case), "choices": choices[i].hex(), "detail": failure.detail},
            )
            kind["cases"] += 1
            failing[case.regime] = failing.get(case.regime, 0) + 1
            continue
        if judgement.verdict == "inconclusive":
            inconclusive[case.regime] = inconclusive.get(case.regime, 0) + 1
        kind_of_tensor = judgement.tensor.kind
        closest[kind_of_tensor] = max(closest.get(kind_of_tensor, 0.0), judgement.ratio)
    return {
        "judged": judged,
        "inconclusive": inconclusive,
        "failing": failing,
        "closest": closest,
        "failures": failures,
    }


def case_that_kills_worker(shard: Shard) -> dict[str, Any]:
    """Return the result of a shard of one case that kills the worker that runs it."""
    chooser = _chooser(shard, shard.job.spec)
    (choices,) = chooser.drawn(shard.drawn, shard.seed)[shard.start : shard.stop]
    case = chooser.case(choices)
    first = {"cases": 1, "first": _plain(case), "choices": choices.hex(), "detail": DIED}
    return {
        "judged": {case.regime: 1},
        "inconclusive": {},
        "failing": {case.regime: 1},
        "closest": {},
        "failures": {"runs crashed": first},
    }


def simplest_finding(shard: Shard, choices: str, check: str, verdict: str) -> Finding | None:
    """Return the finding of one kind in a shard, simplified, its verdict settled, and diagnosed; None if it is gone.

    ``choices`` are the bytes that chose a case with it, in hexadecimal digits.
    """
    import contextlib

    from verify.case.case import REGIMES
    from verify.case.cases import cases
    from verify.case.runner import RunnerBeginning, run_cases
    from verify.checks.examine import examine_case
    from verify.checks.finding import as_finding
    from verify.oracle.check import NetworkTrial
    from verify.oracle.error_histogram import ErrorCounter
    from verify.oracle.search import follow_up_of
    from verify.subject.failed import Failed

    target, spec, _, _ = _prepared(shard)
    simplest: Finding | None = None

    def judge(case: Case) -> None:
        nonlocal simplest
        try:
            examine_case(target, spec, case, follow_up_of(case, shard.checks))
        except Failed as failure:
            if (failure.check, failure.verdict) == (check, verdict):
                simplest = as_finding(failure, case)
                raise

    options = dict(shard.options)
    beginning = RunnerBeginning(bytes.fromhex(choices))
    with contextlib.suppress(Failed, ExceptionGroup):
        run_cases(cases(spec, **options), judge, cases=50, seed=shard.seed, simplify=True, database=beginning)
    if simplest is None:
        return None
    regimes = options.pop("regimes", tuple(REGIMES))
    trial = NetworkTrial(target, spec, options, shard.seed)
    return trial.explained([trial.completed(trial.settled(simplest), regimes, ErrorCounter())])[0]


def _prepared(shard: Shard) -> tuple[Any, Any, list[bytes], Callable[[bytes], Case]]:
    """Return the target, its Spec, the bytes that choose the shard's cases, and what makes cases of them."""
    from verify.oracle.sweep.digest import digest_of_program
    from verify.subject.load import as_target, load

    loaded = load(shard.job.where)
    if digest_of_program(loaded) != shard.job.program:
        raise ValueError(f"{shard.job.where}: the files of its program differ here from those of the plan")
    target = as_target(loaded, spec=shard.job.spec)
    spec = target.judged_as(shard.job.spec)
    chooser = _chooser(shard, spec)
    return target, spec, chooser.drawn(shard.drawn, shard.seed)[shard.start : shard.stop], chooser.case


def _chooser(shard: Shard, spec: Any) -> CaseChooser[Case]:
    from verify.case.cases import case_chooser

    return case_chooser(spec, **dict(shard.options))


def _differences(job: Job, environment: dict[str, str]) -> str:
    """Say in what this process differs from the one that made the plan; empty where it does not."""
    from verify.oracle.sweep.digest import digest_of_target
    from verify.oracle.sweep.plan import plan_differences

    try:
        here = {**_environment(), "target": digest_of_target(job.where)}
    except OSError as error:
        return f"it is not there: {error.strerror or error}"
    return "; ".join(plan_differences(here, {**environment, "target": job.code}))


_KNOWN: dict[str, str] = {}


def _environment() -> dict[str, str]:
    """The environment of this process, found out once."""
    if not _KNOWN:
        from verify.oracle.sweep.plan import plan_environment

        _KNOWN.update(plan_environment())
    return _KNOWN


def _plain(case: Case) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(case)
