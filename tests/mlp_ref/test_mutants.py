"""Changes of the mathematics that the other tests did not notice: each test here is for some of them."""

import numpy as np
import pytest

from mlp_ref import MLP, cross_entropy, forward, mse, softmax_jacobian, softmax_vjp
from mlp_ref.targets import SUM_TOLERANCE


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
