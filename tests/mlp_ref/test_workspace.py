import tracemalloc

import numpy as np
import pytest

from mlp_ref import Workspace, forward, loss_and_gradient
from mlp_ref.activations import ACTIVATIONS
from mlp_ref.losses import LOSSES
from mlp_ref.params import flatten
from mlp_ref.targets import target_labels

from .cases import random_case


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("hidden", ACTIVATIONS)
def test_a_workspace_gives_the_same_bits_at_every_use(hidden, loss):
    sizes = [3, 4, 4, 2]
    workspace = Workspace(sizes, 5, np.dtype(np.float64))
    for seed in range(3):
        params, x, y = random_case(seed, sizes, 5, loss)
        expected_value, expected = loss_and_gradient(params, x, y, hidden, loss)
        np.testing.assert_array_equal(
            forward(params, x, hidden, workspace=workspace), forward(params, x, hidden), strict=True
        )
        value, grads = loss_and_gradient(params, x, y, hidden, loss, workspace=workspace)
        assert value == expected_value
        np.testing.assert_array_equal(workspace.flat_grads, flatten(expected), strict=True)
        assert all(np.shares_memory(g.weight, workspace.flat_grads) for g in grads)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("hidden", ACTIVATIONS)
def test_a_warm_step_allocates_no_array(hidden, loss, weighted):
    sizes, batch = [20, 30, 20], 1000
    params, x, y = random_case(0, sizes, batch, loss)
    workspace = Workspace(sizes, batch, x.dtype)
    options = {"sample_weight": np.ones(batch), "l2": 0.1} if weighted else {}
    loss_and_gradient(params, x, y, hidden, loss, workspace=workspace, **options)
    tracemalloc.start()
    try:
        loss_and_gradient(params, x, y, hidden, loss, workspace=workspace, **options)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # NumPy broadcasts through a buffer of 8192 numbers, whatever the arrays' size; x alone is larger.
    assert peak < 8192 * x.itemsize + 30_000 < x.nbytes


@pytest.mark.parametrize("loss", LOSSES)
def test_a_workspace_for_a_long_batch_holds_its_pieces_and_is_used_again(monkeypatch, loss):
    params, x, y = random_case(0, [4, 5, 3], 10, loss)
    value, grads = loss_and_gradient(params, x, y, loss=loss)
    whole = Workspace([4, 5, 3], 10, np.float64)
    loss_and_gradient(params, x, y, loss=loss, workspace=whole)
    monkeypatch.setattr("mlp_ref.workspace.ROWS_AT_ONCE", 4)
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
            right = np.count_nonzero(forward(params, x).argmax(axis=1) == target_labels(y))
            assert workspace.count_correct() == whole.count_correct() == right > 0
    np.testing.assert_allclose(
        forward(params, x, workspace=workspace), forward(params, x), rtol=1e-14, strict=True
    )


def test_logits_of_pieces_have_the_dtype_of_x(monkeypatch):
    monkeypatch.setattr("mlp_ref.workspace.ROWS_AT_ONCE", 4)
    params, x, _ = random_case(0, [4, 5, 3], 10, dtype=np.float32)
    assert forward(params, x, workspace=Workspace([4, 5, 3], 10, np.float32)).dtype == np.float32


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


SIZES, OTHER_SIZES = [4, 5, 3], [4, 5, 5, 3]


@pytest.mark.parametrize(
    ("sizes", "rows", "dtype", "message"),
    [
        (
            OTHER_SIZES,
            10,
            np.float64,
            r"it is for the layer sizes \[4, 5, 3\], but params have \[4, 5, 5, 3\]",
        ),
        ([4, 3], 10, np.float64, r"it is for the layer sizes \[4, 5, 3\], but params have \[4, 3\]"),
        ([4, 6, 3], 10, np.float64, r"but params have \[4, 6, 3\]"),
        ([2, 5, 3], 10, np.float64, r"but params have \[2, 5, 3\]"),
        (SIZES, 11, np.float64, r"workspace must fit x: it is for shape \(10, 4\), but x has \(11, 4\)"),
        (SIZES, 9, np.float64, r"but x has \(9, 4\)"),
        (SIZES, 10, np.float32, "workspace must fit params: it is for float64, but params has float32"),
    ],
)
@pytest.mark.parametrize("rows_at_once", [4, 1024])
def test_a_workspace_that_does_not_fit_is_refused_and_left_alone(
    monkeypatch, rows_at_once, sizes, rows, dtype, message
):
    """Three layers in a workspace for two would skip one, and more rows than it has pieces for would be left out."""
    monkeypatch.setattr("mlp_ref.workspace.ROWS_AT_ONCE", rows_at_once)
    params, x, y = random_case(0, SIZES, 10)
    workspace = Workspace(SIZES, 10, np.float64)
    loss_and_gradient(params, x, y, workspace=workspace)
    before = workspace.flat_grads.copy()
    params, x, y = random_case(1, sizes, rows, dtype=dtype)
    with pytest.raises(ValueError, match=message):
        loss_and_gradient(params, x, y, workspace=workspace)
    with pytest.raises(ValueError, match=message):
        forward(params, x, workspace=workspace)
    np.testing.assert_array_equal(workspace.flat_grads, before, strict=True)


