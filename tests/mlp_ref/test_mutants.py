"""Changes of the mathematics that the other tests did not notice: each test here is for some of them."""

import tracemalloc

import numpy as np
import pytest

from mlp_ref import (
    MLP,
    Workspace,
    cross_entropy,
    forward,
    loss_and_gradient,
    mse,
    sigmoid,
    softmax_jacobian,
    softmax_mse,
    softmax_vjp,
)
from mlp_ref.targets import SUM_TOLERANCE
from mlp_ref.workspace import LossBuffers


def test_rows_that_sum_to_almost_one_weigh_what_they_sum_to():
    excess = SUM_TOLERANCE / 2
    y = np.array([[0.25 + excess, 0.75, 0.0], [0.125, 0.375, 0.5 - excess]])
    logits = np.array([[0.5, -1.0, 2.0], [1.0, 0.0, -0.5]])
    loss, dlogits = cross_entropy(logits, y)
    total = y.sum(axis=1, keepdims=True)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    expected = (total[:, 0] * np.log(np.exp(logits).sum(axis=1)) - (y * logits).sum(axis=1)).mean()
    # Numbers of about 1, after some ten roundings: a thousandth of what the excess makes of them is far more.
    assert abs(loss - expected) < excess / 1000
    assert np.abs(dlogits - (p * total - y) / 2).max() < excess / 1000


def test_an_impossible_class_that_lies_infinitely_below_costs_nothing():
    top = 1e308
    second = top - 2 * np.spacing(top)
    loss, dlogits = cross_entropy(np.array([[top, second, -top]]), np.array([[0.5, 0.5, 0.0]]))
    assert loss == np.spacing(top)
    np.testing.assert_array_equal(dlogits, [[0.5, -0.5, 0.0]], strict=True)


def test_a_mean_square_that_is_finite_though_the_sum_is_not():
    logits = np.array([[1.25e154, 0.0, -0.625e154]])
    value, dlogits = mse(logits, np.zeros((1, 3)))
    np.testing.assert_allclose(value, 1.25**2 * 1.25 / 3 * 1e308, rtol=1e-14)
    np.testing.assert_allclose(dlogits, logits * (2 / 3), rtol=1e-15, strict=True)


def test_the_jacobian_and_the_product_with_it_take_rows_in_any_number_of_axes():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(4), size=(2, 5))
    dp = rng.standard_normal((2, 5, 4))
    stacked, jacobians = softmax_vjp(p, dp), softmax_jacobian(p)
    for i in range(2):
        for j in range(5):
            np.testing.assert_allclose(stacked[i, j], softmax_vjp(p[i, j], dp[i, j]), rtol=1e-13, strict=True)
            np.testing.assert_allclose(jacobians[i, j], softmax_jacobian(p[i, j]), rtol=1e-13, strict=True)


def test_the_forward_pass_refuses_an_unknown_activation_as_the_gradient_does():
    net = MLP([3, 2, 2], seed=0)
    with pytest.raises(ValueError, match="hidden must be one of"):
        forward(net.params, np.zeros((1, 3), net.params[0].weight.dtype), "softplus")


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("loss", "kind"),
    [
        (cross_entropy, "labels"),
        (cross_entropy, "soft"),
        (softmax_mse, "labels"),
        (softmax_mse, "soft"),
        (mse, "soft"),
    ],
)
def test_a_loss_with_room_of_its_own_allocates_not_even_a_column(loss, kind, weighted):
    batch, n = 40_000, 2
    rng = np.random.default_rng(0)
    y = rng.dirichlet(np.ones(n), size=batch) if kind == "soft" else rng.integers(0, n, batch)
    weights = rng.random(batch) if weighted else None
    buffers = LossBuffers(batch, n, np.dtype(float))
    logits = rng.standard_normal((batch, n))
    loss(logits, y, buffers, weights)
    tracemalloc.start()
    try:
        loss(logits, y, buffers, weights)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # NumPy broadcasts through a buffer of 8192 numbers; the search for NaN marks one byte a row.
    assert peak < 2 * 8192 * 8 + batch < batch * 8


