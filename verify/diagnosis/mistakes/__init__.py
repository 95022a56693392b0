"""The catalogue of mistakes: wrong gradients of a multilayer perceptron, each with its formula and its story.

It serves twice. As mutants, its entries measure what the oracle sees; as hypotheses, they explain a failure.
"""

from collections.abc import Iterable

from verify.diagnosis.mistakes import (
    activation,
    backward,
    bias,
    output,
    penalty,
    precision,
    reduction,
    slope,
    state,
    weight,
)
from verify.diagnosis.mistakes.mistake import Mistake, compatible, wrong_gradient

__all__ = ["CATALOGUE", "Mistake", "compatible", "formulas", "wrong_gradient"]

CATALOGUE: tuple[Mistake, ...] = (
    *output.TABLE,
    *activation.TABLE,
    *reduction.TABLE,
    *bias.TABLE,
    *slope.TABLE,
    *backward.TABLE,
    *weight.TABLE,
    *precision.TABLE,
    *penalty.TABLE,
    *state.TABLE,
)
"""Every known mistake, family by family."""


def formulas(names: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return family, wrong and right formula and story of the mistakes of these names: plain data, for a page."""
    named = set(names)
    fields = ("family", "wrong", "right", "story")
    return {m.name: {field: getattr(m, field) for field in fields} for m in CATALOGUE if m.name in named}
