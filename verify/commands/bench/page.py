"""The results of a run as a page of Markdown that reads as well in a terminal. Ratios come first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

from verify.commands.bench.measure import MeasuredSpread, geometric_mean
from verify.commands.bench.peers import KINDS, OURS, PRODUCTS
from verify.commands.bench.results import BenchResults
from verify.commands.bench.rows import BenchRow
from verify.commands.bench.scale import ScaleLine, scale_exponent
from verify.commands.bench.startup import Startup

METHOD = """\
A ratio is a peer's time over ours: above 1, ours is faster. Every peer is a process of its own, bound to the same
cores and told the same number of threads before it imports anything. In each round each peer takes one turn, in
random order, and the ratio is formed within the round; a cell shows the median over the rounds and, after ±, half
the distance between the quartiles. No peer is timed before its result has been found right: within the derived bound
on its rounding error, entry by entry, or, where that bound is vacuous (a wide network in float32), within the
square root of the unit roundoff, relative to the largest entry of its tensor. All have the same numbers: integer
labels, a sigmoid network unless said otherwise, softmax with cross-entropy, the mean over the batch. With several
threads, a turn begins with untimed calls for 0.15 s: threads that have just been woken may share a core. Every BLAS
runs the kernels that it chooses itself: `OPENBLAS_CORETYPE` is not passed on. Which these are is in the table of the
machine."""

PEERS = {
    "gradient": """\
Ours is `net.loss_and_gradient(x, y)`, the call that most people write: its arguments are checked, and the gradient it
returns is the caller's to keep. `the function` is `mlp_ref.loss_and_gradient(params, x, y)`, which checks the
parameters too; `in a workspace` checks nothing but whether the workspace fits, and returns a gradient that the next
call overwrites. `JAX jit` has its arrays on the device and waits for one result. It hands each call to another
thread, as is its default on a CPU; `JAX jit, synchronous` is told not to, and is JAX at its best. `JAX, NumPy in and
out` is how a NumPy user calls it. `scikit-learn` is the private method that computes its gradient. `matrix products
alone` are those of one gradient, made as `mlp_ref` makes them, with nothing between them: its ratio is the fraction
of our time that they take. `PyTorch's products alone` are the same products by PyTorch's BLAS: where that is the
faster one, on a processor, a gradient of wide layers in NumPy cannot keep up.""",
    "prediction": """\
The number after @ is that of the rows. Ours is `net.predict(x)`, which checks that every number of `x` is finite.
`JAX jit` has its arrays on the device; `PyTorch eager` is in inference mode; `scikit-learn` is `MLPClassifier.predict`;
`ONNX Runtime` has the network as a model that it has optimised. All return classes.""",
    "epoch": """\
Shuffling, every step and the mean loss are included; ours counts the right predictions and checks its arguments too.
`gradients alone` and `rows alone` are the two parts of it that take longest: the gradients, all of one batch that stays
in the cache, and the rows, shuffled and copied batch by batch. Their ratio is the fraction of our time that they take.
`the notebook's loop` is the algorithm this project began with, its formulas put right: one sample at a time, in NumPy's
float64. It trains on fewer rows, and its time is scaled up.""",
}

SCALE = """\
The exponent is the power of the size that the larger half of the sizes follows. A plain call allocates the gradient
that it returns, unless it can take the memory of one that is no longer held, a few Python objects, and the buffer
through which NumPy broadcasts, of 8,192 numbers at most. A gradient in a workspace allocates the last two alone."""


RUN = """\
```
pip install '.[verify,peers,plot]'
python -m verify bench                      # loss and gradient, in float32 and float64
python -m verify bench --quick              # in less than a minute
python -m verify bench --prediction --training --scale --startup
python -m verify bench --threads 2 --cells 784-128-10@128 --peers jax_jit torch
```

A peer whose library is not installed is left out. PyTorch is not among the extras, because its default build for Linux
brings gigabytes for graphics cards: install the CPU build as its own site says. Times mean little on a busy machine;
ratios survive some of it, since all peers meet the same load, and the figure after ± says how far to trust them.
With more than one thread they survive less: OpenBLAS's threads wait for each other in a loop, and where another
process, or another guest of a virtual machine's host, takes one of their cores, a product takes many times as long."""


