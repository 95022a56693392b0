"""``python -m verify bench``: the options, the plan, and what is written."""

from __future__ import annotations

import argparse
import importlib.util
import math
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from verify.commands.bench import cells, machine, page, scale, startup
from verify.commands.bench.cells import Cell
from verify.commands.bench.crew import CORETYPE, CrewMember, CrewMemberFailed, crew, crew_cores
from verify.commands.bench.measure import Effort
from verify.commands.bench.peers import EPOCHS, GRADIENTS, KINDS, OURS, PREDICTIONS
from verify.commands.bench.results import BenchResults
from verify.commands.bench.rows import BenchRow, measure_row
from verify.commands.bench.task import Task

NAMES = {**GRADIENTS, **EPOCHS, **PREDICTIONS}

EPOCH_ROWS = 60_000
"""Rows of the training set: as many as MNIST has."""

SECONDS = 6.0
"""Seconds of the rounds of one cell."""

INTERRUPTED = 130


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``python -m verify bench`` to `parser`."""
    parts = parser.add_argument_group("parts (without any: --gradients)")
    parts.add_argument(
        "--gradients", action="store_true", help="loss and gradient, over a grid of networks and batches"
    )
    parts.add_argument(
        "--training", action="store_true", help=f"an epoch over {EPOCH_ROWS:,} rows of 784 numbers"
    )
    parts.add_argument("--prediction", action="store_true", help="the classes of 1 to 60,000 rows")
    parts.add_argument("--scale", action="store_true", help="time and memory against batch, width and depth")
    parts.add_argument("--startup", action="store_true", help="import mlp_ref beside import numpy")
    parser.add_argument(
        "--cells", nargs="+", metavar="CELL", help="for example 784-16-16-10@32 or 10x256@256"
    )
    parser.add_argument("--peers", nargs="+", metavar="PEER", help=f"of {', '.join(NAMES)}")
    parser.add_argument(
        "--dtypes", nargs="+", choices=cells.DTYPES, default=cells.DTYPES, help="default: both"
    )
    parser.add_argument("--hidden", choices=("sigmoid", "tanh", "relu", "identity"), default="sigmoid")
    parser.add_argument(
        "--threads", nargs="+", type=int, default=[1], metavar="N", help="for everyone; default: 1"
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=SECONDS,
        metavar="S",
        help="for the rounds of one cell; an epoch gets three times as many; default: %(default)g",
    )
    parser.add_argument("--quick", action="store_true", help="few cells, few rounds, float32: under a minute")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything that was measured")
    parser.add_argument("--page", type=Path, metavar="FILE", help="write the results page, Markdown")
    parser.add_argument(
        "--plot", type=Path, metavar="FILE", help="draw the ratios as a heat map: .png, .svg or .pdf"
    )
    parser.add_argument(
        "--show", nargs="+", type=Path, metavar="JSON", help="measure nothing: show earlier runs"
    )


def run(args: argparse.Namespace) -> int:
    """Run ``verify bench``: measure what the options ask for, print the page, write the files.

    Returns
    -------
    status : int
        0, or 1 where this project's own result was wrong, 2 where the options cannot be used, 130 after Ctrl-C.
    """
    try:
        _check(args)
        found = BenchResults.load(args.show) if args.show else BenchResults(machine.describe_machine())
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    status = 0
    if not args.show:
        try:
            _measure(args, found)
        except KeyboardInterrupt:
            print("interrupted: what follows was measured until then", file=sys.stderr)
            status = INTERRUPTED
        except (OSError, CrewMemberFailed) as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
    text = page.bench_page(found, args.plot)
    print(text)
    if args.page:
        args.page.write_text(text + "\n", encoding="utf-8")
    if args.json:
        found.save(args.json)
    if args.plot and found.gradients:
        from verify.commands.bench import plot

        plot.plot_ratios(found.gradients, args.plot)
    return status or int(
        any(row.ours_is_wrong for row in [*found.gradients, *found.training, *found.predictions])
    )


def _check(args: argparse.Namespace) -> None:
    """Refuse what cannot be done, before anything takes time."""
    for threads in args.threads:
        crew_cores(threads)
    if not 0 < args.seconds < math.inf:
        raise ValueError(f"--seconds must be positive, got {args.seconds}")
    for text in args.cells or ():
        Cell.parse(text)
    for name in args.peers or ():
        if not any(name in peers for peers in KINDS.values()):
            raise ValueError(f"--peers must be of {', '.join(NAMES)}; got {name!r}")
        for peer in (peers[name] for peers in KINDS.values() if name in peers):
            if not peer.available:
                raise ValueError(
                    f"the peer {name} needs {peer.install or peer.library}: pip install it first"
                )
    if not args.show and importlib.util.find_spec("jax") is None:
        raise ValueError("every result is checked against JAX first: pip install jax")
    if args.plot and importlib.util.find_spec("matplotlib") is None:
        raise ValueError("--plot needs matplotlib: pip install matplotlib")
    if args.plot and args.plot.suffix not in (".png", ".svg", ".pdf"):
        raise ValueError(f"--plot must end in .png, .svg or .pdf, got {args.plot}")
    for option, path in (("--json", args.json), ("--page", args.page), ("--plot", args.plot)):
        if path is not None and not path.absolute().parent.is_dir():
            raise ValueError(f"{option} must name a file in a directory that exists; got {path}")


def _measure(args: argparse.Namespace, found: BenchResults) -> None:
    """Each part that was asked for; what has been measured is in `found` at any time."""
    if CORETYPE in os.environ:
        _tell(f"{CORETYPE}={os.environ[CORETYPE]} is set here; all peers are measured without it")
    if args.gradients or not (args.training or args.prediction or args.scale or args.startup):
        for threads in args.threads:
            for row in _rows("gradient", _gradient_tasks(args), args, threads, _effort(args, threads), found):
                found.gradients.append(row)
    if args.training:
        for threads in args.threads:
            effort = _settled(Effort(seconds=3 * args.seconds, fewest=3, most=7), threads)
            for row in _rows("epoch", _epoch_tasks(args), args, threads, effort, found):
                found.training.append(row)
    if args.prediction:
        for threads in args.threads:
            for row in _rows(
                "prediction", _prediction_tasks(args), args, threads, _effort(args, threads), found
            ):
                found.predictions.append(row)
    if args.scale:
        for line in scale.measure_scale(quick=args.quick):
            _tell(f"scale: {line.axis}")
            found.scale.append(line)
    if args.startup:
        found.startup = startup.measure_startup()


def _rows(
    kind: str, tasks: list[Task], args: argparse.Namespace, threads: int, effort: Effort, found: BenchResults
) -> Iterator[BenchRow]:
    """A row for each task; a line on each goes to standard error as it is done."""
    known = KINDS[kind]
    wanted = [name for name in known if name == OURS or name in (args.peers or known)]
    for name in wanted:
        if not known[name].available:
            _tell(f"{known[name].title} is left out: {known[name].library} is not installed")
    available = [name for name in wanted if known[name].available]
    with crew(kind, available, threads) as members, crew(kind, [OURS], threads) as judges:
        for number, task in enumerate(tasks, start=1):
            truth = judges[OURS].ask("truth", task)
            row = measure_row(task, truth, members, effort, threads)
            ratios = ", ".join(
                f"{known[name].title} {ratio.median:.2f}" for name, ratio in row.ratios.items()
            )
            _tell(f"[{number}/{len(tasks)}] {kind} {task.cell} {task.dtype}, {threads} thread(s): {ratios}")
            for name, note in row.notes.items():
                _tell(f"    {known[name].title}: {note}")
            yield row
        for name, member in members.items():
            _note_kernels(found, known[name].library, member)


def _note_kernels(found: BenchResults, library: str, member: CrewMember) -> None:
    """Put the kernels of a peer's library into the table of the machine, and warn of those below the processor."""
    key = f"BLAS beside {library}"
    if key in found.machine:
        return
    kernels = member.ask("kernels")
    found.machine[key] = "; ".join(kernels) or "none that threadpoolctl knows"
    below = [kernel for kernel in kernels if machine.machine_below_processor(kernel)]
    if below:
        found.machine[key] += " (below the processor)"
        _tell(f"warning: {library} runs {'; '.join(below)} kernels, though the processor has AVX-512")


