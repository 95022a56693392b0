"""Show what sweeps promise: nothing lost, nothing counted twice, the same report whatever was killed; and their cost.

    python benchmarks/sweep_evidence.py scaling              # one process against two
    python benchmarks/sweep_evidence.py bookkeeping          # the ledger's part of the time
    python benchmarks/sweep_evidence.py scheduler            # the executors' part of the time
    python benchmarks/sweep_evidence.py workers              # workers killed at random, under the standard pool
    python benchmarks/sweep_evidence.py workers --dask       # the same under a local Dask cluster
    python benchmarks/sweep_evidence.py client               # the client killed at random, and started again
    python benchmarks/sweep_evidence.py deadly               # a target that ends its process in some cases
    python benchmarks/sweep_evidence.py power                # a ledger's writer killed, and its log torn
    python benchmarks/sweep_evidence.py devices              # the sharded gradients on 1, 2, 4 and 8 virtual devices
    python benchmarks/sweep_evidence.py nightly --ledger DIR # a million cases of mlp_ref; goes on where it was stopped

Each ends with status 1 where its claim does not hold. With ``--quiet DIR``, the run that nobody kills is kept in a
ledger, for the other parts and for the next time.
"""

from __future__ import annotations

import argparse
import dataclasses
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import Executor, ProcessPoolExecutor
from pathlib import Path
from typing import Any

import verify
from verify.__main__ import main as verify_command
from verify.oracle.report import Report
from verify.oracle.sweep import worker
from verify.oracle.sweep.digest import digest_of_target
from verify.oracle.sweep.engine import Engine
from verify.oracle.sweep.ledger import FILE, Ledger
from verify.oracle.sweep.plan import SHARD, Job, Plan, Shard

ROOT = Path(__file__).resolve().parent.parent
RIGHT = "verify.subject.mlp_ref_targets:sigmoid_with_cross_entropy"


def told(report: Report) -> str:
    """All that a report says, but for the seconds."""
    return dataclasses.replace(report, seconds=0.0).to_json()


def quiet_report(arguments: argparse.Namespace) -> Report:
    """The report of a run that nobody kills, of the right target."""
    if arguments.quiet is None:
        return quiet_run(RIGHT, arguments.cases, 2)[0]
    return verify.sweep(RIGHT, cases=arguments.cases, ledger=arguments.quiet, workers=2)


def quiet_run(where: str, cases: int, workers: int, **options: Any) -> tuple[Report, float]:
    """A sweep in a ledger of its own, and the seconds that it took from its first result on."""
    times: list[float] = []
    with tempfile.TemporaryDirectory() as ledger:
        report = verify.sweep(
            where,
            cases=cases,
            ledger=ledger,
            workers=workers,
            progress=lambda *_: times.append(time.perf_counter()),
            **options,
        )
    return report, times[-1] - times[0]


