"""A sweep gives the same report whatever ran it, and goes on where it was stopped."""

import contextlib
import dataclasses
import multiprocessing
import os
import signal
import subprocess
import sys
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

import verify
from verify.oracle.sweep import plan as planning
from verify.oracle.sweep.ledger import Ledger
from verify.oracle.sweep.plan import plan_environment

from . import targets

FILE = Path(targets.__file__)


class Here(ThreadPoolExecutor):
    """One thread of this process."""

    def __init__(self):
        super().__init__(1)


def sweep(gradient, specs=None, **options):
    """A sweep with shards of a few cases, so that a small one has several."""
    return verify.sweep(gradient, specs, **{"shard": 20, **options})


def told(report):
    """All that a report says, but for the seconds."""
    return dataclasses.replace(report, seconds=0.0).to_json()


def test_every_executor_gives_the_same_report(tmp_path):
    options = {"cases": 60, "seed": 3}
    with Here() as executor:
        first = sweep(f"{FILE}:right", ledger=tmp_path / "a", executor=executor, **options)
    assert first.ok, str(first)
    assert sum(first.judged.values()) == 60
    second = sweep(f"{FILE}:right", ledger=tmp_path / "b", workers=2, **options)
    assert told(first) == told(second)


def test_a_failure_of_each_kind_is_simplified_and_diagnosed(tmp_path):
    report = sweep(f"{FILE}:doubled_bias", cases=60, ledger=tmp_path, executor=Here)
    assert report.verdict == "wrong"
    (finding,) = report.findings
    assert finding.check == "gradient"
    assert finding.case.layer_sizes == (2, 2)
    assert finding.diagnosis
    assert finding.mistakes == verify.check(targets.doubled_bias).findings[0].mistakes
    assert report.failed > 40
    assert f"60 of 60 judged, {report.failed} failed" in str(report)


def test_a_failure_of_one_case_is_simplified_from_there(tmp_path):
    """Hypothesis would hardly find it again: it begins with the bytes that chose the case."""
    report = sweep(f"{FILE}:rarely_doubled", cases=100, ledger=tmp_path, executor=Here)
    assert report.failed == 1
    (finding,) = report.findings
    case = finding.case
    assert (case.layer_sizes, case.batch, case.regime, case.dtype) == ((20, 2, 2), 32, "ordinary", "float64")


def test_several_specs_share_the_cases(tmp_path):
    specs = [verify.Spec(), verify.Spec("relu")]
    report = sweep(f"{FILE}:right", specs, cases=41, ledger=tmp_path, executor=Here, diagnose=False)
    assert report.spec == "2 specs"
    assert sum(report.judged.values()) == 41
    assert report.verdict == "wrong"  # it is no gradient of a network with relu
    assert report.findings[0].diagnosis == ""


def test_what_was_judged_is_not_judged_again(tmp_path, monkeypatch):
    options = {"cases": 60, "ledger": tmp_path, "executor": Here}
    seen = []
    first = sweep(f"{FILE}:right", progress=lambda *counts: seen.append(counts), **options)
    assert seen == [(20, 60), (40, 60), (60, 60)]
    seen.clear()
    assert told(sweep(f"{FILE}:right", progress=lambda *c: seen.append(c), **options)) == told(first)
    assert seen == []
    sweep(f"{FILE}:right", progress=lambda *c: seen.append(c), **{**options, "cases": 80})
    assert seen == [(80, 80)]


def test_an_interrupted_sweep_reports_what_it_has_and_goes_on(tmp_path):
    def interrupt(done, total):
        if done >= 40:
            raise KeyboardInterrupt

    options = {"cases": 80, "ledger": tmp_path, "executor": Here}
    report = sweep(f"{FILE}:right", progress=interrupt, **options)
    assert report.interrupted
    assert sum(report.judged.values()) == 40
    report = sweep(f"{FILE}:right", **options)
    assert not report.interrupted
    assert sum(report.judged.values()) == 80


