"""The catalogue's chapter of layers: wrong backward passes, each made in JAX from the right one.

As targets, they measure what the oracle sees; as hypotheses, with the bounds of their own formulas, they explain.
"""

from verify.diagnosis.mistakes.layers import (
    attention,
    convolution,
    dense,
    elementwise,
    general,
    losses,
    norms,
    recurrent,
)
from verify.diagnosis.mistakes.layers.mistake import LayerMistake

__all__ = ["LAYER_CATALOGUE", "LayerMistake"]

LAYER_CATALOGUE: tuple[LayerMistake, ...] = (
    *elementwise.TABLE,
    *losses.TABLE,
    *norms.TABLE,
    *dense.TABLE,
    *convolution.TABLE,
    *recurrent.TABLE,
    *attention.TABLE,
    *general.TABLE,
)
"""Every known mistake in a layer, those that any layer can have last."""
