"""Mistakes in affine layers, embeddings, residuals, dropout, and a perceptron of two layers."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from verify.diagnosis.mistakes.layers.mistake import LayerMistake, mistake_of_change


def _last_one(table: Any, ids: Any) -> Any:
    """For each use of a row of the table, 1 where it is the last one: (uses, rows)."""
    flat = ids.reshape(-1)
    hits = jnp.where(flat[:, jnp.newaxis] == jnp.arange(table.shape[0])[jnp.newaxis, :], 1.0, 0.0)
    later = jnp.triu(jnp.ones((flat.shape[0], flat.shape[0])), 1) @ hits
    return jnp.where(later > 0, 0.0, hits)


def _flat(dout: Any) -> Any:
    return dout.reshape(-1, dout.shape[-1])


def _counts(table: Any, ids: Any) -> Any:
    hits = jnp.where(ids.reshape(-1)[:, jnp.newaxis] == jnp.arange(table.shape[0])[jnp.newaxis, :], 1.0, 0.0)
    return jnp.maximum(jnp.sum(hits, axis=0), 1.0)[:, jnp.newaxis]


def _inside(x: Any, w: Any, b: Any) -> Any:
    return jnp.where(x @ w + b[jnp.newaxis, :] > 0, 1.0, 0.0)


def _residual(mask: Any, skip: float) -> Any:
    def wrong(right: Any, dout: Any, x: Any, w: Any, b: Any) -> Any:
        dz = dout * mask(x, w, b)
        return skip * dout + dz @ w.T, x.T @ dz, jnp.sum(dz, axis=0)

    return wrong


def _mlp(mask: Any) -> Any:
    def wrong(right: Any, dout: Any, x: Any, w1: Any, b1: Any, w2: Any, b2: Any) -> Any:
        z = x @ w1 + b1[jnp.newaxis, :]
        dz = (dout @ w2.T) * mask(z)
        return dz @ w1.T, x.T @ dz, jnp.sum(dz, axis=0), jnp.maximum(z, 0.0).T @ dout, jnp.sum(dout, axis=0)

    return wrong


TABLE: tuple[LayerMistake, ...] = (
    LayerMistake(
        "affine_dw_mean",
        ("affine",),
        "x.T @ dout / n",
        "x.T @ dout",
        "the mean of the loss is taken a second time; right for one row",
        mistake_of_change(1, lambda d, dout, x, w, b: d / x.shape[0]),
    ),
    LayerMistake(
        "affine_db_mean",
        ("affine",),
        "mean(dout, axis=0)",
        "sum(dout, axis=0)",
        "right for one row",
        mistake_of_change(2, lambda d, dout, x, w, b: d / x.shape[0]),
    ),
    LayerMistake(
        "affine_db_first_row",
        ("affine",),
        "dout[0]",
        "sum(dout, axis=0)",
        "the bias gradient is not summed; right for one row",
        mistake_of_change(2, lambda d, dout, x, w, b: dout[0]),
    ),
    LayerMistake(
        "affine_db_over_all",
        ("affine",),
        "sum(dout)",
        "sum(dout, axis=0)",
        "the axis is forgotten, and the number broadcast; right for one output",
        mistake_of_change(2, lambda d, dout, x, w, b: jnp.broadcast_to(jnp.sum(dout), d.shape)),
    ),
    LayerMistake(
        "affine_dw_last_row",
        ("affine",),
        "dw = outer(x[i], dout[i])",
        "dw += outer(x[i], dout[i])",
        "= for += in a loop over the rows; right for one row",
        mistake_of_change(1, lambda d, dout, x, w, b: x[-1][:, jnp.newaxis] * dout[-1][jnp.newaxis, :]),
    ),
    LayerMistake(
        "affine_bias_in_dx",
        ("affine",),
        "dout @ w.T + sum(b)",
        "dout @ w.T",
        "the bias is taken along",
        mistake_of_change(0, lambda d, dout, x, w, b: d + jnp.sum(b)),
    ),
    LayerMistake(
        "embedding_assigned",
        ("embedding",),
        "dtable[ids] = dout",
        "np.add.at(dtable, ids, dout)",
        "right where no id comes twice",
        mistake_of_change(0, lambda d, dout, table, ids: _last_one(table, ids).T @ _flat(dout)),
    ),
    LayerMistake(
        "embedding_mean",
        ("embedding",),
        "the mean over an id's uses",
        "the sum over an id's uses",
        "right where no id comes twice",
        mistake_of_change(0, lambda d, dout, table, ids: d / _counts(table, ids)),
    ),
    LayerMistake(
        "residual_skip_lost",
        ("residual",),
        "dz @ w.T",
        "dout + dz @ w.T",
        "the gradient of the path around the layer is left out",
        _residual(_inside, 0.0),
    ),
    LayerMistake(
        "residual_mask_lost",
        ("residual",),
        "dz = dout",
        "dz = dout * (z > 0)",
        "the activation is passed over",
        _residual(lambda x, w, b: 1.0, 1.0),
    ),
    LayerMistake(
        "residual_mask_of_output",
        ("residual",),
        "dz = dout * (out > 0)",
        "dz = dout * (z > 0)",
        "the output, with x added, is cached",
        _residual(
            lambda x, w, b: jnp.where(x + jnp.maximum(x @ w + b[jnp.newaxis, :], 0.0) > 0, 1.0, 0.0), 1.0
        ),
    ),
    LayerMistake(
        "residual_mask_on_both",
        ("residual",),
        "(dout + dout @ w.T) * (z > 0)",
        "dout + dz @ w.T",
        "the mask is put on the path around the layer too",
        lambda right, dout, x, w, b: (
            dout * _inside(x, w, b) + (dout * _inside(x, w, b)) @ w.T,
            *right(dout)[1:],
        ),
    ),
    LayerMistake(
        "dropout_scale_lost",
        ("dropout",),
        "dout * mask",
        "dout * mask / (1 - p)",
        "inverted dropout in the forward pass alone",
        lambda right, dout, x, mask, p: (dout * mask,),
    ),
    LayerMistake(
        "dropout_scale_twice",
        ("dropout",),
        "dout * mask / (1 - p)**2",
        "dout * mask / (1 - p)",
        "the mask holds the scale already",
        lambda right, dout, x, mask, p: (dout * mask / (1 - p) ** 2,),
    ),
    LayerMistake(
        "dropout_scale_of_dropped",
        ("dropout",),
        "dout * mask / p",
        "dout * mask / (1 - p)",
        "p is taken for what is kept; right at p = 0.5",
        lambda right, dout, x, mask, p: (dout * mask / p,),
    ),
    LayerMistake(
        "dropout_mask_lost",
        ("dropout",),
        "dout / (1 - p)",
        "dout * mask / (1 - p)",
        "dropped entries get a gradient",
        lambda right, dout, x, mask, p: (dout / (1 - p),),
    ),
    LayerMistake(
        "mlp_mask_lost",
        ("mlp",),
        "dz = da",
        "dz = da * (z > 0)",
        "the activation is passed over",
        _mlp(lambda z: 1.0),
    ),
    LayerMistake(
        "mlp_value_for_slope",
        ("mlp",),
        "dz = da * relu(z)",
        "dz = da * (z > 0)",
        "the activation's value is multiplied where its slope belongs",
        _mlp(lambda z: jnp.maximum(z, 0.0)),
    ),
    LayerMistake(
        "mlp_db1_mean",
        ("mlp",),
        "mean(dz, axis=0)",
        "sum(dz, axis=0)",
        "right for one row",
        mistake_of_change(2, lambda d, dout, x, *rest: d / x.shape[0]),
    ),
    LayerMistake(
        "mlp_dw2_of_pre_activation",
        ("mlp",),
        "dw2 = z.T @ dout",
        "dw2 = a.T @ dout",
        "the pre-activation is cached",
        mistake_of_change(3, lambda d, dout, x, w1, b1, w2, b2: (x @ w1 + b1[jnp.newaxis, :]).T @ dout),
    ),
)
