import tracemalloc

import numpy as np
import pytest

from mlp_ref import MLP, Workspace, loss_and_gradient
from mlp_ref.lbfgs import LBFGS
from mlp_ref.optimisers import SGD, Adam, as_optimiser

KINDS = {
    "sgd": lambda: SGD(),
    "momentum": lambda: SGD(0.9),
    "nesterov": lambda: SGD(0.9, nesterov=True),
    "adam": lambda: Adam(),
}
each_kind = pytest.mark.parametrize("kind", KINDS)


def test_momentum_by_hand():
    flat, optimiser = np.zeros(1), SGD(0.5)
    for expected in (-1, -2.5, -4.25):  # velocities 1, 1.5, 1.75
        optimiser.step(flat, np.ones(1), 1.0)
        assert flat[0] == expected


def test_nesterov_by_hand():
    flat, optimiser = np.zeros(1), SGD(0.5, nesterov=True)
    for expected in (-1.5, -3.25, -5.125):  # 1 + 1/2, 1 + 3/4, 1 + 7/8
        optimiser.step(flat, np.ones(1), 1.0)
        assert flat[0] == expected


def test_adam_s_steps_have_the_size_of_the_rate_whatever_the_gradient_s():
    gradient = np.array([1e-3, -1.0, 1e6])
    flat, optimiser = np.zeros(3), Adam(epsilon=1e-300)
    for step in (1, 2, 3):
        optimiser.step(flat, gradient.copy(), 0.01)
        np.testing.assert_allclose(flat, -0.01 * step * np.sign(gradient), rtol=1e-14, strict=True)


@each_kind
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_step_after_the_first_allocates_nothing(kind, dtype):
    n = 100_000
    flat, gradient, optimiser = np.ones(n, dtype), np.ones(n, dtype), KINDS[kind]()
    optimiser.step(flat, gradient, 0.1)
    tracemalloc.start()
    try:
        optimiser.step(flat, gradient, 0.1)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1000  # numbers and views: a vector has 400,000 bytes


@each_kind
@pytest.mark.parametrize("loss", ["cross_entropy", "softmax_mse", "mse"])
def test_a_training_step_after_the_first_allocates_nothing(kind, loss):
    """Gradient, weights of rows, penalty and step; what is left is the buffer through which NumPy broadcasts."""
    sizes, rows = [200, 300, 10], 256
    rng = np.random.default_rng(0)
    x, weights = rng.random((rows, sizes[0]), np.float32), rng.random(rows, np.float32)
    y = rng.random((rows, 10), np.float32) if loss == "mse" else rng.integers(0, 10, rows)
    net, optimiser = MLP(sizes, loss=loss, seed=0), KINDS[kind]()
    params, flat, workspace = net.params, net.flat, Workspace(sizes, rows, np.float32)

    def step():
        options = {"sample_weight": weights, "l2": 0.1, "workspace": workspace}
        loss_and_gradient(params, x, y, "sigmoid", loss, **options)
        optimiser.step(flat, workspace.flat_grads, 0.01)

    step()
    tracemalloc.start()
    try:
        step()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    buffer, numbers_and_views = 8192 * 4, 2000
    assert peak < buffer + numbers_and_views < flat.nbytes / 4


@each_kind
def test_what_is_remembered_brings_back_the_same_steps(kind):
    rng = np.random.default_rng(0)
    gradients = rng.normal(size=(6, 5))
    one, other = KINDS[kind](), KINDS[kind]()
    flat = np.zeros(5)
    for gradient in gradients[:3]:
        one.step(flat, gradient.copy(), 0.1)
    other.remember(one.memory())
    twin = flat.copy()
    for gradient in gradients[3:]:
        one.step(flat, gradient.copy(), 0.1)
        other.step(twin, gradient.copy(), 0.1)
    np.testing.assert_array_equal(flat, twin, strict=True)


def test_memory_is_a_copy():
    optimiser, flat = SGD(0.9), np.zeros(2)
    optimiser.step(flat, np.ones(2), 1.0)
    memory = optimiser.memory()
    before = memory.vectors.copy()
    optimiser.step(flat, np.ones(2), 1.0)
    np.testing.assert_array_equal(memory.vectors, before)
    optimiser.remember(memory)
    optimiser.step(flat, np.ones(2), 1.0)
    np.testing.assert_array_equal(memory.vectors, before)


@pytest.mark.parametrize("other", [np.zeros(3), np.zeros(2, np.float32)])
def test_an_optimiser_of_another_network_is_refused(other):
    optimiser = Adam()
    optimiser.step(np.zeros(2), np.ones(2), 1.0)
    with pytest.raises(
        ValueError, match="one of its own for each network: it has stepped 2 parameters of float64"
    ):
        optimiser.step(other, np.ones_like(other), 1.0)
    assert not other.any()


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: SGD(1.0),
            ValueError,
            "momentum must be a finite number, at least 0 and less than 1, got 1.0",
        ),
        (lambda: SGD("fast"), TypeError, "momentum must be a number, got 'fast'"),
        (lambda: Adam(beta_1=-0.1), ValueError, "beta_1 must be a finite number, at least 0 and less than 1"),
        (lambda: Adam(beta_2=np.nan), ValueError, "beta_2 must be a finite number"),
        (lambda: Adam(epsilon=0), ValueError, "epsilon must be a finite number, more than 0, got 0"),
        (lambda: LBFGS(tolerance=-1), ValueError, "tolerance must be a finite number, at least 0, got -1"),
        (lambda: LBFGS(evaluations=0), ValueError, "evaluations must be a positive integer, got 0"),
        (lambda: as_optimiser("rprop"), ValueError, "optimiser must be one of 'sgd', 'adam', 'lbfgs', or"),
        (lambda: as_optimiser(Adam), ValueError, "optimiser must be one of"),
    ],
)
def test_bad_settings_are_named(make, error, message):
    with pytest.raises(error, match=message):
        make()