def scaling(arguments: argparse.Namespace) -> bool:
    """Cases a second with one process and with two, in turns; the first result of each process is not counted."""
    ratios = []
    for turn in range(arguments.turns):
        rates = []
        for workers in (1, 2):
            _, seconds = quiet_run(RIGHT, arguments.cases, workers)
            rates.append((arguments.cases - 500 * workers) / seconds)
        ratios.append(rates[1] / rates[0])
        print(f"turn {turn + 1}: {rates[0]:6.0f} and {rates[1]:6.0f} cases a second, {ratios[-1]:.2f} times")
    print(f"median {sorted(ratios)[len(ratios) // 2]:.2f} times (must 1.7)")
    return sorted(ratios)[len(ratios) // 2] >= 1.7


def bookkeeping(arguments: argparse.Namespace) -> bool:
    """The client's processor time a case (naming, pickling, the ledger), beside that of the worker's, from the first
    result on; and the client's start.
    """
    writing = 0.0
    original = Ledger.put

    def timed(self: Ledger, name: str, result: Any) -> None:
        nonlocal writing
        start = time.perf_counter()
        original(self, name, result)
        writing += time.perf_counter() - start

    Ledger.put = timed  # type: ignore[method-assign]
    began = time.process_time()
    spent: list[tuple[float, float]] = []

    def progress(*_: int) -> None:
        (child,) = multiprocessing.active_children()
        spent.append((time.process_time(), processor_time(child.pid or 0)))

    with tempfile.TemporaryDirectory() as ledger:
        verify.sweep(
            RIGHT, cases=arguments.cases, ledger=ledger, workers=1, progress=progress, diagnose=False
        )
    cases = arguments.cases - SHARD
    client, worker_s = ((last - first) / cases for first, last in zip(spent[0], spent[-1], strict=True))
    print(
        f"of the processor, a case takes the worker {1e3 * worker_s:.2f} ms, the client {1e6 * client:.1f} us;"
    )
    print(f"the ledger's writes {1e6 * writing / arguments.cases:.1f} us by the clock; the client's start")
    print(f"{spent[0][0] - began:.2f} s once; book-keeping {client / worker_s:.1%} of a case (must 5 %)")
    return client <= 0.05 * worker_s


def scheduler(arguments: argparse.Namespace) -> bool:
    """Measure how long an executor takes to hand out a shard and to bring its result, where the shard takes no time."""
    from distributed import Client, LocalCluster

    options = (("regimes", ("ordinary",)),)
    job = Job(RIGHT, digest_of_target(RIGHT), verify.Spec())
    shards = list(Plan("", ((job, options),), 500 * arguments.cases, 0, (), 500, {}).shards)
    local = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
    with local as cluster, Client(cluster) as dask_client:
        for name, executor in (("processes", None), ("Dask", dask_client.get_executor())):
            with Engine[Shard](executor, 2) as engine:
                engine.window = 64  # as for 32 workers: all are kept busy
                done = engine.run(iter(shards), repr)
                next(done)
                start = time.perf_counter()
                handed = sum(1 for _ in done)
                print(f"{name}: {1e3 * (time.perf_counter() - start) / handed:.2f} ms a shard")
    return True


def processor_time(pid: int) -> float:
    """The seconds of the processor that a process of Linux has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Killer(threading.Thread):
    """Kills one of the processes that ``alive()`` lists, at random moments, so many times."""

    def __init__(self, alive: Any, times: int, seconds: float, seed: int) -> None:
        super().__init__(daemon=True)
        self.alive, self.times, self.seconds, self.killed = alive, times, seconds, 0
        self.random, self.done = random.Random(seed), threading.Event()

    def run(self) -> None:
        """Wait, kill, and again."""
        while self.killed < self.times and not self.done.wait(self.random.expovariate(1 / self.seconds)):
            found = self.alive()
            if found:
                try:
                    os.kill(self.random.choice(found), signal.SIGKILL)
                    self.killed += 1
                except ProcessLookupError:
                    pass


def workers(arguments: argparse.Namespace) -> bool:
    """Workers killed at random; the report must be that of a quiet run."""
    quiet = quiet_report(arguments)
    with tempfile.TemporaryDirectory() as ledger:
        if arguments.dask:
            import dask
            from distributed import Client, LocalCluster

            # A local cluster gives up a worker that is not back within 15 seconds: on a busy machine, all of them.
            dask.config.set({"distributed.deploy.lost-worker-timeout": "10 minutes"})
            local = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
            with local as cluster, Client(cluster) as dask_client:

                def processes() -> list[int]:
                    # Dask starts no other worker for one that died while it was started.
                    nannies = [nanny for nanny in cluster.workers.values() if nanny.status.name == "running"]
                    alive = [nanny.process for nanny in nannies if nanny.process is not None]
                    return [each.pid for each in alive if each.pid and each.status.name == "running"]

                killer = Killer(processes, arguments.kills, arguments.every, 0)
                killer.start()
                executor = dask_client.get_executor()
                report = verify.sweep(
                    RIGHT, cases=arguments.cases, ledger=ledger, executor=executor, workers=2
                )
                killer.done.set()
        else:
            pools: list[ProcessPoolExecutor] = []

            def pool() -> Executor:
                pools.append(
                    ProcessPoolExecutor(2, multiprocessing.get_context("spawn"), worker.start_worker)
                )
                return pools[-1]

            killer = Killer(lambda: list(pools[-1]._processes or ()), arguments.kills, arguments.every, 0)
            killer.start()
            report = verify.sweep(RIGHT, cases=arguments.cases, ledger=ledger, executor=pool, workers=2)
            killer.done.set()
    judged = sum(report.judged.values())
    print(f"{killer.killed} workers killed in {report.seconds:.0f} s; cases lost {arguments.cases - judged}")
    print(f"the report is that of the quiet run: {told(report) == told(quiet)}")
    return told(report) == told(quiet) and judged == arguments.cases


CLIENT = """
import sys, verify
if __name__ == "__main__":
    verify.sweep(sys.argv[1], cases=int(sys.argv[2]), ledger=sys.argv[3], workers=2)
"""


def client(arguments: argparse.Namespace) -> bool:
    """The client killed at random and started again with the same command."""
    quiet = quiet_report(arguments)
    chance, kills = random.Random(0), 0
    with tempfile.TemporaryDirectory() as directory:
        script = Path(directory) / "client.py"
        script.write_text(CLIENT)
        command = [sys.executable, str(script), RIGHT, str(arguments.cases), f"{directory}/ledger"]
        while kills < arguments.kills:
            process = subprocess.Popen(command)
            try:
                process.wait(5 + chance.expovariate(1 / arguments.every))
                break  # it was quicker
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                kills += 1
        report = verify.sweep(RIGHT, cases=arguments.cases, ledger=f"{directory}/ledger", workers=2)
    judged = sum(report.judged.values())
    print(f"client killed {kills} times; cases lost {arguments.cases - judged}")
    print(f"the report is that of the quiet run: {told(report) == told(quiet)}")
    return told(report) == told(quiet) and judged == arguments.cases


DEADLY = """
import os, zlib, mlp_ref
def gradient(params, x, y):
    if zlib.crc32(x.tobytes()) % 10_000 == 0:
        os._exit(1)
    return mlp_ref.loss_and_gradient(params, x, y)[1]
"""


def deadly(arguments: argparse.Namespace) -> bool:
    """A target that ends its process in one case of ten thousand: that case is found, all others are judged."""
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / "net.py").write_text(DEADLY)
        report = verify.sweep(
            f"{directory}/net.py:gradient", cases=arguments.cases, ledger=f"{directory}/l", workers=2
        )
    judged = sum(report.judged.values())
    print(report)
    kinds = [(finding.check, finding.verdict) for finding in report.findings]
    return judged == arguments.cases and kinds == [("runs", "crashed")]


WRITER = """
import sys
from verify.oracle.sweep.ledger import FILE, Ledger
book = Ledger(sys.argv[1])
log = book.path.with_name(FILE + "-wal")
for i in range(100_000):
    book.put(f"{i:06}", {"n": i, "text": "x" * 6000})
    print(i, log.stat().st_size, flush=True)
"""


def power(arguments: argparse.Namespace) -> bool:
    """A ledger's writer killed at a random moment, and the log cut and followed by noise after the last commit that
    it told of: as many times as there are kills.
    """
    chance, lost = random.Random(0), 0
    for _ in range(arguments.kills):
        with tempfile.TemporaryDirectory() as directory:
            command = [sys.executable, "-c", WRITER, directory]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
                assert writer.stdout is not None
                told = [writer.stdout.readline() for _ in range(chance.randrange(1, 200))]
                writer.kill()
                told += writer.stdout.read().splitlines(keepends=True)
            last, size = map(int, [line for line in told if line.endswith("\n")][-1].split())
            log = Path(directory) / f"{FILE}-wal"
            content = log.read_bytes()
            kept = content[: chance.randrange(min(size, len(content)), len(content) + 1)]
            log.write_bytes(kept + chance.randbytes(chance.randrange(9000)))
            with Ledger(directory) as book:
                lost += sum((book.get(f"{i:06}") or {}).get("n") != i for i in range(last + 1))
    print(f"{arguments.kills} times killed in a write and torn; committed results lost {lost}")
    return lost == 0


def nightly(arguments: argparse.Namespace) -> bool:
    """Every activation and loss of mlp_ref, from the command line; a failing case is a false alarm."""
    with tempfile.TemporaryDirectory() as scratch:
        ledger = arguments.ledger or scratch
        options = ["--cases", str(arguments.cases), "--ledger", ledger, "--workers", "2", "--progress"]
        return verify_command(["sweep", *options]) == 0


def devices(arguments: argparse.Namespace) -> bool:
    """The sharded gradients of examples/jax_data_parallel.py, judged on 1, 2, 4 and 8 virtual devices."""
    fine = True
    for count in (1, 2, 4, 8):
        for kind in ("data_parallel", "tensor_parallel"):
            flags = f"--xla_force_host_platform_device_count={count}"
            command = [
                "-m",
                "verify",
                "check",
                f"examples/jax_data_parallel.py:{kind}",
                "--cases",
                str(arguments.cases),
            ]
            result = subprocess.run(
                [sys.executable, *command],
                cwd=ROOT,
                env={**os.environ, "XLA_FLAGS": flags},
                capture_output=True,
                text=True,
                check=False,
            )
            print(f"{count} devices: {result.stdout.partition(chr(10))[0] or result.stderr}", flush=True)
            fine = fine and result.returncode == 0
    return fine


PARTS = {
    "scaling": (scaling, 10_000),
    "bookkeeping": (bookkeeping, 5_000),
    "scheduler": (scheduler, 2_000),
    "workers": (workers, 200_000),
    "client": (client, 50_000),
    "deadly": (deadly, 20_000),
    "power": (power, 1),
    "devices": (devices, 40),
    "nightly": (nightly, 1_000_000),
}


def main() -> int:
    """Show one part."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--cases", type=int)
    parser.add_argument("--turns", type=int, default=3, help="of scaling (default 3)")
    parser.add_argument("--kills", type=int, default=30, help="(default 30)")
    parser.add_argument("--every", type=float, default=10.0, help="mean seconds between kills (default 10)")
    parser.add_argument("--dask", action="store_true", help="workers of a local Dask cluster")
    parser.add_argument("--quiet", metavar="DIR", help="keep the run that nobody kills in this ledger")
    parser.add_argument("--ledger", metavar="DIR", help="of nightly (default: one that is thrown away)")
    arguments = parser.parse_args()
    part, cases = PARTS[arguments.part]
    arguments.cases = arguments.cases or cases
    holds = part(arguments)
    print("holds" if holds else "DOES NOT HOLD")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
