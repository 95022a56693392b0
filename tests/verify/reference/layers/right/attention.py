import math

import numpy as np

from tests.verify.reference.layers.right.activations import probabilities


def _weights(q, k, causal):
    scores = q @ np.swapaxes(k, -1, -2) / math.sqrt(q.shape[-1])
    if causal:
        scores = np.where(np.tri(*scores.shape[-2:], dtype=bool), scores, -np.inf)
    return probabilities(scores)


def attention(dout, q, k, v, *, causal=False):
    p = _weights(q, k, causal)
    dp = dout @ np.swapaxes(v, -1, -2)
    ds = p * (dp - (dp * p).sum(axis=-1, keepdims=True)) / math.sqrt(q.shape[-1])
    return ds @ k, np.swapaxes(ds, -1, -2) @ q, np.swapaxes(p, -1, -2) @ dout


def multi_head_attention(dout, x, wq, wk, wv, wo, *, heads, causal=False):
    n, length, m = x.shape

    def split(a):
        return a.reshape(n, length, heads, m // heads).transpose(0, 2, 1, 3)

    def joined(a):
        return a.transpose(0, 2, 1, 3).reshape(n, length, m)

    q, k, v = (split(x @ matrix) for matrix in (wq, wk, wv))
    inner = joined(_weights(q, k, causal) @ v)
    grads = [joined(d) for d in attention(split(dout @ wo.T), q, k, v, causal=causal)]
    dx = sum(d @ matrix.T for d, matrix in zip(grads, (wq, wk, wv), strict=True))
    matrices = [np.einsum("nli,nlj->ij", x, d) for d in grads]
    return dx, *matrices, np.einsum("nli,nlj->ij", inner, dout)


RIGHT = {
    "attention": attention,
    "causal_attention": attention,
    "multi_head_attention": multi_head_attention,
}
