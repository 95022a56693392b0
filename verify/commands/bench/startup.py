"""The time of `import mlp_ref`, beside the `import numpy` that is most of it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass

from verify.commands.bench.crew import crew_environment
from verify.commands.bench.measure import MeasuredSpread

PROGRAM = "import time; start = time.perf_counter(); import {module}; print(time.perf_counter() - start)"

ROUNDS = 15


@dataclass(frozen=True)
class Startup:
    """Seconds of each import in a fresh process, and their ratio within a round."""

    numpy: MeasuredSpread
    mlp_ref: MeasuredSpread
    ratio: MeasuredSpread


def measure_startup() -> Startup:
    """Import each in turn, in a fresh process every time.

    Both are imported from compiled files, as an installed package is, even where the environment forbids to write
    such files: the first round writes them to a folder of its own, and is not counted.
    """
    with tempfile.TemporaryDirectory() as compiled:
        environ = {**crew_environment(1), "PYTHONPYCACHEPREFIX": compiled}
        environ.pop("PYTHONDONTWRITEBYTECODE", None)
        return _measured(ROUNDS, environ)


def _measured(rounds: int, environ: dict[str, str]) -> Startup:
    seconds: dict[str, list[float]] = {"numpy": [], "mlp_ref": []}
    for number in range(rounds + 1):
        for module, times in seconds.items():
            command = [sys.executable, "-c", PROGRAM.format(module=module)]
            done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
            if number:
                times.append(float(done.stdout))
    ratios = [ours / theirs for ours, theirs in zip(seconds["mlp_ref"], seconds["numpy"], strict=True)]
    return Startup(
        MeasuredSpread.of(seconds["numpy"]), MeasuredSpread.of(seconds["mlp_ref"]), MeasuredSpread.of(ratios)
    )
