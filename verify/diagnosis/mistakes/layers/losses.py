"""Mistakes in the gradients of losses."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from verify.diagnosis.mistakes.layers.mistake import LayerMistake, Wrong


def _one_hot(scores: Any, labels: Any) -> Any:
    chosen = labels[:, jnp.newaxis] == jnp.arange(scores.shape[1])[jnp.newaxis, :]
    return jnp.where(chosen, jnp.ones_like(scores), 0.0)


def _cross_entropy(of: Any) -> Wrong:
    """dlogits = dout * of(p, y)."""
    return lambda right, dout, logits, labels: (
        dout * of(jax.nn.softmax(logits, axis=1), _one_hot(logits, labels)),
    )


def _hinge(of: Any) -> Wrong:
    """dscores = dout * of(inside, y) / n, inside (n, c) where a class breaks the margin."""

    def wrong(right: Any, dout: Any, scores: Any, labels: Any, *, margin: float) -> Any:
        y = _one_hot(scores, labels)
        own = jnp.sum(scores * y, axis=1, keepdims=True)
        return (dout * of(scores - own, y, margin) / scores.shape[0],)

    return wrong


def _inside(lead: Any, y: Any, margin: float) -> Any:
    return jnp.where(lead + margin > 0, 1.0, 0.0) * (1 - y)


def _count(inside: Any) -> Any:
    return jnp.sum(inside, axis=1, keepdims=True)


TABLE: tuple[LayerMistake, ...] = (
    LayerMistake(
        "cross_entropy_sum_for_mean",
        ("cross_entropy",),
        "p - y",
        "(p - y) / n",
        "the mean is in the loss and not in its gradient; right for one row",
        _cross_entropy(lambda p, y: p - y),
    ),
    LayerMistake(
        "cross_entropy_mean_over_all",
        ("cross_entropy",),
        "(p - y) / (n c)",
        "(p - y) / n",
        "np.mean over all entries, or a division by logits.size",
        _cross_entropy(lambda p, y: (p - y) / p.size),
    ),
    LayerMistake(
        "cross_entropy_over_classes",
        ("cross_entropy",),
        "(p - y) / c",
        "(p - y) / n",
        "divided by the wrong axis",
        _cross_entropy(lambda p, y: (p - y) / p.shape[1]),
    ),
    LayerMistake(
        "cross_entropy_target_lost",
        ("cross_entropy",),
        "p / n",
        "(p - y) / n",
        "the 1 of the label is never subtracted",
        _cross_entropy(lambda p, y: p / p.shape[0]),
    ),
    LayerMistake(
        "cross_entropy_through_diagonal",
        ("cross_entropy",),
        "(p - y) p (1 - p) / n",
        "(p - y) / n",
        "the softmax's slope is applied once more",
        _cross_entropy(lambda p, y: (p - y) * p * (1 - p) / p.shape[0]),
    ),
    LayerMistake(
        "cross_entropy_of_the_label_alone",
        ("cross_entropy",),
        "y (p - 1) / n",
        "(p - y) / n",
        "only the label's column gets a gradient",
        _cross_entropy(lambda p, y: y * (p - 1) / p.shape[0]),
    ),
    LayerMistake(
        "cross_entropy_first_row_subtracted_from_all",
        ("cross_entropy",),
        "(p - sum(y) over the rows) / n",
        "(p - y) / n",
        "p[:, labels] -= 1 subtracts from every row",
        _cross_entropy(
            lambda p, y: (p - jnp.where(jnp.sum(y, axis=0, keepdims=True) > 0, 1.0, 0.0)) / p.shape[0]
        ),
    ),
    LayerMistake(
        "hinge_own_count_lost",
        ("hinge",),
        "the label's column: -1",
        "the label's column: minus the number of margins broken",
        "right where one margin is broken",
        _hinge(
            lambda lead, y, margin: (
                _inside(lead, y, margin) - y * jnp.where(_count(_inside(lead, y, margin)) > 0, 1.0, 0.0)
            )
        ),
    ),
    LayerMistake(
        "hinge_own_column_lost",
        ("hinge",),
        "the label's column: 0",
        "the label's column: minus the number of margins broken",
        "the label's score is taken for a constant",
        _hinge(lambda lead, y, margin: _inside(lead, y, margin)),
    ),
    LayerMistake(
        "hinge_margin_lost",
        ("hinge",),
        "score - own > 0",
        "score - own + margin > 0",
        "the margin is in the loss and not in its gradient",
        _hinge(lambda lead, y, margin: _inside(lead, y, 0.0) - y * _count(_inside(lead, y, 0.0))),
    ),
    LayerMistake(
        "hinge_sum_for_mean",
        ("hinge",),
        "not divided by n",
        "divided by n",
        "right for one row",
        _hinge(
            lambda lead, y, margin: (
                (_inside(lead, y, margin) - y * _count(_inside(lead, y, margin))) * lead.shape[0]
            )
        ),
    ),
    LayerMistake(
        "mse_two_lost",
        ("mse",),
        "(p - y) / size",
        "2 (p - y) / size",
        "the gradient of half the squared error",
        lambda right, dout, p, y: (dout * (p - y) / p.size,),
    ),
    LayerMistake(
        "mse_over_rows",
        ("mse",),
        "2 (p - y) / n",
        "2 (p - y) / size",
        "np.mean is over all entries; right for one column",
        lambda right, dout, p, y: (dout * 2 * (p - y) / p.shape[0],),
    ),
    LayerMistake(
        "mse_half_over_rows",
        ("mse",),
        "(p - y) / n",
        "2 (p - y) / size",
        "two conventions mixed; right for two columns",
        lambda right, dout, p, y: (dout * (p - y) / p.shape[0],),
    ),
    LayerMistake(
        "mse_not_divided",
        ("mse",),
        "2 (p - y)",
        "2 (p - y) / size",
        "the mean is in the loss and not in its gradient",
        lambda right, dout, p, y: (dout * 2 * (p - y),),
    ),
    LayerMistake(
        "mse_sign",
        ("mse",),
        "2 (y - p) / size",
        "2 (p - y) / size",
        "the difference is taken the other way round",
        lambda right, dout, p, y: (dout * 2 * (y - p) / p.size,),
    ),
)
