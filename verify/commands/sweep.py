"""``python -m verify sweep [TARGET]``: judge a gradient on millions of cases, on several processes or a cluster."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from verify.case.recipe import REGIMES
from verify.checks.table import FOLLOW_UPS
from verify.commands.progress import progress_bar
from verify.oracle.sweep.run import Place, sweep_places
from verify.subject import mlp_ref_targets
from verify.subject.options import add_options, judged

MLP_REF = "mlp_ref"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the target and the options of ``python -m verify sweep``."""
    parser.add_argument(
        "target",
        metavar="TARGET",
        nargs="?",
        default=MLP_REF,
        help="module:name or path/to/file.py:name (default: every activation and loss of mlp_ref)",
    )
    add_options(parser.add_argument)
    parser.add_argument(
        "--cases", type=_count, default=100_000, help="how many cases, such as 1e7 (default 1e5)"
    )
    parser.add_argument(
        "--ledger",
        metavar="DIR",
        required=True,
        help="directory of the results; the same command goes on from there",
    )
    parser.add_argument(
        "--workers", type=_count, help="processes, or workers of the cluster (default: a core each)"
    )
    parser.add_argument("--dask", metavar="ADDRESS", help="a Dask scheduler, such as tcp://scheduler:8786")
    parser.add_argument("--json", metavar="FILE", help="write the report to this file as well")


def _count(text: str) -> int:
    """A whole number, also as 1e7."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if number < 1 or number != int(number):
        raise argparse.ArgumentTypeError(f"must be a positive integer, such as 1000 or 1e6; got {text!r}")
    return int(number)


def run(arguments: argparse.Namespace) -> int:
    """Sweep, print the report, and return 0 where the gradient is verified, else 1.

    Raises
    ------
    ValueError, TypeError, OSError
        When the command or its target cannot be used; the caller prints the message and exits with 2.
    """
    if arguments.json and not Path(arguments.json).resolve().parent.is_dir():
        raise ValueError(f"--json must name a file in a directory that exists; got {arguments.json}")
    places, options = _places(arguments)
    with _executor(arguments.dask) as executor, progress_bar(arguments.target) as progress:
        report = sweep_places(
            places,
            arguments.target,
            cases=arguments.cases,
            ledger=arguments.ledger,
            seed=arguments.seed,
            executor=executor,
            workers=arguments.workers,
            options=options,
            checks=FOLLOW_UPS,
            progress=progress,
            diagnose=True,
        )
    if arguments.json:
        Path(arguments.json).write_text(report.to_json() + "\n", encoding="utf-8")
    print(report)
    return 0 if report.ok and not report.interrupted else 1


def _places(arguments: argparse.Namespace) -> tuple[list[Place], dict[str, Any]]:
    """Return what is swept, and the options of `verify.cases`."""
    chosen: dict[str, Any] = {"dtypes": None, "regimes": tuple(REGIMES), "labels": arguments.labels}
    if arguments.target == MLP_REF:
        for name in ("dtypes", "regimes"):
            given = getattr(arguments, name)
            if given is not None:
                chosen[name] = tuple(item.strip() for item in given.split(","))
        return [Place(where, spec) for where, spec in mlp_ref_targets.places()], chosen
    if arguments.loss_function or arguments.forward_function:
        raise ValueError("--loss-function and --forward-function are for python -m verify check")
    _, given = judged(arguments.target, vars(arguments))
    chosen.update({name: given[name] for name in chosen if given.get(name) is not None})
    source, _, name = arguments.target.rpartition(":")
    where = f"{Path(source).resolve()}:{name}" if source.endswith(".py") else arguments.target
    return [Place(where, given["spec"])], chosen


@contextlib.contextmanager
def _executor(address: str | None) -> Iterator[Executor | None]:
    """The executor of a Dask cluster; None, for processes of this machine, where no address is given."""
    if address is None:
        yield None
        return
    try:
        from distributed import Client
    except ModuleNotFoundError:
        raise ValueError("--dask needs distributed: install it with pip install 'mlp-ref[dask]'") from None
    with Client(address) as client:
        yield client.get_executor()
