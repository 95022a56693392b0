"""The evaluators agree: XLA's results and certified balls lie within the bounds, for each function's backward pass."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax, nn

from verify.evaluate import balls, bounds, xla
from verify.evaluate.backward import traced_backward
from verify.evaluate.bounds.arithmetic import Arithmetic


def normal(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


def positive(*shape):
    return abs(normal(*shape)) + 0.25


X, V = normal(3, 4), normal(4)
MASK = normal(3, 4, seed=1) > 0


def batch_norm(x, scale, shift):
    centred = x - x.mean(axis=0, keepdims=True)
    root = lax.rsqrt((centred**2).mean(axis=0, keepdims=True) + 1e-5)
    return centred * root * scale[None, :] + shift[None, :]


def layer_norm(x, scale):
    centred = x - x.mean(axis=1, keepdims=True)
    return centred / jnp.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-5) * scale[None, :]


def attention(q, k, v):
    scores = jnp.einsum("btd,bsd->bts", q, k) * q.shape[-1] ** -0.5
    causal = jnp.tril(jnp.ones(scores.shape[-2:], bool))
    return nn.softmax(jnp.where(causal[None], scores, -jnp.inf)) @ v


def gru(xs, h, w, u):
    def step(h, x):
        zx, rx, nx = jnp.split(x @ w, 3)
        zh, rh, nh = jnp.split(h @ u, 3)
        z, r = nn.sigmoid(zx + zh), nn.sigmoid(rx + rh)
        h = (1 - z) * h + z * jnp.tanh(nx + r * nh)
        return h, h

    return lax.scan(step, h, xs)


FUNCTIONS = {
    "gelu": (nn.gelu, [X]),
    "gelu, erf": (lambda x: 0.5 * x * (1 + lax.erf(x * 0.5**0.5)), [X]),
    "gelu, erfc": (lambda x: nn.gelu(x, approximate=False), [3 * X]),
    "silu": (nn.silu, [X]),
    "elu": (nn.elu, [X]),
    "selu": (nn.selu, [X]),
    "mish": (nn.mish, [X]),
    "leaky relu": (nn.leaky_relu, [X]),
    "relu6": (nn.relu6, [3 * X]),
    "softmax": (nn.softmax, [X]),
    "log softmax": (nn.log_softmax, [X]),
    "logaddexp": (jnp.logaddexp, [X, X[::-1]]),
    "batch norm": (batch_norm, [X, V, V[::-1]]),
    "layer norm": (layer_norm, [X, V]),
    "powers": (lambda x, y: x**1.5 + x**-0.5 + jnp.power(x, y), [positive(3, 4), X]),
    "exp2": (jnp.exp2, [X]),
    "rotation": (lambda x: jnp.sin(x) * jnp.cos(3 * x), [X]),
    "causal attention": (attention, [normal(2, 3, 2, seed=i) for i in range(3)]),
    "gru": (gru, [normal(3, 2), normal(2), normal(2, 6), normal(2, 6)]),
    "hinge, a max and a sum": (lambda x: jnp.maximum(0.0, 1 + x - x[:, :1]).sum(), [X]),
    "largest": (lambda x: (x * x).max(axis=1), [X]),
    "smallest": (lambda x: jnp.exp(x).min(axis=(0, 1)), [X]),
    "cumulative sums": (lambda x: jnp.cumsum(x, 0) * lax.cumsum(x, 1, reverse=True), [X]),
    "cumulative logsumexp": (lambda x: lax.cumlogsumexp(x, 1), [X]),
    "cumulative product": (lambda x: lax.cumprod(x, 1), [X]),
    "product": (lambda x: jnp.prod(x, axis=1), [X]),
    "standard deviation": (lambda x: x.std(axis=0), [X]),
    "norm": (jnp.linalg.norm, [X]),
    "dropout": (lambda x, keep: jnp.where(keep, x / 0.75, 0.0), [X, MASK]),
    "triangle": (lambda x: jnp.triu(x) @ x.T, [X]),
    "roll": (lambda x: jnp.roll(x, 1, axis=1) * x, [X]),
    "rounded": (lambda x: x * jnp.floor(2 * x) + jnp.ceil(x) * jnp.round(x), [X]),
    "any and all": (
        lambda x: x * (x > 0).any(axis=1)[:, None].astype(x.dtype) * (x > -9).all().astype(x.dtype),
        [X],
    ),
    "remat": (jax.checkpoint(lambda x: jnp.tanh(x) * x), [X]),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_xla_and_certified_balls_lie_within_the_bounds(name, dtype):
    function, arrays = FUNCTIONS[name]
    arguments = [array.astype(dtype) if array.dtype == float else array for array in arrays]
    backward = traced_backward(function, arguments)
    rng = np.random.default_rng(5)
    leaves = [rng.standard_normal(leaf.shape).astype(dtype) for leaf in backward.output_leaves]
    cotangent = jax.tree.unflatten(backward.outputs, leaves)
    inputs = backward.inputs(arguments, cotangent)
    pairs = bounds.evaluate(backward.program, inputs, Arithmetic.judging(dtype, {}))
    results = xla.evaluate_backward(backward, arguments, cotangent)
    certain = balls.certified(backward.program, inputs, {}, dtype)
    roundoff = float(np.finfo(dtype).eps) / 2
    for (value, bound), result, ball in zip(pairs, results, certain, strict=True):
        assert value.shape == bound.shape == result.shape == ball.shape
        assert result.dtype == np.dtype(dtype)
        assert np.all(abs(result - value) <= bound)
        assert np.all(balls.distance(ball, value) <= bound)
        assert np.all(bound <= np.sqrt(roundoff) * abs(value).max())  # none of them is without a word
