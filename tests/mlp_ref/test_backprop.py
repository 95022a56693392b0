import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlp_ref import Layer, Workspace, backprop, forward, loss_and_gradient, softmax
from mlp_ref.activations import ACTIVATIONS
from mlp_ref.backprop import ROWS_AT_ONCE
from mlp_ref.checks import check_params
from mlp_ref.losses import LOSSES
from mlp_ref.params import as_layers, flatten, parameter_count
from mlp_ref.targets import likeliest


def random_case(seed, sizes, batch, loss="cross_entropy", dtype=np.float64):
    rng = np.random.default_rng(seed)
    params = as_layers(rng.normal(size=parameter_count(sizes)).astype(dtype), sizes)
    x = rng.normal(size=(batch, sizes[0])).astype(dtype)
    outputs = rng.normal(size=(batch, sizes[-1])).astype(dtype)
    return params, x, outputs if loss == "mse" else softmax(outputs)


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


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("loss", LOSSES)
def test_dtype_and_shapes_are_those_of_the_parameters(loss, dtype):
    params, x, y = random_case(0, [3, 4, 2], 5, loss, dtype)
    value, grads = loss_and_gradient(params, x, y, "sigmoid", loss)
    assert type(value) is float
    assert [(p.shape, p.dtype) for g in grads for p in g] == [(p.shape, p.dtype) for g in params for p in g]
    logits = forward(params, x)
    assert (logits.shape, logits.dtype) == ((5, 2), dtype)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("hidden", ACTIVATIONS)
def test_a_workspace_gives_the_same_bits_at_every_use(hidden, loss):
    sizes = [3, 4, 4, 2]
    workspace = Workspace(sizes, 5, np.dtype(np.float64))
    for seed in range(3):
        params, x, y = random_case(seed, sizes, 5, loss)
        expected_value, expected = loss_and_gradient(params, x, y, hidden, loss)
        value, grads = loss_and_gradient(params, x, y, hidden, loss, workspace=workspace)
        assert value == expected_value
        np.testing.assert_array_equal(workspace.flat_grads, flatten(expected), strict=True)
        assert all(np.shares_memory(g.weight, workspace.flat_grads) for g in grads)


def test_results_are_new_and_arguments_are_left_alone():
    params, x, y = random_case(0, [3, 4, 2], 5)
    before = flatten(params), x.copy(), y.copy()
    _, first = loss_and_gradient(params, x, y)
    kept = flatten(first)
    _, second = loss_and_gradient(params, -x, y)
    np.testing.assert_array_equal(flatten(first), kept)
    assert not any(np.shares_memory(a.weight, b.weight) for a, b in zip(first, second, strict=True))
    for got, was in zip((flatten(params), x, y), before, strict=True):
        np.testing.assert_array_equal(got, was)


@pytest.mark.parametrize(
    "relayout",
    [
        np.asfortranarray,
        lambda v: np.repeat(v, 2, axis=0)[::2],
        lambda v: np.ascontiguousarray(v[::-1])[::-1],
        lambda v: np.frombuffer(v.tobytes(), v.dtype).reshape(v.shape),
    ],
    ids=["fortran", "strided", "reversed", "read-only"],
)
def test_memory_layout_does_not_matter(relayout):
    params, x, y = random_case(0, [3, 4, 2], 5)
    value, grads = loss_and_gradient(params, x, y)
    again = [Layer(*map(relayout, layer)) for layer in params]
    value_again, grads_again = loss_and_gradient(again, relayout(x), relayout(y))
    assert value == value_again
    np.testing.assert_array_equal(flatten(grads), flatten(grads_again), strict=True)


