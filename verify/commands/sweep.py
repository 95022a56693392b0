"""``python -m verify sweep [TARGET]``: judge a gradient on millions of cases, on several processes or a cluster."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, NamedTuple

from verify.case.case import REGIMES
from verify.checks.table import FOLLOW_UPS
from verify.commands.integers import positive_integer
from verify.commands.live_view import live_view
from verify.oracle.sweep.engine import EngineBroken
from verify.oracle.sweep.kept_sweeps import KeptSweep, kept_sweeps
from verify.oracle.sweep.ledger import FILE
from verify.oracle.sweep.plan import SHARD
from verify.oracle.sweep.sweep import SweepPlace, SweepRefused, sweep_places
from verify.subject import mlp_ref_targets
from verify.subject.target_options import add_target_options, target_from_options

MLP_REF = "mlp_ref"

OF_A_CHECK = ("exec", "timeout", "signature", "reference", "loss_function", "forward_function", "options")
"""Options of ``python -m verify check`` that a sweep cannot serve."""

OF_A_TARGET = ("hidden", "output", "loss", "reduction", "l2", "weights")
"""Options that say what a target is the gradient of: of mlp_ref, each is swept."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the target and the options of ``python -m verify sweep``."""
    parser.add_argument(
        "target",
        metavar="TARGET",
        nargs="?",
        default=MLP_REF,
        help="module:name or path/to/file.py:name (default: every activation and loss of mlp_ref)",
    )
    add_target_options(_leaving_out(parser, OF_A_CHECK))
    parser.add_argument(
        "--cases", type=positive_integer, default=100_000, help="how many cases, such as 1e7 (default 1e5)"
    )
    parser.add_argument(
        "--ledger",
        metavar="DIR",
        required=True,
        help="directory of the results; the same command goes on from there",
    )
    parser.add_argument(
        "--status", action="store_true", help="show how the sweeps in the ledger stand, and end"
    )
    parser.add_argument(
        "--workers",
        type=positive_integer,
        help="processes, or workers of the cluster (default: a core each, or all)",
    )
    parser.add_argument(
        "--shard",
        type=positive_integer,
        default=SHARD,
        help=f"cases that a process is given at once (default {SHARD}): fewer for a slow target, more for "
        "thousands of workers; another number draws other cases",
    )
    parser.add_argument("--dask", metavar="ADDRESS", help="a Dask scheduler, such as tcp://scheduler:8786")
    parser.add_argument(
        "--progress", action="store_true", help="write lines of progress where there is no terminal"
    )
    parser.add_argument("--json", metavar="FILE", help="write the report to this file as well")


def _leaving_out(parser: argparse.ArgumentParser, names: tuple[str, ...]) -> Any:
    """Return an ``add_argument`` that hides these options from the help: they are there to be refused."""

    def add(option: str, **settings: Any) -> None:
        hidden = option[2:].replace("-", "_") in names
        parser.add_argument(option, **{**settings, **({"help": argparse.SUPPRESS} if hidden else {})})

    return add


def run(arguments: argparse.Namespace) -> int:
    """Run ``verify sweep``: sweep, print the report, and return 0 where the gradient is verified, else 1.

    Raises
    ------
    ValueError, TypeError, OSError
        When the command or its target cannot be used; the caller prints the message and exits with 2.
    """
    if arguments.status:
        return _status(arguments.ledger)
    if arguments.json and not Path(arguments.json).resolve().parent.is_dir():
        raise ValueError(f"--json must name a file in a directory that exists; got {arguments.json}")
    _require_served(arguments)
    places, options = _places(arguments)
    _say_what_is_not_counted(places, arguments.ledger)
    try:
        with (
            _cluster(arguments.dask) as cluster,
            live_view(arguments.target, arguments.progress) as watch,
        ):
            report = sweep_places(
                places,
                arguments.target,
                cases=arguments.cases,
                ledger=arguments.ledger,
                seed=arguments.seed,
                executor=cluster.executor,
                workers=arguments.workers or cluster.workers,
                options=options,
                checks=FOLLOW_UPS,
                shard=arguments.shard,
                watch=watch,
                diagnose=True,
            )
    except (EngineBroken, SweepRefused) as error:
        raise ValueError(str(error)) from error
    if arguments.json:
        Path(arguments.json).write_text(report.to_json() + "\n", encoding="utf-8")
    print(report)
    if report.interrupted:
        print("the same command goes on from here")
    return 0 if report.ok and not report.interrupted else 1


