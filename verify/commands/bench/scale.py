"""The growth of time and memory with the batch, the width and the depth of a network."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from verify.commands.bench.cells import Cell
from verify.commands.bench.crew import crew
from verify.commands.bench.measure import Effort, MeasuredSpread, take_turns
from verify.commands.bench.peers import OURS
from verify.commands.bench.task import Task

JAX, WORKSPACE = "jax_jit", "workspace"

AXES: dict[str, tuple[str, tuple[Cell, ...]]] = {
    "batch": (
        "784-16-16-10, by rows",
        tuple(Cell((784, 16, 16, 10), rows) for rows in (1, 10, 100, 1_000, 10_000, 100_000)),
    ),
    "width": (
        "three layers of one width at 64 rows",
        tuple(Cell((width,) * 3, 64) for width in (16, 64, 256, 1024, 4096)),
    ),
    "depth": (
        "layers of 64 at 64 rows, by their number",
        tuple(Cell((64,) * (depth + 1), 64) for depth in (1, 2, 4, 8, 16, 32, 64)),
    ),
}
"""What grows, how it is described, and the cells; float32, one thread."""


@dataclass(frozen=True)
class ScaleLine:
    """Time and memory along one axis, a value for each size.

    Attributes
    ----------
    axis, network, sizes
        What grows, in what, and how large it is.
    seconds, seconds_jax
        For a plain call of a network, and for the same of JAX jit.
    bytes_step
        The most that a gradient in a workspace allocates while it runs.
    bytes_call
        The same for a plain call, its results included.
    """

    axis: str
    network: str
    sizes: list[int]
    seconds: list[MeasuredSpread]
    seconds_jax: list[MeasuredSpread]
    bytes_step: list[int]
    bytes_call: list[int]


def scale_size(axis: str, cell: Cell) -> int:
    """Return what `axis` is in a cell."""
    return {"batch": cell.batch, "width": cell.layer_sizes[0], "depth": len(cell.layer_sizes) - 1}[axis]


def scale_exponent(sizes: Sequence[int], values: Sequence[float]) -> float:
    """The power of the size that the values follow: least squares on logarithms, over the larger half of the sizes.

    The smaller half shows what a call costs whatever the size, and would hide the power.
    """
    half = len(sizes) // 2
    slope, _ = statistics.linear_regression(
        [math.log(size) for size in sizes[half:]], [math.log(value) for value in values[half:]]
    )
    return slope


def measure_scale(*, quick: bool = False) -> Iterator[ScaleLine]:
    """A line for each axis; a quick run leaves out its two largest sizes."""
    effort = Effort(seconds=2, fewest=3, most=9)
    with crew("gradient", (OURS, JAX, WORKSPACE), threads=1) as members:
        for axis, (network, cells) in AXES.items():
            line = ScaleLine(axis, network, [], [], [], [], [])
            for cell in cells[: -2 if quick else None]:
                for member in members.values():
                    member.ask("prepare", Task("gradient", cell))
                taken = take_turns({name: members[name] for name in (OURS, JAX)}, effort)
                line.sizes.append(scale_size(axis, cell))
                line.seconds.append(MeasuredSpread.of(taken[OURS]))
                line.seconds_jax.append(MeasuredSpread.of(taken[JAX]))
                line.bytes_step.append(members[WORKSPACE].ask("allocated", 2))
                line.bytes_call.append(members[OURS].ask("allocated", 2))
                for member in members.values():
                    member.ask("drop")
            yield line