def test_plain_pairs_and_tuples_are_taken_as_layers():
    params, x, y = random_case(0, [3, 4, 2], 5)
    expected = loss_and_gradient(params, x, y)
    value, grads = loss_and_gradient(tuple((w, b) for w, b in params), x, y)
    assert value == expected[0]
    np.testing.assert_array_equal(flatten(grads), flatten(expected[1]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_long_x_is_checked_once_and_goes_through_in_pieces(dtype, monkeypatch):
    params, x, _ = random_case(0, [3, 4, 2], ROWS_AT_ONCE + 3, dtype=dtype)
    checked = []
    monkeypatch.setattr(backprop, "check_params", lambda given: checked.append(1) or check_params(given))
    logits = forward(params, x)
    assert checked == [1]
    rtol = 32 * np.finfo(dtype).eps
    np.testing.assert_allclose(logits[-5:], forward(params, x[-5:]), rtol=rtol, strict=True)
    assert np.isfinite(logits).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_outgrown_numbers_are_an_error_that_names_the_layer(dtype):
    big = dtype(np.sqrt(np.finfo(dtype).max))
    layer = Layer(np.full((2, 2), big), np.zeros(2, dtype))
    x = np.ones((1, 2), dtype)
    message = rf"x @ weight \+ bias outgrows {np.dtype(dtype)} in params\[1\]"
    with pytest.raises(FloatingPointError, match=message):
        forward([layer, layer], x, "relu")
    with pytest.raises(FloatingPointError, match=message):
        loss_and_gradient([layer, layer], x, [0], "identity")
    with pytest.raises(FloatingPointError, match=f"the gradient outgrows {np.dtype(dtype)}"):
        loss_and_gradient([layer], x * big / 8, np.full((1, 2), -big * big / 2), loss="mse")


def test_saturated_hidden_layers_are_no_error():
    layer = Layer(np.full((2, 2), 1e30, np.float32), np.zeros(2, np.float32))
    value, grads = loss_and_gradient([layer, layer], np.ones((1, 2), np.float32), [0], "sigmoid")
    assert value == pytest.approx(np.log(2))
    assert np.isfinite(flatten(grads)).all()


@pytest.mark.parametrize(
    ("argument", "value", "message"),
    [
        ("hidden", "swish", "hidden must be one of 'sigmoid', 'tanh', 'relu', 'identity', got 'swish'"),
        ("loss", "hinge", "loss must be one of 'cross_entropy', 'softmax_mse', 'mse', got 'hinge'"),
    ],
)
def test_unknown_names_are_refused(argument, value, message):
    params, x, y = random_case(0, [3, 2], 5)
    with pytest.raises(ValueError, match=message):
        loss_and_gradient(params, x, y, **{argument: value})


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("hidden", ACTIVATIONS)
def test_a_warm_step_allocates_no_array(hidden, loss):
    sizes, batch = [20, 30, 20], 1000
    params, x, y = random_case(0, sizes, batch, loss)
    workspace = Workspace(sizes, batch, x.dtype)
    loss_and_gradient(params, x, y, hidden, loss, workspace=workspace)
    tracemalloc.start()
    try:
        loss_and_gradient(params, x, y, hidden, loss, workspace=workspace)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # NumPy broadcasts through a buffer of 8192 numbers, whatever the arrays' size; x alone is larger.
    assert peak < 8192 * x.itemsize + 30_000 < x.nbytes


@pytest.mark.parametrize("loss", LOSSES)
def test_a_long_batch_is_taken_in_pieces_which_weigh_as_many_rows_as_they_have(monkeypatch, loss):
    params, x, y = random_case(0, [4, 5, 3], 10, loss)
    value, grads = loss_and_gradient(params, x, y, loss=loss)
    monkeypatch.setattr(backprop, "ROWS_AT_ONCE", 4)
    in_pieces, grads_in_pieces = loss_and_gradient(params, x, y, loss=loss)
    assert in_pieces == pytest.approx(value, rel=1e-14)
    scale = np.abs(flatten(grads)).max()
    np.testing.assert_allclose(
        flatten(grads_in_pieces), flatten(grads), rtol=0, atol=1e-14 * scale, strict=True
    )


@pytest.mark.parametrize("loss", LOSSES)
def test_a_workspace_for_a_long_batch_holds_its_pieces_and_is_used_again(monkeypatch, loss):
    params, x, y = random_case(0, [4, 5, 3], 10, loss)
    value, grads = loss_and_gradient(params, x, y, loss=loss)
    whole = Workspace([4, 5, 3], 10, np.float64)
    loss_and_gradient(params, x, y, loss=loss, workspace=whole)
    monkeypatch.setattr(backprop, "ROWS_AT_ONCE", 4)
    workspace = Workspace([4, 5, 3], 10, np.float64)
    assert [rows for rows, _ in workspace.pieces] == [slice(0, 4), slice(4, 8), slice(8, 10)]
    assert workspace.by_piece() is workspace.pieces
    assert whole.by_piece() == [(slice(None), whole)]
    for _ in range(2):
        in_pieces, grads_in_pieces = loss_and_gradient(params, x, y, loss=loss, workspace=workspace)
        assert in_pieces == pytest.approx(value, rel=1e-14)
        assert grads_in_pieces is workspace.grads
        scale = np.abs(flatten(grads)).max()
        np.testing.assert_allclose(workspace.flat_grads, flatten(grads), rtol=0, atol=1e-14 * scale)
        if loss != "mse":
            right = np.count_nonzero(forward(params, x).argmax(axis=1) == likeliest(y))
            assert workspace.count_right() == whole.count_right() == right > 0
    np.testing.assert_allclose(forward(params, x, workspace=workspace), forward(params, x), rtol=1e-14)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([4], 10, np.float32), ValueError, "layer_sizes must be at least two positive integers"),
        (([4, 2], 0, np.float32), ValueError, "batch must be a positive integer, got 0"),
        (([4, 2], 2.5, np.float32), TypeError, "batch must be a positive integer, got 2.5"),
        (([4, 2], 10, np.float16), TypeError, "dtype must be float32 or float64"),
    ],
)
def test_a_workspace_says_what_is_wrong_with_its_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        Workspace(*arguments)


def test_the_first_outgrown_layer_of_all_pieces_is_named(monkeypatch):
    monkeypatch.setattr(backprop, "ROWS_AT_ONCE", 4)
    layer = Layer(np.full((2, 2), 1e30, np.float32), np.zeros(2, np.float32))
    x = np.zeros((10, 2), np.float32)
    x[9] = 1
    with pytest.raises(FloatingPointError, match=r"outgrows float32 in params\[1\]"):
        forward([layer, layer], x, "relu")
    x[:3], x[9] = 1, 1e30  # the second layer overflows in the first piece, and the first layer in the last
    with pytest.raises(FloatingPointError, match=r"outgrows float32 in params\[0\]"):
        forward([layer, layer], x, "relu")


def test_memory_does_not_grow_with_a_long_batch():
    peaks = []
    for pieces in (2, 8):
        params, x, y = random_case(0, [2, 20, 3], pieces * ROWS_AT_ONCE)
        tracemalloc.start()
        try:
            loss_and_gradient(params, x, y)
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    # Checking y takes its rows' sums; the arrays of the pass would take 400 bytes a row.
    assert peaks[1] - peaks[0] < 6 * ROWS_AT_ONCE * 40
