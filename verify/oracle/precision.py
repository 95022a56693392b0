"""The precision to which a run has shown gradients right: counted case by case, told by dtype and kind of tensor."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import NamedTuple

from verify.reference.tensors import Tensor, tensor_names


class ShownPrecision(NamedTuple):
    """The precision of one kind of tensor over all verified cases: in units of a tensor's largest entry."""

    median: float
    worst: float


class Precision:
    """The largest distances of the verified cases' gradients from the exact ones."""

    def __init__(self) -> None:
        self._shares: dict[str, dict[str, list[float]]] = {}

    def add(self, dtype: str, right_to: Sequence[float], tensors: Sequence[Tensor] | None = None) -> None:
        """Count a case: the precision of each of its tensors, in the order of the gradient's.

        ``tensors`` are their names; where not given, those of a network's gradient.
        """
        names = tensor_names(len(right_to) // 2) if tensors is None else tensors
        of_dtype = self._shares.setdefault(dtype, {tensor.kind: [] for tensor in names})
        for kind, shares in of_dtype.items():
            shares.append(max(s for tensor, s in zip(names, right_to, strict=True) if tensor.kind == kind))

    def summary(self) -> dict[str, dict[str, ShownPrecision]]:
        """Return, for each dtype and kind of tensor, the median over the cases and the worst of them."""
        return {
            dtype: {kind: ShownPrecision(statistics.median(s), max(s)) for kind, s in kinds.items()}
            for dtype, kinds in sorted(self._shares.items(), reverse=True)
        }


def precision_lines(summary: dict[str, dict[str, ShownPrecision]]) -> list[str]:
    """The precision that was shown, a line for each dtype."""
    return [
        f"{dtype}: " + ", ".join(f"{kind} {s.median:.0e} (worst {s.worst:.0e})" for kind, s in kinds.items())
        for dtype, kinds in summary.items()
    ]