def _status(directory: str) -> int:
    found = kept_sweeps(directory)
    path = Path(directory) / FILE
    size = sum(file.stat().st_size for file in path.parent.glob(f"{FILE}*"))
    print(f"{path}: {len(found)} sweep{'' if len(found) == 1 else 's'}, {size / 1e6:.1f} MB")
    for each in found:
        print(f"\n{each}")
    return 0


def _require_served(arguments: argparse.Namespace) -> None:
    """Refuse what a sweep cannot do; what it cannot do is not left out in silence."""
    given = {name for name in (*OF_A_CHECK, *OF_A_TARGET) if getattr(arguments, name) is not None}
    if given & {"exec", "signature", "timeout"}:
        raise ValueError(
            "a sweep takes no --exec, --signature or --timeout: each process loads the target itself. Write "
            "gradient = verify.Program('COMMAND') in a file, and sweep file.py:gradient"
        )
    for name in OF_A_CHECK:
        if name in given:
            raise ValueError(
                f"a sweep takes no --{name.replace('_', '-')}: it judges the gradients of networks. "
                "python -m verify check takes it"
            )
    if arguments.target == MLP_REF and given:
        options = ", ".join(f"--{name}" for name in OF_A_TARGET if name in given)
        raise ValueError(
            f"{options}: name a TARGET; without one, every activation and loss of mlp_ref is swept"
        )


def _say_what_is_not_counted(places: list[SweepPlace], ledger: str) -> None:
    """Say where the ledger has results for a target, but from other code or versions."""
    if not (Path(ledger) / FILE).is_file():
        return
    wheres = {place.where for place in places}
    others: dict[str, KeptSweep] = {}
    for each in kept_sweeps(ledger):
        if wheres == {job.where for job, _ in each.plan.jobs} and each.standing.judged:
            if not each.others:
                return
            others.setdefault(each.plan.target, each)
    for target, each in others.items():
        print(
            f"{each.standing.judged:,} cases of {target} in {ledger} do not count, since they were judged by other "
            f"code: {'; '.join(each.others)}",
            file=sys.stderr,
        )


def _places(arguments: argparse.Namespace) -> tuple[list[SweepPlace], dict[str, Any]]:
    """Return what is swept, and the options of `verify.cases`."""
    chosen: dict[str, Any] = {"dtypes": None, "regimes": tuple(REGIMES), "labels": arguments.labels}
    if arguments.target == MLP_REF:
        for name in ("dtypes", "regimes"):
            given = getattr(arguments, name)
            if given is not None:
                chosen[name] = tuple(item.strip() for item in given.split(","))
        return [
            SweepPlace(where, spec) for where, spec in mlp_ref_targets.places_of_mlp_ref_targets()
        ], chosen
    _, given = target_from_options(arguments.target, vars(arguments))
    chosen.update({name: given[name] for name in chosen if given.get(name) is not None})
    source, _, name = arguments.target.rpartition(":")
    where = f"{Path(source).resolve()}:{name}" if source.endswith(".py") else arguments.target
    return [SweepPlace(where, given["spec"])], chosen


class _Cluster(NamedTuple):
    """An executor and its number of workers; both None for processes of this machine."""

    executor: Executor | None
    workers: int | None


@contextlib.contextmanager
def _cluster(address: str | None) -> Iterator[_Cluster]:
    """The executor of a Dask cluster; its own view of what it does is named."""
    if address is None:
        yield _Cluster(None, None)
        return
    try:
        from distributed import Client
    except ModuleNotFoundError:
        raise ValueError("--dask needs distributed: pip install distributed") from None
    with Client(address) as client:
        workers = sum(client.nthreads().values())
        if not workers:
            raise ValueError(f"the Dask scheduler at {address} has no workers")
        if client.dashboard_link:
            print(f"Dask's own view: {client.dashboard_link}", file=sys.stderr)
        yield _Cluster(client.get_executor(), workers)