def test_a_killed_client_leaves_a_ledger_to_go_on_from_and_no_process(tmp_path):
    script = (
        "import verify, sys\n"
        "if __name__ == '__main__':\n"
        f"    verify.sweep({f'{FILE}:slow'!r}, cases=400, ledger=sys.argv[1], workers=2, shard=20,\n"
        "                 progress=lambda *_: print('.', flush=True))\n"
    )
    (tmp_path / "client.py").write_text(script)
    ledger = tmp_path / "ledger"
    command = [sys.executable, str(tmp_path / "client.py"), str(ledger)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as client:
        client.stdout.readline()
        client.stdout.readline()
        os.kill(client.pid, signal.SIGKILL)
        client.stdout.read()  # ends when the last process of the pool has let go of it
    with Ledger(ledger) as book:
        kept = len(book.names())
    assert 2 <= kept < 20
    quiet = sweep(f"{FILE}:slow", cases=400, ledger=tmp_path / "quiet", executor=Here)
    assert told(sweep(f"{FILE}:slow", cases=400, ledger=ledger, executor=Here)) == told(quiet)


def test_a_case_that_kills_its_process_is_found_and_the_others_are_judged(tmp_path):
    report = sweep(f"{FILE}:deadly", cases=100, ledger=tmp_path, workers=2)
    assert sum(report.judged.values()) == 100
    (finding,) = report.findings
    assert (finding.verdict, finding.check) == ("crashed", "runs")
    assert (finding.case.batch, finding.case.layer_sizes[0]) == (32, 20)
    assert finding.detail.startswith("the process that called the gradient died (1 case of")
    assert "verify.examine" in finding.reproduce


def test_a_worker_that_is_killed_loses_nothing(tmp_path):
    quiet = sweep(f"{FILE}:slow", cases=200, ledger=tmp_path / "quiet", executor=Here)
    pools = []

    def pool():
        pools.append(ProcessPoolExecutor(2, multiprocessing.get_context("spawn")))
        return pools[-1]

    def kill(done, total):
        if len(pools) <= 2:
            for process in list(pools[-1]._processes.values())[:1]:
                with contextlib.suppress(ProcessLookupError):  # the pool ends the others of one that died
                    os.kill(process.pid, signal.SIGKILL)

    report = sweep(
        f"{FILE}:slow", cases=200, ledger=tmp_path / "killed", executor=pool, workers=2, progress=kill
    )
    assert len(pools) > 2
    assert told(report) == told(quiet)


def test_a_dask_cluster_gives_the_same_report(tmp_path):
    distributed = pytest.importorskip(
        "distributed", reason="distributed is not installed: no Dask cluster to try"
    )
    quiet = sweep(f"{FILE}:right", cases=40, ledger=tmp_path / "quiet", executor=Here)
    with distributed.Client(
        processes=False, n_workers=2, threads_per_worker=1, dashboard_address=None
    ) as client:
        report = sweep(
            f"{FILE}:right", cases=40, ledger=tmp_path / "dask", executor=client.get_executor(), workers=2
        )
    assert told(report) == told(quiet)


class Broken(Here):
    """An executor whose workers die, and that cannot be used after that."""

    def submit(self, *_):
        if hasattr(self, "broken"):
            raise BrokenProcessPool("a process died")
        self.broken = True
        future = Future()
        future.set_exception(BrokenProcessPool("a process died"))
        return future


def test_a_broken_executor_that_cannot_be_made_anew_is_said(tmp_path):
    with pytest.raises(
        RuntimeError, match=r"^the executor is broken: a worker died\. Give a function that makes it"
    ):
        sweep(f"{FILE}:right", cases=20, ledger=tmp_path, executor=Broken())


def test_a_worker_with_other_code_refuses(tmp_path, monkeypatch):
    target = tmp_path / "net.py"
    target.write_text(FILE.read_text())

    def changed(*_):
        target.write_text(FILE.read_text() + "\n")
        return Here()

    with pytest.raises(
        RuntimeError, match=r"^a worker refused .*net\.py:right: target is \w+ here, \w+ there$"
    ):
        sweep(f"{target}:right", cases=20, ledger=tmp_path / "l", executor=changed)


def test_a_change_of_the_target_is_another_sweep(tmp_path):
    target = tmp_path / "net.py"
    seen = []
    for text in (FILE.read_text(), FILE.read_text() + "\n"):
        target.write_text(text)
        sweep(f"{target}:right", cases=20, ledger=tmp_path, executor=Here, progress=lambda *c: seen.append(c))
    assert len(seen) == 2


def test_a_program_is_swept_by_a_file_and_a_changed_program_is_another_sweep(tmp_path):
    program, target, seen = tmp_path / "program.py", tmp_path / "net.py", []
    answering = (FILE.parents[2] / "subject" / "answering.py").read_text()
    target.write_text(f"import verify\ngradient = verify.Program({[sys.executable, str(program)]!r})\n")
    for text in (answering, answering + "\n"):
        program.write_text(text)
        report = sweep(
            f"{target}:gradient",
            cases=20,
            ledger=tmp_path / "l",
            executor=Here,
            progress=lambda *c: seen.append(c),
        )
        assert report.ok, str(report)
        assert "relu" in report.spec  # the first that the program takes
    assert len(seen) == 2


@pytest.mark.parametrize(
    ("gradient", "options", "message"),
    [
        (lambda params, x, y: None, {}, "gradient must be one that other processes can load"),
        (f"{FILE}:right", {"cases": 0}, "cases must be a positive integer; got 0"),
        (f"{FILE}:right", {"shard": 0}, "shard must be a positive integer; got 0"),
        (
            f"{FILE}:right",
            {"specs": len},
            r"specs must be a Spec or a list of them; got <built-in function len>",
        ),
        (f"{FILE}:right", {"specs": []}, r"specs must be a Spec or a list of them; got \[\]"),
        (f"{FILE}:right", {"workers": 0}, "workers must be a positive integer; got 0"),
        (f"{FILE}:nothing", {}, "has no 'nothing'"),
        (f"{FILE}:right", {"regimes": ["odd"]}, "regimes must be a non-empty list"),
    ],
)
def test_what_cannot_be_used_is_refused(tmp_path, gradient, options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        sweep(gradient, **{"cases": 20, "ledger": tmp_path / "ledger", "executor": Here, **options})


def test_a_function_of_a_module_is_loaded_by_its_name(tmp_path):
    from verify.oracle.sweep.sweep import _named

    assert _named(verify.examine) == "verify.oracle.check:examine"
    assert _named("net.py:gradient") == f"{Path('net.py').resolve()}:gradient"


def test_a_shard_is_named_by_what_it_computes():
    here = plan_environment()
    job = planning.Job("m:f", "digest", verify.Spec())
    options = planning.plan_options({"dtypes": ("float64",), "labels": None})
    plan = planning.Plan("f", ((job, options),), 30, 0, ("gradient",), 20, here)
    first, second = plan.shards
    assert (len(first), len(second)) == (20, 10)
    names = {shard.name(here) for shard in (first, second, *first.halves())}
    names.add(first.name({**here, "numpy": "0"}))
    names.add(dataclasses.replace(first, job=dataclasses.replace(job, spec=verify.Spec("relu"))).name(here))
    assert len(names) == 6
    again = planning.Plan.from_json(plan.to_json())
    assert [shard.name(here) for shard in again.shards] == [first.name(here), second.name(here)]
    assert again.to_json() == plan.to_json()
