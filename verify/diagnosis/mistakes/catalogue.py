"""The catalogue: every known mistake, family by family, and its formulas."""

from collections.abc import Iterable

from verify.diagnosis.mistakes import (
    bias_gradient,
    delta_through_weights,
    hidden_slope,
    l2_penalty,
    loss_reduction,
    output_activation,
    output_delta,
    precision,
    side_effects,
    weight_gradient,
)
from verify.diagnosis.mistakes.mistake import Mistake

CATALOGUE: tuple[Mistake, ...] = (
    *output_delta.TABLE,
    *output_activation.TABLE,
    *loss_reduction.TABLE,
    *bias_gradient.TABLE,
    *hidden_slope.TABLE,
    *delta_through_weights.TABLE,
    *weight_gradient.TABLE,
    *precision.TABLE,
    *l2_penalty.TABLE,
    *side_effects.TABLE,
)
"""Every known mistake, family by family."""


def formulas(names: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return family, wrong and right formula and story of the mistakes of these names: plain data, for a page."""
    named = set(names)
    fields = ("family", "wrong", "right", "story")
    return {m.name: {field: getattr(m, field) for field in fields} for m in CATALOGUE if m.name in named}