def bench_page(found: BenchResults, picture: Path | None = None) -> str:
    """The page of the bench's results."""
    parts = ["# Benchmarks", METHOD]
    if picture and found.gradients:
        parts.append(f"![Ratios as a heat map]({picture.name})")
    for title, rows in (
        ("Loss and gradient", found.gradients),
        ("Prediction", found.predictions),
        ("One epoch of training", found.training),
    ):
        for (threads, dtype), group in groupby(rows, key=lambda row: (row.threads, row.dtype)):
            plural = "s" if threads > 1 else ""
            parts += _rows(f"{title}: {dtype}, {threads} thread{plural}", list(group))
        if rows:
            parts.append(PEERS[rows[0].kind])
    if found.scale:
        parts += _scale(found.scale)
    if found.startup:
        parts += _startup(found.startup)
    machine = _table(("", ""), list(found.machine.items()))
    return "\n\n".join([*parts, "## The machine", machine, "## Run it yourself", RUN])


def _rows(heading: str, rows: list[BenchRow]) -> list[str]:
    peers = KINDS[rows[0].kind]
    measured = [name for name in peers if any(name in row.ratios for row in rows)]
    titles = [peers[name].title for name in measured]
    ratios = [[row.cell, *(_ratio(row, name) for name in measured)] for row in rows]
    times = [[row.cell, *(_time(row.seconds.get(name)) for name in (OURS, *measured))] for row in rows]
    summary = [[peers[name].title, *_summary(rows, name)] for name in measured]
    parts = [
        f"## {heading}",
        _table(("peer's time over ours", *titles), ratios),
        _table(("over all cells", "least", "in", "geometric mean"), summary),
        "Times, median:",
        _table(("", peers[OURS].title, *titles), times),
    ]
    notes = [
        f"- {row.cell}: {peers[name].title} not timed, {note}"
        for row in rows
        for name, note in row.notes.items()
    ]
    return [*parts, "\n".join(notes)] if notes else parts


def _ratio(row: BenchRow, name: str) -> str:
    spread = row.ratios.get(name)
    return f"{spread.median:.2f} ±{(spread.high - spread.low) / 2:.2f}" if spread else "-"


def _summary(rows: list[BenchRow], name: str) -> tuple[str, str, str]:
    """The least ratio, where, and the geometric mean; of products, only what takes over a millisecond counts."""
    counted = [
        (row.ratios[name].median, row.cell)
        for row in rows
        if name in row.ratios and (name not in PRODUCTS or row.seconds[name].median > 1e-3)
    ]
    if not counted:
        return "-", "no cell over 1 ms", "-"
    least, cell = min(counted)
    return f"{least:.2f}", cell, f"{geometric_mean([ratio for ratio, _ in counted]):.2f}"


def _scale(lines: list[ScaleLine]) -> list[str]:
    parts = [
        "## Scale: float32, 1 thread",
        SCALE,
    ]
    for line in lines:
        body = [
            ["ours", *map(_time, line.seconds), _exponent(line, [spread.median for spread in line.seconds])],
            ["JAX jit", *map(_time, line.seconds_jax), _exponent(line, [s.median for s in line.seconds_jax])],
            ["allocated by a plain call", *map(_bytes, line.bytes_call), _exponent(line, line.bytes_call)],
            ["allocated in a workspace", *map(_bytes, line.bytes_step), "-"],
        ]
        header = (f"{line.axis} ({line.network})", *(f"{size:,}" for size in line.sizes), "exponent")
        parts.append(_table(header, body))
    return parts


def _exponent(line: ScaleLine, values: Sequence[float]) -> str:
    return f"{scale_exponent(line.sizes, values):.2f}"


def _startup(startup: Startup) -> list[str]:
    body = [[_time(startup.numpy), _time(startup.mlp_ref), f"{startup.ratio.median:.2f} times"]]
    return ["## Import", _table(("import numpy", "import mlp_ref", "the second over the first"), body)]


def _time(spread: MeasuredSpread | None) -> str:
    if spread is None:
        return "-"
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if spread.median >= size:
            return f"{spread.median / size:.3g} {unit}"
    return f"{spread.median / 1e-6:.3g} µs"


def _bytes(number: float) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number:.0f} B"


def _table(header: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    """A Markdown table whose columns are padded, so that it reads as it stands."""
    rows = [list(header), *(list(row) for row in body)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(header))]
    padded = [
        [
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        for row in rows
    ]
    rule = [("-" * (width - 1) + ":") if i else "-" * width for i, width in enumerate(widths)]
    return "\n".join("| " + " | ".join(row) + " |" for row in [padded[0], rule, *padded[1:]])