def test_a_workspace_refuses_inputs_of_another_dtype_and_targets_of_other_rows():
    params, x, y = random_case(0, SIZES, 10)
    workspace = Workspace(SIZES, 10, np.float64)
    with pytest.raises(ValueError, match="workspace must fit x: it is for float64, but x has float32"):
        loss_and_gradient(params, x.astype(np.float32), y, workspace=workspace)
    for rows in (1, 9):
        with pytest.raises(ValueError, match=f"y must have one row per row of x: x has 10 but y has {rows}"):
            loss_and_gradient(params, x, y[:rows], workspace=workspace)


def test_an_equal_dtype_fits_also_where_it_is_another_object():
    params, x, y = random_case(0, SIZES, 10)
    expected, _ = loss_and_gradient(params, x, y)
    twin = np.dtype("f8", copy=True)
    value, _ = loss_and_gradient(params, x.view(twin), y, workspace=Workspace(SIZES, 10, np.float64))
    assert value == expected


@pytest.mark.parametrize("pieces", [False, True])
def test_a_list_that_did_fit_and_was_changed_is_refused(monkeypatch, pieces):
    """Layers of one width would go through a workspace for fewer or more of them."""
    monkeypatch.setattr("mlp_ref.workspace.ROWS_AT_ONCE", 4 if pieces else 1024)
    sizes = [3, 3, 3, 3]
    params, x, y = random_case(0, sizes, 10)
    workspace = Workspace(sizes, 10, np.float64)
    value, _ = loss_and_gradient(params, x, y, workspace=workspace)
    assert loss_and_gradient(params, x, y, workspace=workspace)[0] == value
    for change in (lambda: params.append(params[0]), lambda: params.__delitem__(slice(2, None))):
        change()
        with pytest.raises(ValueError, match=r"workspace must fit params: .* but params have \[3, 3"):
            loss_and_gradient(params, x, y, workspace=workspace)
        with pytest.raises(ValueError, match=r"workspace must fit params: .* but params have \[3, 3"):
            forward(params, x, workspace=workspace)


def test_other_rows_with_a_list_that_did_fit_are_refused():
    params, x, y = random_case(0, SIZES, 10)
    workspace = Workspace(SIZES, 10, np.float64)
    for _ in range(2):
        loss_and_gradient(params, x, y, workspace=workspace)
    for other_x, other_y, message in (
        (x[:9], y[:9], r"workspace must fit x: it is for shape \(10, 4\), but x has \(9, 4\)"),
        (x[:, :3], y, r"but x has \(10, 3\)"),
        (x.astype(np.float32), y, "it is for float64, but x has float32"),
        (x, y[:1], "y must have one row per row of x: x has 10 but y has 1"),
    ):
        with pytest.raises(ValueError, match=message):
            loss_and_gradient(params, other_x, other_y, workspace=workspace)


def test_a_single_layer_of_another_dtype_is_refused():
    params, x, y = random_case(0, [4, 3], 10, dtype=np.float32)
    with pytest.raises(
        ValueError, match="workspace must fit params: it is for float64, but params has float32"
    ):
        loss_and_gradient(params, x, y, workspace=Workspace([4, 3], 10, np.float64))


def test_a_layer_of_other_sizes_in_a_list_that_did_fit_is_refused():
    params, x, y = random_case(0, SIZES, 10)
    workspace = Workspace(SIZES, 10, np.float64)
    loss_and_gradient(params, x, y, workspace=workspace)
    params[1] = random_case(1, [6, 3], 10)[0][0]
    with pytest.raises(ValueError, match=r"shapes|output array"):
        loss_and_gradient(params, x, y, workspace=workspace)
