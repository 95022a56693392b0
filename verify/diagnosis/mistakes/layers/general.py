"""Mistakes that can be made in any layer."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from verify.diagnosis.mistakes.layers.mistake import LayerMistake, Wrong


def _each(of: Any) -> Wrong:
    return lambda right, dout, *inputs, **options: tuple(of(d) for d in _whole(right(dout)))


def _whole(gradients: Any) -> tuple[Any, ...]:
    return tuple(gradients)


def _scaled(gradient: Any, factor: float) -> Any:
    return jax.tree.map(lambda leaf: factor * leaf, gradient)


def _ones(right: Any, dout: Any, *inputs: Any, **options: Any) -> Any:
    return right(jax.tree.map(jnp.ones_like, dout))


def _over_batch(right: Any, dout: Any, *inputs: Any, **options: Any) -> Any:
    rows = jax.tree.leaves(dout)[0].shape
    return tuple(_scaled(d, 1 / rows[0] if rows else 1.0) for d in right(dout))


TABLE: tuple[LayerMistake, ...] = (
    LayerMistake(
        "sign",
        (),
        "-gradient",
        "gradient",
        "the step's sign is taken into the gradient",
        _each(lambda d: _scaled(d, -1.0)),
    ),
    LayerMistake(
        "doubled",
        (),
        "2 * gradient",
        "gradient",
        "called, or added, twice",
        _each(lambda d: _scaled(d, 2.0)),
    ),
    LayerMistake(
        "halved",
        (),
        "gradient / 2",
        "gradient",
        "a 1/2 that is in no loss",
        _each(lambda d: _scaled(d, 0.5)),
    ),
    LayerMistake(
        "dout_ignored",
        (),
        "the gradient for a dout of ones",
        "the gradient for dout",
        "right where the layer is the last, and the loss its sum",
        _ones,
    ),
    LayerMistake(
        "divided_by_batch",
        (),
        "gradient / n",
        "gradient",
        "the mean of the loss is taken a second time; right for one row",
        _over_batch,
    ),
)
