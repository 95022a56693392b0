"""To what precision a run has shown gradients right: counted case by case, told by dtype and kind of tensor."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import NamedTuple

from verify.reference.tensor import Tensor, tensors_of


class Shown(NamedTuple):
    """The precision of one kind of tensor over all verified cases: in units of a tensor's largest entry."""

    median: float
    worst: float


class Precision:
    """How far the verified cases' gradients lie at most from the exact ones."""

    def __init__(self) -> None:
        self._shares: dict[str, dict[str, list[float]]] = {}

    def add(self, dtype: str, right_to: Sequence[float], tensors: Sequence[Tensor] | None = None) -> None:
        """Count a case: the precision of each of its tensors, in the order of the gradient's.

        ``tensors`` are their names; where not given, those of a network's gradient.
        """
        names = tensors_of(len(right_to) // 2) if tensors is None else tensors
        of_dtype = self._shares.setdefault(dtype, {tensor.kind: [] for tensor in names})
        for kind, shares in of_dtype.items():
            shares.append(max(s for tensor, s in zip(names, right_to, strict=True) if tensor.kind == kind))

    def summary(self) -> dict[str, dict[str, Shown]]:
        """For each dtype and kind of tensor, the median over the cases and the worst of them."""
        return {
            dtype: {kind: Shown(statistics.median(s), max(s)) for kind, s in kinds.items()}
            for dtype, kinds in sorted(self._shares.items(), reverse=True)
        }


def told(summary: dict[str, dict[str, Shown]]) -> list[str]:
    """A line for each dtype."""
    return [
        f"{dtype}: " + ", ".join(f"{kind} {s.median:.0e} (worst {s.worst:.0e})" for kind, s in kinds.items())
        for dtype, kinds in summary.items()
    ]
