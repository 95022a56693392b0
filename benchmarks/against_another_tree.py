"""The speed of mlp_ref in this tree against another checkout of it, cell by cell, in turns.

    python benchmarks/against_another_tree.py ../before

Each tree has a process of its own; both time the same calls, one after the other, and the ratio is that of the medians
of many turns. A ratio above 1 says that this tree is faster.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent.parent

CELLS = {
    f"{'-'.join(map(str, sizes))}@{batch}": (sizes, batch)
    for sizes, batch in (
        ((16, 16, 16), 8),
        ((64, 32, 10), 32),
        ((784, 16, 16, 10), 1),
        ((784, 16, 16, 10), 32),
        ((784, 16, 16, 10), 1024),
        ((784, 128, 10), 128),
        ((784, 300, 100, 10), 64),
        ((784, 512, 512, 10), 256),
        ((100, 50, 1000), 256),
        ((1024, 1024, 1024, 10), 32),
        ((256,) * 10, 256),
    )
}

WORKER = """
import json, sys, time
import numpy as np
from mlp_ref import MLP, Workspace, loss_and_gradient
sizes, batch, dtype = json.loads(sys.argv[1])
rng = np.random.default_rng(0)
net = MLP(sizes, dtype=dtype, seed=0)
x = rng.random((batch, sizes[0])).astype(dtype)
y = rng.integers(0, sizes[-1], batch)
params, workspace = net.params, Workspace(sizes, batch, np.dtype(dtype))
calls = {
    "workspace": lambda: loss_and_gradient(params, x, y, "sigmoid", "cross_entropy", workspace=workspace),
    "network": lambda: net.loss_and_gradient(x, y),
    "function": lambda: loss_and_gradient(params, x, y),
    "predict": lambda: net.predict(x),
}
for line in sys.stdin:
    name, times = json.loads(line)
    call = calls[name]
    call()
    start = time.perf_counter()
    for _ in range(times):
        call()
    print(json.dumps((time.perf_counter() - start) / times), flush=True)
"""


class Tree:
    """A process that times the calls of one checkout."""

    def __init__(self, path: Path, cell: tuple[tuple[int, ...], int], dtype: str) -> None:
        environment = {**os.environ, "PYTHONPATH": str(path), "OPENBLAS_NUM_THREADS": "1"}
        environment.pop("OPENBLAS_CORETYPE", None)  # the processor's own kernels
        command = [sys.executable, "-c", WORKER, json.dumps((*cell, dtype))]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd="/"
        )

    def seconds(self, name: str, times: int) -> float:
        """The mean seconds of so many calls."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps((name, times)), file=self.process.stdin, flush=True)
        return float(json.loads(self.process.stdout.readline()))

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def compared(other: Path, cell: Any, dtype: str, name: str, turns: int) -> float:
    """The other tree's median time over this tree's."""
    trees = [Tree(other, cell, dtype), Tree(HERE, cell, dtype)]
    try:
        times = max(1, int(0.03 / trees[0].seconds(name, 3)))
        seconds: tuple[list[float], list[float]] = ([], [])
        for turn in range(turns):
            for which in (0, 1) if turn % 2 else (1, 0):
                seconds[which].append(trees[which].seconds(name, times))
    finally:
        for tree in trees:
            tree.close()
    return statistics.median(seconds[0]) / statistics.median(seconds[1])


def main() -> None:
    """Print a row for each cell."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("other", type=Path, help="the root of another checkout")
    parser.add_argument("--calls", nargs="+", default=["workspace", "network", "function", "predict"])
    parser.add_argument("--turns", type=int, default=31)
    parser.add_argument("--dtype", default="float32")
    args = parser.parse_args()
    print(
        f"{'the other tree over this one, ' + args.dtype:32}" + "".join(f"{name:>11}" for name in args.calls)
    )
    for title, cell in CELLS.items():
        ratios = [compared(args.other.resolve(), cell, args.dtype, name, args.turns) for name in args.calls]
        print(f"{title:32}" + "".join(f"{ratio:11.2f}" for ratio in ratios), flush=True)


if __name__ == "__main__":
    main()