def _gradient_tasks(args: argparse.Namespace) -> list[Task]:
    default = cells.QUICK if args.quick else cells.GRID
    chosen = cells.cells(*args.cells) if args.cells else default
    dtypes = args.dtypes[:1] if args.quick else args.dtypes
    return [Task("gradient", cell, dtype, args.hidden) for dtype in dtypes for cell in chosen]


def _epoch_tasks(args: argparse.Namespace) -> list[Task]:
    chosen = cells.cells(*args.cells) if args.cells else cells.TRAINING[: 1 if args.quick else None]
    return [Task("epoch", cell, "float32", args.hidden, rows=EPOCH_ROWS) for cell in chosen]


def _prediction_tasks(args: argparse.Namespace) -> list[Task]:
    chosen = cells.cells(*args.cells) if args.cells else cells.PREDICTIONS[: 2 if args.quick else None]
    return [Task("prediction", cell, "float32", args.hidden) for cell in chosen]


def _effort(args: argparse.Namespace, threads: int) -> Effort:
    quick = Effort(seconds=2, fewest=3, most=11, turn=0.005)
    return _settled(quick if args.quick else Effort(seconds=args.seconds), threads)


def _settled(effort: Effort, threads: int) -> Effort:
    """Several threads need time to fall asleep after a turn, and to be given a core each at the next.

    Threads that wait for work in a loop, as OpenBLAS's and OpenMP's do for a while, would slow the next peer. Threads
    that have just been woken share a core until the system moves one of them, for many milliseconds.
    """
    return replace(effort, pause=0.03, warm=0.15, turn=max(effort.turn, 0.1)) if threads > 1 else effort


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser)
    sys.exit(run(parser.parse_args()))
