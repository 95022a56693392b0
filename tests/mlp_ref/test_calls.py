import tracemalloc

import numpy as np
import pytest

from mlp_ref import Layer, calls, forward, loss_and_gradient
from mlp_ref.activations import ACTIVATIONS
from mlp_ref.checks import check_params
from mlp_ref.losses import LOSSES
from mlp_ref.params import as_layers, flatten, parameter_count
from mlp_ref.workspace import ROWS_AT_ONCE

from .cases import random_case


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("loss", LOSSES)
def test_dtype_and_shapes_are_those_of_the_parameters(loss, dtype):
    params, x, y = random_case(0, [3, 4, 2], 5, loss, dtype)
    value, grads = loss_and_gradient(params, x, y, "sigmoid", loss)
    assert type(value) is float
    assert [(p.shape, p.dtype) for g in grads for p in g] == [(p.shape, p.dtype) for g in params for p in g]
    logits = forward(params, x)
    assert (logits.shape, logits.dtype) == ((5, 2), dtype)


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
    monkeypatch.setattr(calls, "check_params", lambda given: checked.append(1) or check_params(given))
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
def test_a_long_batch_is_taken_in_pieces_which_weigh_as_many_rows_as_they_have(monkeypatch, loss):
    params, x, y = random_case(0, [4, 5, 3], 10, loss)
    value, grads = loss_and_gradient(params, x, y, loss=loss)
    monkeypatch.setattr("mlp_ref.workspace.ROWS_AT_ONCE", 4)
    in_pieces, grads_in_pieces = loss_and_gradient(params, x, y, loss=loss)
    assert in_pieces == pytest.approx(value, rel=1e-14)
    scale = np.abs(flatten(grads)).max()
    np.testing.assert_allclose(
        flatten(grads_in_pieces), flatten(grads), rtol=0, atol=1e-14 * scale, strict=True
    )


def test_the_first_outgrown_layer_of_all_pieces_is_named(monkeypatch):
    monkeypatch.setattr("mlp_ref.workspace.ROWS_AT_ONCE", 4)
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


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("hidden", ACTIVATIONS)
@pytest.mark.parametrize("bias", [-1e3, 0.0, 1e3])
@pytest.mark.parametrize(
    ("sizes", "batch"), [([3, 4, 2], 5), ([3, 1, 2], 1), ([1, 1, 2], 1), ([1, 1, 2], 4), ([3, 2], 1)]
)
def test_a_number_of_x_that_is_not_finite_is_named_also_where_no_unit_passes_it_on(
    sizes, batch, bias, hidden, number
):
    """It is seen in the gradient and in the first layer, where it meets slopes and weights of 0 too."""
    params, x, y = random_case(0, sizes, batch)
    params[0].bias[:] = bias
    row, column = batch - 1, sizes[0] - 1
    for zero in (False, True):
        if zero:
            params[0].weight[column] = 0
        x[row, column] = number
        message = rf"x must be finite, but x\[{row}, {column}\] is {number}"
        with pytest.raises(ValueError, match=message):
            loss_and_gradient(params, x, y, hidden)
        with pytest.raises(ValueError, match=message):
            forward(params, x, hidden)
        x[row, column] = 0.5
        assert np.isfinite(flatten(loss_and_gradient(params, x, y, hidden)[1])).all()


@pytest.mark.parametrize("number", [np.nan, np.inf])
@pytest.mark.parametrize("units", [2, 3, 17, 100])
def test_in_a_single_row_it_is_named_whatever_the_number_of_units_that_pass_nothing_on(units, number):
    params = [Layer(np.ones((5, units)), np.full(units, -1e6)), Layer(np.ones((units, 2)), np.zeros(2))]
    x = np.ones((1, 5))
    assert not loss_and_gradient(params, x, [0], "relu")[1][0].weight.any()
    for column in range(5):
        x[:] = 1
        x[0, column] = number
        with pytest.raises(ValueError, match=rf"x must be finite, but x\[0, {column}\] is {number}"):
            loss_and_gradient(params, x, [0], "relu")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("size", "finite"), [(1e-3, True), (0.9, True), (2.0, False)])
def test_few_rows_of_a_large_layer_have_the_gradient_that_fits_the_dtype(dtype, size, finite):
    """Up to the largest number: its square, by which the gradient is judged at first, overflows before."""
    x, y = np.ones((1, 300), dtype), np.zeros((1, 300), dtype)
    weight, bias = np.zeros((300, 300), dtype), np.zeros(300, dtype)
    params = [Layer(weight, bias)]
    # The gradient of the mean of (z - y)**2 is 2 * (z - y) / 300 times x: x[0, 7] times -2 in column 5.
    y[0, 5] = 300
    x[0, 7] = dtype(size) * (np.finfo(dtype).max / 2)
    if not finite:
        with pytest.raises(FloatingPointError, match="the gradient outgrows"):
            loss_and_gradient(params, x, y, loss="mse")
        return
    _, [grads] = loss_and_gradient(params, x, y, loss="mse")
    assert grads.weight[7, 5] == pytest.approx(-2 * float(x[0, 7]), rel=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_first_layer_that_overflows_into_a_saturated_one_is_no_error(dtype):
    big = np.finfo(dtype).max
    params = [
        Layer(np.full((2, 3), big), np.zeros(3, dtype)),
        Layer(np.ones((3, 2), dtype), np.zeros(2, dtype)),
    ]
    x = np.full((2, 2), big)
    np.testing.assert_array_equal(forward(params, x), np.full((2, 2), dtype(3)), strict=True)


@pytest.mark.parametrize("number", [np.nan, np.inf])
@pytest.mark.parametrize("batch", [1, 3, 64, 256, ROWS_AT_ONCE + 1])
def test_a_number_of_x_that_is_not_finite_is_named_in_large_products_too(batch, number):
    rng = np.random.default_rng(0)
    sizes = [300, 256, 10]
    params = as_layers(rng.normal(size=parameter_count(sizes)).astype(np.float32), sizes)
    params[0].bias[:] = -1e6  # no unit of relu passes anything on
    params[0].weight[7] = 0
    x, y = rng.random((batch, 300), dtype=np.float32), rng.integers(0, 10, batch)
    assert not loss_and_gradient(params, x, y, "relu")[1][0].weight.any()
    x[-1, 7] = number
    for call in (lambda: loss_and_gradient(params, x, y, "relu"), lambda: forward(params, x, "relu")):
        with pytest.raises(ValueError, match=rf"x must be finite, but x\[{batch - 1}, 7\] is {number}"):
            call()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rows", [1, 3, ROWS_AT_ONCE + 2])
def test_logits_are_right_beyond_the_limit_of_exp(rows, dtype):
    params = [
        Layer(np.eye(3, dtype=dtype), np.zeros(3, dtype)),
        Layer(np.eye(3, dtype=dtype), np.zeros(3, dtype)),
    ]
    x = np.tile(np.array([1e4, -1e4, 0], dtype), (rows, 1))
    expected = np.tile(np.array([1, 0, 0.5], dtype), (rows, 1))
    np.testing.assert_array_equal(forward(params, x), expected, strict=True)
