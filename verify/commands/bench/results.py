"""Everything that a run has found, and its file."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from verify.commands.bench.measure import MeasuredSpread
from verify.commands.bench.rows import BenchRow
from verify.commands.bench.scale import ScaleLine
from verify.commands.bench.startup import Startup


@dataclass
class BenchResults:
    """The machine, and what was measured on it; each part is filled as the run goes on."""

    machine: dict[str, str]
    gradients: list[BenchRow] = field(default_factory=list)
    training: list[BenchRow] = field(default_factory=list)
    predictions: list[BenchRow] = field(default_factory=list)
    scale: list[ScaleLine] = field(default_factory=list)
    startup: Startup | None = None

    def save(self, path: Path) -> None:
        """Write everything as JSON, quartiles included."""
        path.write_text(json.dumps(dataclasses.asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, paths: Sequence[Path]) -> BenchResults:
        """Return what earlier runs on one machine have saved, put together; their dates may differ.

        Raises
        ------
        ValueError
            When a file is not one of ours, or comes from another machine.
        OSError
            When a file cannot be read.
        """
        first, *others = [cls._read(path) for path in paths]
        for path, other in zip(paths[1:], others, strict=True):
            for name, value in other.machine.items():
                if name != "date" and value != first.machine.setdefault(name, value):
                    raise ValueError(f"{path}: {name} is {value}, but {first.machine[name]} in {paths[0]}")
            first.gradients += other.gradients
            first.training += other.training
            first.predictions += other.predictions
            first.scale += other.scale
            first.startup = first.startup or other.startup
        return first

    @classmethod
    def _read(cls, path: Path) -> BenchResults:
        try:
            saved = json.loads(path.read_text(encoding="utf-8"))
            return cls(
                saved["machine"],
                [_row(row) for row in saved["gradients"]],
                [_row(row) for row in saved["training"]],
                [_row(row) for row in saved["predictions"]],
                [_line(line) for line in saved["scale"]],
                Startup(**{k: MeasuredSpread(**v) for k, v in saved["startup"].items()})
                if saved["startup"]
                else None,
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"{path} is not a file that --json wrote: {type(error).__name__}: {error}"
            ) from error


def _row(saved: dict[str, Any]) -> BenchRow:
    spreads = {
        name: {k: MeasuredSpread(**v) for k, v in saved[name].items()} for name in ("seconds", "ratios")
    }
    return BenchRow(**{**saved, **spreads})


def _line(saved: dict[str, Any]) -> ScaleLine:
    spreads = {name: [MeasuredSpread(**v) for v in saved[name]] for name in ("seconds", "seconds_jax")}
    return ScaleLine(**{**saved, **spreads})