def test_rows_that_are_right_are_counted_without_an_array():
    batch = 50_000
    buffers = LossBuffers(batch, 2, np.dtype(float))
    labels = np.arange(batch) % 2
    logits = np.zeros((batch, 2))
    logits[np.arange(batch), labels] = 1  # right ...
    logits[:3] *= -1  # ... but for three
    cross_entropy(logits, labels, buffers)
    buffers.count_correct()
    tracemalloc.start()
    try:
        right = buffers.count_correct()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert right == batch - 3
    assert type(right) is int
    assert peak < batch / 10


def test_overflow_is_limited_in_the_place_given():
    z = np.linspace(-1, 1e4, 50_000)
    out = np.empty_like(z), np.empty_like(z)
    with np.errstate(all="ignore"):
        sigmoid(z, out)
        tracemalloc.start()
        try:
            sigmoid(z, out)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < z.nbytes / 10


@pytest.mark.parametrize(("p", "dp", "name"), [([1, 0], [1.0, 0.0], "p"), ([1.0, 0.0], [1, 0], "dp")])
def test_the_product_with_the_jacobian_names_what_it_refuses(p, dp, name):
    with pytest.raises(TypeError, match=f"^{name} must be float32 or float64, got int64"):
        softmax_vjp(np.array(p), np.array(dp))


def test_impossible_classes_cost_nothing_row_by_row():
    top = 1e308
    second = top - 2 * np.spacing(top)
    logits = np.array([[top, second, -top], [0.0, 0.0, 0.0]])
    y = np.array([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]])
    buffers = LossBuffers(2, 3, np.dtype(float))
    with np.errstate(all="ignore"):
        cross_entropy(logits, y, buffers)
    # Of each row, the sum of y * (logits - top): nothing of the class that is infinitely far, nor of the other row.
    np.testing.assert_array_equal(buffers.expected_d, [-np.spacing(top), 0.0], strict=True)


def test_an_impossible_class_costs_nothing_whatever_was_in_the_memory_before():
    top, rows = 1e308, 50
    logits, y = np.tile([top, -top, 0.0], (rows, 1)), np.tile([0.5, 0.0, 0.5], (rows, 1))
    _ = [np.full((rows, 3), np.nan) for _ in range(20)]
    del _
    value, _ = cross_entropy(logits, y)
    assert value == pytest.approx(top / 2, rel=1e-14)


def test_a_huge_squared_error_is_put_in_the_place_given():
    buffers = LossBuffers(1, 2, np.dtype(float))
    with np.errstate(all="ignore"):
        _, dlogits = mse(np.array([[1e200, -1e200]]), np.zeros((1, 2)), buffers)
    assert dlogits is buffers.dz


def test_a_room_holds_numbers_of_its_dtype_alone():
    buffers = LossBuffers(3, 2, np.dtype(np.float32))
    kinds = {array.dtype for array in vars(buffers).values()}
    assert kinds == {np.dtype(np.float32), np.dtype(np.intp), np.dtype(np.bool_)}


def test_a_workspace_makes_every_product_and_puts_the_gradient_where_the_logits_were():
    sizes = [3, 4, 4, 2]
    net = MLP(sizes, dtype=np.float64, seed=0)
    workspace = Workspace(sizes, 5, np.dtype(float))
    shapes = []

    def multiply(a, b, out):
        shapes.append(out.shape)
        return a.dot(b, out)

    workspace.multiply = multiply
    loss_and_gradient(net.params, np.ones((5, 3)), np.zeros(5, int), workspace=workspace)
    assert shapes == [(5, 4), (5, 4), (5, 2), (4, 2), (5, 4), (4, 4), (5, 4), (3, 4)]
    assert workspace.loss.dz is workspace.logits
