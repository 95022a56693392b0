"""The evaluators agree: XLA's results and certified balls lie within the bounds, for each function's backward pass."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax, nn

from verify.evaluate import balls, bounds, rounding, xla
from verify.evaluate.backward_program import traced_backward
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


def conv(
    stride=1, pad=0, dilation=1, groups=1, lhs_dilation=1, names=("NCHW", "OIHW", "NCHW"), batch_groups=1
):
    spatial = len(names[0]) - 2

    def convolution(x, w):
        return lax.conv_general_dilated(
            x,
            w,
            (stride,) * spatial,
            [(pad, pad)] * spatial,
            (lhs_dilation,) * spatial,
            (dilation,) * spatial,
            names,
            groups,
            batch_groups,
        )

    return convolution


def pool(operation, initial, window, stride, padding="VALID"):
    return lambda x: lax.reduce_window(x, initial, operation, (1, 1, *window), (1, 1, *stride), padding)


IMAGES = normal(2, 3, 5, 4)
CONVOLUTIONS = {
    "conv": (conv(), [IMAGES, normal(4, 3, 3, 2)]),
    "conv of stride 2, padded": (conv(2, 1), [IMAGES, normal(4, 3, 3, 3)]),
    "conv of stride 3 that leaves rows out": (conv(3), [IMAGES, normal(2, 3, 2, 2)]),
    "conv of padding that crops": (conv(1, -1), [IMAGES, normal(2, 3, 2, 2)]),
    "conv, dilated": (conv(1, 2, 2), [IMAGES, normal(2, 3, 3, 2)]),
    "conv in groups": (conv(2, 1, 1, 3), [IMAGES, normal(6, 1, 3, 3)]),
    "conv in groups of two": (conv(1, 1, 1, 2), [normal(2, 4, 3, 4), normal(6, 2, 2, 3)]),
    "conv in groups of the batch": (conv(1, 1, batch_groups=2), [normal(4, 3, 3, 4), normal(6, 3, 2, 3)]),
    "conv 1d, dilated and padded": (
        conv(2, 3, 2, names=("NCH", "OIH", "NCH")),
        [normal(2, 3, 7), normal(4, 3, 3)],
    ),
    "conv of channels last": (
        conv(2, 1, names=("NHWC", "HWIO", "NHWC")),
        [normal(2, 5, 4, 3), normal(3, 2, 3, 4)],
    ),
    "conv 3d": (
        conv(1, 1, names=("NCDHW", "OIDHW", "NCDHW")),
        [normal(1, 2, 3, 3, 2), normal(2, 2, 2, 2, 2)],
    ),
    "conv transpose": (conv(1, 2, 1, 1, 2), [IMAGES, normal(2, 3, 3, 3)]),
    "conv transpose of lax": (
        lambda x, w: lax.conv_transpose(x, w, (2, 2), "SAME", dimension_numbers=("NCHW", "OIHW", "NCHW")),
        [IMAGES, normal(4, 3, 3, 3)],
    ),
    "conv of what has an error": (
        lambda x, w: conv(1, 1)(jnp.tanh(x), jnp.exp(w)),
        [IMAGES, normal(4, 3, 3, 3)],
    ),
    "conv of a batch of kernels": (
        lambda x, w: jax.vmap(conv(1, 1))(x, w),
        [normal(2, 2, 3, 4, 4), normal(2, 4, 3, 2, 2)],
    ),
}
POOLS = {
    "max pool": (pool(lax.max, -np.inf, (2, 2), (2, 2)), [IMAGES]),
    "max pool, overlapping": (pool(lax.max, -np.inf, (3, 3), (1, 2)), [IMAGES]),
    "max pool, padded": (
        pool(lax.max, -np.inf, (3, 2), (2, 1), [(0, 0), (0, 0), (1, 1), (1, 0)]),
        [IMAGES],
    ),
    "max pool of what has an error": (lambda x: pool(lax.max, -np.inf, (3, 3), (1, 1))(x * x), [IMAGES]),
    "min pool": (pool(lax.min, np.inf, (2, 3), (1, 1)), [IMAGES]),
    "average pool": (lambda x: pool(lax.add, 0.0, (3, 2), (2, 1))(x) / 6, [IMAGES]),
    "average pool, padded": (
        lambda x: pool(lax.add, 0.0, (3, 3), (2, 2), [(0, 0), (0, 0), (1, 2), (2, 1)])(x * x),
        [IMAGES],
    ),
    "dilated windows": (
        lambda x: lax.reduce_window(
            x, 0.0, lax.add, (1, 1, 2, 2), (1, 1, 1, 1), "VALID", (1, 1, 2, 1), (1, 1, 1, 2)
        ),
        [IMAGES],
    ),
}

PLACES = np.array([2, 0, 2])
TABLE = normal(5, 4)


def cross_entropy(logits, labels):
    return -jnp.take_along_axis(nn.log_softmax(logits), labels[:, None], axis=1).mean()


INDEXED = {
    "embedding": (lambda table, i: jnp.tanh(jnp.take(table, i, axis=0)), [TABLE, PLACES]),
    "embedding by index": (lambda table, i: table[i] * table[i[::-1]], [TABLE, PLACES]),
    "cross-entropy": (cross_entropy, [X, PLACES]),
    "hinge": (
        lambda s, y: jnp.maximum(0.0, s - s[jnp.arange(3), y][:, None] + 1).sum() - 1.0,
        [X, PLACES],
    ),
    "columns": (lambda x, i: x[:, i] * jnp.arange(3.0, dtype=x.dtype)[None, :], [X, PLACES]),
    "a matrix of indices": (lambda x, i: x[i[:, None], i[None, :]], [X, PLACES]),
    "added to places": (lambda x, i, v: x.at[i].add(jnp.exp(v)) ** 2, [TABLE, PLACES, normal(3, 4)]),
    "put to places": (lambda x, i, v: x.at[i].set(v * v), [TABLE, np.array([4, 0, 2]), normal(3, 4)]),
    "put to a column": (lambda x, v: x.at[:, 1].set(v) * x, [TABLE, normal(5)]),
    "sum of segments": (lambda x, i: jax.ops.segment_sum(x * x, i, 4), [X, PLACES]),
    "sorted": (lambda x: jnp.sort(x, axis=1) * jnp.arange(4.0, dtype=x.dtype)[None, :], [X]),
    "largest two": (lambda x: lax.top_k(x * x, 2)[0], [X]),
    "the largest by its index": (lambda x: x[jnp.argmax(x)] ** 2, [normal(5)]),
    "a slice that moves": (
        lambda x, i: lax.dynamic_slice(x, (i[0], i[1]), (2, 3)) * lax.dynamic_slice(x, (i[1], i[0]), (2, 3)),
        [X, PLACES],
    ),
    "a slice that is replaced": (
        lambda x, v, i: lax.dynamic_update_slice(x, v * v, (i[0], i[1])),
        [X, normal(2, 2), PLACES],
    ),
    "a loop over rows": (
        lambda x: lax.fori_loop(0, 3, lambda i, c: jnp.tanh(c + x[i]), jnp.zeros(4, x.dtype)),
        [X],
    ),
    "batches of indices": (lambda x, i: jax.vmap(lambda row, k: row[k])(x, i), [X, PLACES]),
    "along an axis": (lambda x, i: jnp.take_along_axis(x, i[:, None], axis=1), [X, PLACES]),
}

FUNCTIONS = {
    **CONVOLUTIONS,
    **INDEXED,
    **POOLS,
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
    pairs = bounds.evaluate_with_bounds(backward.program, inputs, Arithmetic.judging(dtype, {}))
    results = xla.evaluate_backward_by_xla(backward, arguments, cotangent)
    certain = balls.evaluate_certified(backward.program, inputs, {}, dtype)
    roundoff = float(np.finfo(dtype).eps) / 2
    for (value, bound), result, ball in zip(pairs, results, certain, strict=True):
        assert value.shape == bound.shape == result.shape == ball.shape
        assert result.dtype == np.dtype(dtype)
        assert np.all(abs(result - value) <= bound)
        assert np.all(balls.ball_distance(ball, value) <= bound)
        assert np.all(bound <= np.sqrt(roundoff) * abs(value).max())  # none of them is without a word


@pytest.mark.parametrize("name", FUNCTIONS)
def test_xla_lies_within_the_band_of_random_rounding(name):
    function, arrays = FUNCTIONS[name]
    arguments = [array.astype(np.float32) if array.dtype == float else array for array in arrays]
    backward = traced_backward(function, arguments)
    rng = np.random.default_rng(5)
    leaves = [rng.standard_normal(leaf.shape).astype(np.float32) for leaf in backward.output_leaves]
    cotangent = jax.tree.unflatten(backward.outputs, leaves)
    inputs = backward.inputs(arguments, cotangent)
    at = Arithmetic.judging("float32", {})
    quantile = rounding.band_quantile(1e-9)
    bands = rounding.evaluate_under_rounding(backward.program, inputs, at, quantile)
    results = xla.evaluate_backward_by_xla(backward, arguments, cotangent)[backward.program.values :]
    for (value, sigma), result in zip(bands, results, strict=True):
        assert value.shape == sigma.shape == result.shape
        assert np.all(abs(result - value) <= quantile * sigma)
        assert np.all(np.isfinite(sigma))
