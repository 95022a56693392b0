"""A description of a user's network: where it keeps its arrays, and how it is called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from verify.reference.spec import Spec
from verify.reference.truth import SpecLike
from verify.subject.adapt.slots import Path


@dataclass(frozen=True)
class Description:
    """The arguments of `verify.adapt`, where each is explained; ``said`` holds the conventions that were given."""

    call: Callable[..., Any] | None
    make: Callable[[list[int]], Any]
    weights: Path
    biases: Path | None
    gradients: tuple[Path, ...] | None
    update: Callable[..., Any] | None
    learning_rates: tuple[float, ...]
    loss: Callable[..., Any] | None
    forward: Callable[..., Any] | None
    fresh: bool
    layers: int | None
    dtypes: tuple[str, ...] | None
    spec: SpecLike | None
    said: dict[str, Any] = field(hash=False)
    reduce: str | None

    def sums(self, spec: SpecLike) -> bool:
        """Return True where single samples add up to the batch's gradient, False where they average to it."""
        reduction = self.reduce or (spec.reduction if isinstance(spec, Spec) else "mean")
        return reduction.endswith("sum")
