"""The reference says what its formulas say: compared with sums written out in NumPy, and with JAX's own pieces."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from verify.case.case import Case
from verify.reference import network
from verify.reference.spec import HIDDEN, OUTPUT_LOSSES, REDUCTIONS, Spec

LABELS = {"distribution": "soft", "probability": "probability", "real": "real"}
ACTIVATION = {
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0),
    "leaky_relu": lambda z: np.where(z > 0, z, 0.01 * z),
    "identity": lambda z: z,
    "softmax": lambda z: np.exp(z) / np.exp(z).sum(axis=1, keepdims=True),
}
ROW_LOSS = {
    "cross_entropy": lambda p, y: -(y * np.log(p)).sum(axis=1),
    "squared_error": lambda p, y: ((p - y) ** 2).sum(axis=1),
    "binary_cross_entropy": lambda p, y: -(y * np.log(p) + (1 - y) * np.log(1 - p)).sum(axis=1),
}


def written_out(spec, params, x, y):
    a = x
    for i, (weight, bias) in enumerate(params):
        z = a @ weight + (bias if spec.biases else 0)
        a = ACTIVATION[spec.hidden if i < len(params) - 1 else spec.output](z)
    rows = ROW_LOSS[spec.loss](a, y)
    total = rows.sum() * (0.5 if spec.reduction.startswith("half") else 1)
    divisor = {"mean": len(x), "all": y.size, "sum": 1}[spec.reduction.rpartition("_")[2]]
    return total / divisor + sum(0.5 * spec.l2 * (weight**2).sum() for weight, _ in params)


def value(spec, case):
    with jax.enable_x64(True):
        return float(network.network_loss_of(spec)(*case.arrays()))


SPECS = [Spec(hidden) for hidden in HIDDEN]
SPECS += [Spec(output=output, loss=loss) for output, loss in OUTPUT_LOSSES]
SPECS += [Spec(reduction=reduction, l2=0.3) for reduction in REDUCTIONS]
SPECS += [Spec("tanh", "identity", "squared_error", "mean_all", biases=False)]


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_the_loss_is_the_formulas(spec):
    case = Case((4, 5, 3), 6, labels=LABELS[spec.targets], seed=11)
    np.testing.assert_allclose(value(spec, case), written_out(spec, *case.arrays()), rtol=1e-13)


def test_a_penalty_leaves_the_biases_alone():
    case = Case((4, 3), 5, labels="one_hot", seed=1)
    with jax.enable_x64(True):
        plain, penalised = (
            jax.grad(network.network_loss_of(spec))(*case.arrays()) for spec in (Spec(), Spec(l2=0.5))
        )
    weight = case.arrays().params[0].weight
    np.testing.assert_allclose(penalised[0].weight - plain[0].weight, 0.5 * weight, rtol=1e-12, strict=True)
    np.testing.assert_array_equal(penalised[0].bias, plain[0].bias)


def test_biases_that_are_not_used_have_no_gradient():
    case = Case((4, 5, 3), 5)
    with jax.enable_x64(True):
        gradient = jax.grad(network.network_loss_of(Spec(biases=False)))(*case.arrays())
    for weight, bias in gradient:
        assert not np.asarray(bias).any()
        assert np.asarray(weight).all()


@pytest.mark.parametrize(("hidden", "slope"), [("relu", 0.0), ("leaky_relu", 1.0)])
def test_the_slope_at_a_kink(hidden, slope):
    assert jax.grad(network.HIDDEN[hidden])(0.0) == slope


@pytest.mark.parametrize("logit", [-800.0, -30.0, 0.0, 30.0, 800.0])
@pytest.mark.parametrize("target", [0.0, 0.25, 1.0])
def test_binary_cross_entropy_is_finite_and_smooth_everywhere(logit, target):
    def loss(z):
        return network.network_binary_cross_entropy(z[None, None], jnp.full((1, 1), target))[0]

    with jax.enable_x64(True):
        got, slope = jax.value_and_grad(loss)(jnp.asarray(logit))
    expected = np.logaddexp(0, logit) - target * logit
    # It is log(1 + exp(z)), not log1p: its own error is a rounding of 1.
    np.testing.assert_allclose(got, expected, rtol=1e-15, atol=2.3e-16)
    np.testing.assert_allclose(slope, np.exp(-np.logaddexp(0, -logit)) - target, rtol=1e-15, atol=2.3e-16)


def test_cross_entropy_of_extreme_logits():
    with jax.enable_x64(True):
        loss = network.network_cross_entropy(jnp.array([[0.0, 2000.0]]), jnp.array([[1.0, 0.0]]))
    np.testing.assert_array_equal(loss, [2000.0])
