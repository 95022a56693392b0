import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlp_ref import Layer, Workspace, loss_and_gradient, softmax
from mlp_ref.activations import ACTIVATIONS
from mlp_ref.backprop import affine, affine_backward, backward, forward, is_gradient_bounded
from mlp_ref.losses import LOSSES
from mlp_ref.params import as_layers, flatten

from .cases import random_case

sizes_strategy = st.lists(st.integers(1, 5), min_size=2, max_size=5)


def complex_loss(flat, sizes, x, y, hidden, loss):
    """The loss written down once more, for complex parameters: no softmax trick, no slope, no gradient."""
    functions = {
        "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
        "tanh": np.tanh,
        "relu": lambda z: np.where(z.real > 0, z, 0),
        "identity": lambda z: z,
    }
    layers = as_layers(flat, sizes)
    a = x
    for weight, bias in layers[:-1]:
        a = functions[hidden](a @ weight + bias)
    z = a @ layers[-1].weight + layers[-1].bias
    if loss == "mse":
        return ((z - y) ** 2).mean()
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    return ((p - y) ** 2).mean() if loss == "softmax_mse" else -(y * np.log(p)).sum(axis=1).mean()


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("hidden", ACTIVATIONS)
@given(seed=st.integers(0, 2**32 - 1), sizes=sizes_strategy, batch=st.integers(1, 4))
def test_gradient_is_the_complex_step_derivative(hidden, loss, seed, sizes, batch):
    # The imaginary part of f(v + ih) / h is the derivative up to h², and no difference is taken.
    params, x, y = random_case(seed, sizes, batch, loss)
    value, grads = loss_and_gradient(params, x, y, hidden, loss)
    flat, step = flatten(params), 1e-150
    expected = np.empty_like(flat)
    for i in range(flat.size):
        shifted = flat.astype(complex)
        shifted[i] += 1j * step
        expected[i] = complex_loss(shifted, sizes, x, y, hidden, loss).imag / step
    assert value == pytest.approx(complex_loss(flat, sizes, x, y, hidden, loss), rel=1e-12)
    scale = max(1, np.abs(expected).max())
    np.testing.assert_allclose(flatten(grads), expected, rtol=0, atol=1e-12 * scale, strict=True)


@given(seed=st.integers(0, 99), sizes=sizes_strategy, batch=st.integers(1, 4))
def test_the_chain_rule_holds_layer_by_layer(seed, sizes, batch):
    """Every gradient is the composition of explicit Jacobians, one row at a time."""
    params, x, y = random_case(seed, sizes, batch)
    _, grads = loss_and_gradient(params, x, y, "tanh")
    expected = [Layer(np.zeros_like(w), np.zeros_like(b)) for w, b in params]
    for row, target in zip(x, y, strict=True):
        inputs, jacobians = [row], []
        for weight, bias in params[:-1]:
            a = np.tanh(inputs[-1] @ weight + bias)
            jacobians.append(np.diag(1 - a**2))
            inputs.append(a)
        p = softmax(inputs[-1] @ params[-1].weight + params[-1].bias)
        dz = (np.diag(p) - np.outer(p, p)) @ (-target / p) / batch
        for i in range(len(params) - 1, -1, -1):
            expected[i].weight[...] += np.outer(inputs[i], dz)
            expected[i].bias[...] += dz
            if i:
                dz = jacobians[i - 1] @ params[i].weight @ dz
    np.testing.assert_allclose(flatten(grads), flatten(expected), rtol=0, atol=1e-13, strict=True)


@given(seed=st.integers(0, 99), batch=st.integers(1, 4), n_in=st.integers(1, 5), n_out=st.integers(1, 5))
def test_the_backward_of_an_affine_layer_is_the_adjoint_of_its_forward(seed, batch, n_in, n_out):
    """A layer is linear in each of x, weight and bias: sum(dz * (change of z)) = sum(dv * (change of v))."""
    (layer, _), x, dz = random_case(seed, [n_in, n_out, n_out], batch)
    rng = np.random.default_rng(seed)
    grads = Layer(np.full((n_in, n_out), np.nan), np.full(n_out, np.nan))
    place = np.full_like(x, np.nan)
    dx = affine_backward(dz, x, layer, np.ones(batch), grads, place)
    assert dx is place
    shift, turn, move = (rng.normal(size=v.shape) for v in (x, *layer))
    z = affine(x, layer)
    for gradient, change, changed in (
        (dx, shift, affine(x + shift, layer)),
        (grads.weight, turn, affine(x, Layer(layer.weight + turn, layer.bias))),
        (grads.bias, move, affine(x, Layer(layer.weight, layer.bias + move))),
    ):
        assert np.vdot(gradient, change) == pytest.approx(np.vdot(dz, changed - z), rel=1e-10, abs=1e-10)


def test_the_gradient_of_the_inputs_is_computed_only_where_there_is_a_place_for_it():
    (layer,), x, dz = random_case(0, [3, 2], 4)
    grads = Layer(np.empty((3, 2)), np.empty(2))
    assert affine_backward(dz, x, layer, np.ones(4), grads, None) is None
    np.testing.assert_allclose(grads.weight, x.T @ dz, rtol=1e-14, strict=True)


def test_the_first_layer_is_no_special_case():
    """With a place for the gradient of the inputs, `backward` computes it as that of any other layer."""
    params, x, _ = random_case(0, [3, 4, 2], 5)
    rng = np.random.default_rng(0)
    dlogits = rng.normal(size=(5, 2))
    workspace = Workspace([3, 4, 2], 5, np.float64)
    workspace.dx[0] = np.empty((5, 3))
    forward(params, x, ACTIVATIONS["tanh"], workspace)
    backward(params, x, dlogits, workspace)
    hidden = np.tanh(x @ params[0].weight + params[0].bias)
    expected = (dlogits @ params[1].weight.T * (1 - hidden**2)) @ params[0].weight.T
    np.testing.assert_allclose(workspace.dx[0], expected, rtol=1e-12, strict=True)


def test_what_shows_that_a_gradient_is_finite():
    """Finite numbers in the inputs and the gradients of all layers, whose squares do not overflow."""
    params, x, y = random_case(0, [3, 4, 2], 5, dtype=np.float32)
    workspace = Workspace([3, 4, 2], 5, np.float32)
    loss_and_gradient(params, x, y, workspace=workspace)
    assert is_gradient_bounded(x, workspace)
    for array in (x, *workspace.a, *workspace.slopes, workspace.logits):
        for number in (np.nan, np.inf, 1e30):
            before, array[1, 1] = array[1, 1].copy(), number
            with np.errstate(all="ignore"):
                assert not is_gradient_bounded(x, workspace)
            array[1, 1] = before
    assert is_gradient_bounded(x, workspace)
