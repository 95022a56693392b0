"""Each piece of the derivation against JAX's derivative of the same piece.

The float32 result is compared with JAX's in float64, so that JAX's own rounding hardly counts. ``ULPS`` is what the
few roundings of a piece may cost, in units of the unit roundoff of the result; JAX's part is an absolute error of
the same number of float64 roundings of numbers up to 1.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mlp_ref
from mlp_ref import MLP, Layer, activations
from verify.reference import network
from verify.subject import mlp_ref_targets

ULPS = 16
U32, U64 = 2.0**-24, 2.0**-53

seeds = st.integers(0, 2**32 - 1)
scales = st.sampled_from([0.01, 1.0, 10.0])


def assert_equal_but_for_rounding(result, expected, terms=0.0, units=ULPS):
    """Compare a float32 result with a float64 one, entry by entry; it is a sum of terms as large as ``terms``."""
    assert result.dtype == np.float32
    expected = np.asarray(expected)
    assert result.shape == expected.shape
    assert np.all(np.isfinite(result))
    allowed = units * (U32 * np.maximum(abs(expected), terms) + U64) + np.finfo(np.float32).tiny
    assert np.all(abs(result - expected) <= allowed)


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "relu", "identity"])
@given(seed=seeds, scale=scales)
def test_slope_equals_jax_grad(name, seed, scale):
    z = (scale * np.random.default_rng(seed).standard_normal(50)).astype(np.float32)
    value, slope = activations.ACTIVATIONS[name](z)
    with jax.enable_x64(True):
        wide = jnp.asarray(z.astype(np.float64))
        expected, derivative = network.HIDDEN[name](wide), jax.vmap(jax.grad(network.HIDDEN[name]))(wide)
    assert_equal_but_for_rounding(value, expected)
    assert_equal_but_for_rounding(np.broadcast_to(slope, z.shape).astype(np.float32), derivative)


def random_logits(seed, scale, rows=4, classes=5):
    return (scale * np.random.default_rng(seed).standard_normal((rows, classes))).astype(np.float32)


@given(seed=seeds, scale=scales)
def test_softmax_jacobian_equals_jax_jacobian(seed, scale):
    z = random_logits(seed, scale)
    jacobian = mlp_ref.softmax_jacobian(mlp_ref.softmax(z))
    with jax.enable_x64(True):
        expected = jax.vmap(jax.jacobian(jax.nn.softmax))(jnp.asarray(z.astype(np.float64)))
    # p itself carries the rounding of exp(z - max), |z| units of it; p (1 - p) is a difference of numbers up to 1.
    assert_equal_but_for_rounding(jacobian, expected, 1.0, ULPS + 4 * float(abs(z).max()))


@given(seed=seeds, scale=scales)
def test_softmax_vjp_equals_jax_vjp(seed, scale):
    z = random_logits(seed, scale)
    dp = random_logits(seed + 1, 1.0)
    result = mlp_ref.softmax_vjp(mlp_ref.softmax(z), dp)
    with jax.enable_x64(True):
        _, vjp = jax.vjp(lambda z: jax.nn.softmax(z, axis=1), jnp.asarray(z.astype(np.float64)))
        (expected,) = vjp(jnp.asarray(dp.astype(np.float64)))
    largest = float(abs(dp).max())
    assert_equal_but_for_rounding(result, expected, largest, ULPS + 4 * float(abs(z).max()))


@given(seed=seeds, scale=scales)
def test_fused_cross_entropy_gradient_equals_the_composition_through_the_jacobian(seed, scale):
    z = random_logits(seed, scale)
    labels = np.random.default_rng(seed).integers(0, 5, size=4)
    _, dlogits = mlp_ref.cross_entropy(z, labels)
    with jax.enable_x64(True):
        wide = jnp.asarray(z.astype(np.float64))
        p = jax.nn.softmax(wide, axis=1)
        jacobian = jax.vmap(jax.jacobian(jax.nn.softmax))(wide)
        dp = -jax.nn.one_hot(labels, 5, dtype=p.dtype) / p / 4  # of -mean log p_label
        composed = jnp.einsum("bij,bi->bj", jacobian, dp)
    # 1/p magnifies float64's rounding of the Jacobian by 1/p; scale 10 leaves p as small as 1e-20.
    usable = np.asarray(p[np.arange(4), labels]) > 1e-6
    assert_equal_but_for_rounding(
        dlogits[usable], np.asarray(composed)[usable], 1.0, ULPS + 4 * float(abs(z).max())
    )


def jax_steps(params, batches, spec, learning_rate):
    gradient = jax.jit(jax.grad(network.network_loss_of(spec)))
    for x, y in batches:
        grads = gradient(params, x, y)
        params = [
            Layer(
                *(np.asarray(p) - learning_rate * np.asarray(g) for p, g in zip(layer, dlayer, strict=True))
            )
            for layer, dlayer in zip(params, grads, strict=True)
        ]
    return params


@pytest.mark.parametrize(
    ("hidden", "loss"), [("sigmoid", "cross_entropy"), ("tanh", "softmax_mse"), ("relu", "mse")]
)
@pytest.mark.parametrize("epochs", [1, 10])
def test_training_equals_training_with_jax_gradients(hidden, loss, epochs):
    """One step, and a run of ten epochs in batches of unequal size: the same parameters, but for rounding."""
    rng = np.random.default_rng(7)
    rows, batch_size = (8, 8) if epochs == 1 else (22, 8)
    x = rng.standard_normal((rows, 6))
    y = rng.standard_normal((rows, 3)) if loss == "mse" else np.eye(3)[rng.integers(0, 3, rows)]
    net = MLP([6, 5, 3], hidden=hidden, loss=loss, dtype=np.float64, seed=1)
    start = [Layer(weight.copy(), bias.copy()) for weight, bias in net.params]
    twin = MLP([6, 5, 3], hidden=hidden, loss=loss, dtype=np.float64, seed=1)

    net.fit(x, y, epochs=epochs, batch_size=batch_size, learning_rate=0.3, progress=False)
    batches = []
    for _ in range(epochs):
        order = twin._rng.permutation(rows)  # the same generator in the same state draws the same batches
        batches += [
            (x[order[i : i + batch_size]], y[order[i : i + batch_size]]) for i in range(0, rows, batch_size)
        ]
    with jax.enable_x64(True):
        expected = jax_steps(start, batches, mlp_ref_targets.SPECS[hidden, loss], 0.3)

    moved = 0.0
    for layer, jax_layer, first in zip(net.params, expected, start, strict=True):
        for tensor, jax_tensor, before in zip(layer, jax_layer, first, strict=True):
            # Each step may add a thousand roundings of the largest parameter.
            allowed = len(batches) * 1e3 * np.finfo(np.float64).eps * abs(tensor).max()
            assert np.all(abs(tensor - jax_tensor) <= allowed)
            moved = max(moved, float(abs(tensor - before).max()))
    assert moved > 1e-3
