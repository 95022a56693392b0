"""The claim of the project, stated plainly: the hand-written gradient equals JAX's.

JAX itself executes ``jax.value_and_grad`` of a forward pass that was written apart (`verify.reference`). There is no
tolerance: `verify.evaluate.bounds` derives, for every entry, how far rounding may take either side from the exact
value.
"""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mlp_ref
import verify
from verify.reference.judge import judge
from verify.reference.network import network_loss_of
from verify.reference.truth import Truth, tensors_of
from verify.subject import mlp_ref_targets

NETWORKS = sorted(mlp_ref_targets.SPECS)


@settings(max_examples=60)
@given(data=st.data(), network=st.sampled_from(NETWORKS))
def test_loss_and_gradient_equal_jax_value_and_grad(data, network):
    hidden, loss_name = network
    spec = mlp_ref_targets.SPECS[network]
    case = data.draw(verify.cases(spec))
    params, x, y = case.arrays()

    loss, grads = mlp_ref.loss_and_gradient(params, x, y, hidden, loss_name)
    with jax.enable_x64(True):
        jax_loss, jax_grads = jax.value_and_grad(network_loss_of(spec))(params, x, y)

    bounds = Truth.of(spec, case.inputs(), case.dtype)
    results = [np.asarray(loss), *tensors_of(grads)]
    expected = [np.asarray(jax_loss), *(np.asarray(tensor) for tensor in tensors_of(jax_grads))]
    for ours, jaxs, (_, bound) in zip(results, expected, [bounds.loss, *bounds.tensors], strict=True):
        assert ours.shape == jaxs.shape
        assert np.all(np.isfinite(ours) | ~np.isfinite(jaxs))
        # Each side may lie `bound` from the exact value's float64 reference, so they may lie twice that apart.
        assert np.all((abs(ours.astype(float) - jaxs) <= 2 * bound) | (ours == jaxs))
    assert all(tensor.dtype == case.dtype for tensor in results[1:])


@pytest.mark.parametrize("network", NETWORKS, ids="-".join)
def test_the_oracle_verifies_the_network(network):
    report = verify.check(
        mlp_ref_targets.mlp_ref_target(*network), mlp_ref_targets.SPECS[network], cases=60, xla=0, certified=2
    )
    assert report.ok, str(report)


@pytest.mark.parametrize(("dtype", "lowest"), [("float32", 120), ("float64", 800)])
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=50)
def test_a_target_far_below_the_top_is_as_exact(dtype, lowest, seed):
    """With an x of 1 the logits are exact, and the bound is that of softmax and cross-entropy alone."""
    rng = np.random.default_rng(seed)
    weight = rng.standard_normal((1, 4))
    weight[0, 0] -= rng.uniform(0, lowest)
    params, x, y = (
        [mlp_ref.Layer(weight.astype(dtype), np.zeros(4, dtype))],
        np.ones((1, 1), dtype),
        np.array([0]),
    )
    _, grads = mlp_ref.loss_and_gradient(params, x, y)
    inputs = [np.asarray(array, dtype=float) for array in (*params[0], x, np.eye(4)[y])]
    truth = Truth.of(verify.Spec(), inputs, dtype)
    assert judge(truth.tensors, tensors_of(grads), dtype).verdict == "verified"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_check_above_can_fail(dtype):
    params = [mlp_ref.Layer(np.full((2, 2), 0.5, dtype), np.full(2, 0.25, dtype))]
    x, y = np.ones((3, 2), dtype), np.eye(2, dtype=dtype)[[0, 1, 1]]
    _, grads = mlp_ref.loss_and_gradient(params, x, y)
    inputs = [np.asarray(array, dtype=float) for array in (*params[0], x, y)]
    (value, bound), _ = Truth.of(verify.Spec(), inputs, dtype).tensors
    assert np.all(abs(grads[0].weight - value) <= bound)
    assert not np.any(abs(grads[0].weight * dtype(1.001) - value) <= bound)
