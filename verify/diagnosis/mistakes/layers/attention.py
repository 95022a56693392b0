"""Mistakes in attention."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.lax import stop_gradient

from verify.diagnosis.mistakes.layers.mistake import (
    LayerMistake,
    Wrong,
    mistake_of_forward,
    with_mistaken_rule,
)

ALL = ("attention", "causal_attention", "multi_head_attention")
ONE = ("attention", "causal_attention")


def _softmax(s: Any) -> Any:
    return jax.nn.softmax(s, axis=-1)


_diagonal = with_mistaken_rule(_softmax, lambda p, s, d: d * p * (1 - p))
_unsummed = with_mistaken_rule(_softmax, lambda p, s, d: p * d)
_passed = with_mistaken_rule(_softmax, lambda p, s, d: d)


def _mean_summed(p: Any, s: Any, d: Any) -> Any:
    return p * (d - jnp.sum(d * p, axis=-1, keepdims=True) / p.shape[-1])


_averaged = with_mistaken_rule(_softmax, _mean_summed)


def _visible(scores: Any) -> Any:
    queries, keys = scores.shape[-2:]
    seen = jnp.arange(keys)[jnp.newaxis, :] <= jnp.arange(queries)[:, jnp.newaxis]
    return jnp.broadcast_to(seen, scores.shape)


def _masked(scores: Any, causal: bool) -> Any:
    return jnp.where(_visible(scores), scores, -1e30) if causal else scores


def _after(scores: Any, causal: bool) -> Any:
    """The mask after the softmax."""
    return jnp.where(_visible(scores), _softmax(scores), 0.0) if causal else _softmax(scores)


Weights = Callable[[Any, Any, bool], Any]


def _weights(softmax: Callable[[Any], Any] = _softmax, power: float = 1.0) -> Weights:
    def weights(q: Any, k: Any, causal: bool) -> Any:
        scores = jnp.einsum("...ld,...sd->...ls", q, k)
        right = scores / math.sqrt(q.shape[-1])
        # The value is the right one; the derivative has another power of the scale.
        scaled = scores / q.shape[-1] ** (0.5 * power)
        return softmax(_masked(scaled + stop_gradient(right - scaled), causal))

    return weights


def _both(weights: Weights, cut: str = "") -> Wrong:
    """The wrong weights in an attention of one head, and in several."""

    def attention(q: Any, k: Any, v: Any, *, causal: bool = False) -> Any:
        return jnp.einsum("...ls,...se->...le", weights(q, k, causal), v)

    def heads(x: Any, wq: Any, wk: Any, wv: Any, wo: Any, *, heads: int, causal: bool = False) -> Any:
        n, length, width = x.shape
        of = {name: stop_gradient(x) if name in cut else x for name in "qkv"}

        def split(a: Any) -> Any:
            return a.reshape(n, length, heads, width // heads).transpose(0, 2, 1, 3)

        joined = attention(split(of["q"] @ wq), split(of["k"] @ wk), split(of["v"] @ wv), causal=causal)
        return joined.transpose(0, 2, 1, 3).reshape(n, length, width) @ wo

    one, several = mistake_of_forward(attention), mistake_of_forward(heads)

    def wrong(right: Any, dout: Any, *inputs: Any, **options: Any) -> Any:
        return (several if "heads" in options else one)(right, dout, *inputs, **options)

    return wrong


def _full_width(
    right: Any, dout: Any, x: Any, wq: Any, wk: Any, wv: Any, wo: Any, *, heads: int, causal: bool
) -> Any:
    """The scale of all heads together."""
    made = _both(_weights_scaled(heads))
    return made(right, dout, x, wq, wk, wv, wo, heads=heads, causal=causal)


def _weights_scaled(heads: int) -> Weights:
    def weights(q: Any, k: Any, causal: bool) -> Any:
        scores = jnp.einsum("...ld,...sd->...ls", q, k)
        right, wrong = scores / math.sqrt(q.shape[-1]), scores / math.sqrt(q.shape[-1] * heads)
        return _softmax(_masked(wrong + stop_gradient(right - wrong), causal))

    return weights


def _unmasked(q: Any, k: Any, causal: bool) -> Any:
    return _softmax(jnp.einsum("...ld,...sd->...ls", q, k) / math.sqrt(q.shape[-1]))


def _mask_after(q: Any, k: Any, causal: bool) -> Any:
    return _after(jnp.einsum("...ld,...sd->...ls", q, k) / math.sqrt(q.shape[-1]), causal)


def _dv_of_scores(right: Any, dout: Any, q: Any, k: Any, v: Any, *, causal: bool = False) -> Any:
    scores = jnp.einsum("...ld,...sd->...ls", q, k) / math.sqrt(q.shape[-1])
    scores = jnp.where(_visible(scores), scores, 0.0) if causal else scores
    return *right(dout)[:2], jnp.einsum("...ls,...le->...se", scores, dout)


TABLE: tuple[LayerMistake, ...] = (
    LayerMistake(
        "attention_softmax_diagonal",
        ALL,
        "ds = dp * p * (1 - p)",
        "ds = p * (dp - sum(dp * p))",
        "the softmax's Jacobian is taken for its diagonal",
        _both(_weights(_diagonal)),
    ),
    LayerMistake(
        "attention_softmax_sum_lost",
        ALL,
        "ds = p * dp",
        "ds = p * (dp - sum(dp * p))",
        "the second term of the softmax's derivative is left out",
        _both(_weights(_unsummed)),
    ),
    LayerMistake(
        "attention_softmax_passed_over",
        ALL,
        "ds = dp",
        "ds = p * (dp - sum(dp * p))",
        "the softmax is left out",
        _both(_weights(_passed)),
    ),
    LayerMistake(
        "attention_softmax_mean_for_sum",
        ALL,
        "ds = p * (dp - mean(dp * p))",
        "ds = p * (dp - sum(dp * p))",
        "a mean where the sum belongs",
        _both(_weights(_averaged)),
    ),
    LayerMistake(
        "attention_scale_lost",
        ALL,
        "dq = ds @ k",
        "dq = ds @ k / sqrt(d)",
        "the scale is in the forward pass alone; right at d = 1",
        _both(_weights(power=0.0)),
    ),
    LayerMistake(
        "attention_scale_twice",
        ALL,
        "dq = ds @ k / d",
        "dq = ds @ k / sqrt(d)",
        "the scale is applied twice; right at d = 1",
        _both(_weights(power=2.0)),
    ),
    LayerMistake(
        "attention_scale_of_all_heads",
        ("multi_head_attention",),
        "/ sqrt(m)",
        "/ sqrt(m / heads)",
        "the width of the model where a head's belongs; right for one head",
        _full_width,
    ),
    LayerMistake(
        "attention_mask_lost",
        ("causal_attention", "multi_head_attention"),
        "no mask",
        "the mask before the softmax",
        "the backward pass computes the weights anew, without the mask",
        _both(_unmasked),
    ),
    LayerMistake(
        "attention_mask_after_softmax",
        ("causal_attention", "multi_head_attention"),
        "softmax(scores) * mask",
        "softmax(scores where visible)",
        "the rows no longer sum to 1",
        _both(_mask_after),
    ),
    LayerMistake(
        "attention_dv_of_scores",
        ONE,
        "dv = scores.T @ dout",
        "dv = p.T @ dout",
        "the scores are cached in place of the weights",
        _dv_of_scores,
    ),
    LayerMistake(
        "attention_dx_of_queries_lost",
        ("multi_head_attention",),
        "dx without the queries' path",
        "dx through queries, keys and values",
        "= for += : one of the three paths is overwritten",
        _both(_weights(), cut="q"),
    ),
    LayerMistake(
        "attention_dx_of_keys_lost",
        ("multi_head_attention",),
        "dx without the keys' path",
        "dx through queries, keys and values",
        "= for += : one of the three paths is overwritten",
        _both(_weights(), cut="k"),
    ),
    LayerMistake(
        "attention_dx_of_values_lost",
        ("multi_head_attention",),
        "dx without the values' path",
        "dx through queries, keys and values",
        "= for += : one of the three paths is overwritten",
        _both(_weights(), cut="v"),
    ),
    LayerMistake(
        "attention_dx_of_values_alone",
        ("multi_head_attention",),
        "dx through the values alone",
        "dx through queries, keys and values",
        "= for += : two of the three paths are overwritten",
        _both(_weights(), cut="qk"),
    ),
)
