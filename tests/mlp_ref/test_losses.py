import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlp_ref import cross_entropy, mse, softmax, softmax_jacobian, softmax_mse
from mlp_ref.losses import LOSSES
from mlp_ref.workspace import LossBuffers

DTYPES = [np.float32, np.float64]
CLASS_LOSSES = [cross_entropy, softmax_mse]


@st.composite
def batches(draw, kinds=("labels", "one-hot", "soft")):
    """Moderate logits, targets, and the targets as rows."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    batch, n = draw(st.integers(1, 5)), draw(st.integers(1, 6))
    logits = rng.normal(scale=draw(st.sampled_from([0.1, 1, 5])), size=(batch, n))
    labels = rng.integers(0, n, batch)
    kind = draw(st.sampled_from(kinds))
    rows = softmax(rng.normal(scale=3, size=(batch, n))) if kind == "soft" else np.eye(n)[labels]
    return logits, labels if kind == "labels" else rows, rows


@given(batches())
def test_cross_entropy_is_its_definition(case):
    logits, y, rows = case
    loss, dlogits = cross_entropy(logits, y)
    p = softmax(logits)
    assert loss == pytest.approx(-(rows * np.log(p)).sum(axis=1).mean(), rel=1e-13, abs=1e-14)
    # The explicit composition: the derivative of -sum(y * log(p)), then the whole Jacobian.
    explicit = np.einsum("bij,bj->bi", softmax_jacobian(p), -rows / p) / len(p)
    np.testing.assert_allclose(dlogits, explicit, rtol=0, atol=1e-14, strict=True)


@given(batches())
def test_softmax_mse_is_its_definition(case):
    logits, y, rows = case
    loss, dlogits = softmax_mse(logits, y)
    p = softmax(logits)
    assert loss == pytest.approx(((p - rows) ** 2).mean(), rel=1e-13, abs=1e-15)
    explicit = np.einsum("bij,bj->bi", softmax_jacobian(p), 2 * (p - rows) / p.size)
    np.testing.assert_allclose(dlogits, explicit, rtol=0, atol=1e-15, strict=True)


def test_mse_is_its_definition():
    z, y = np.array([[1.0, 2.0], [3.0, 5.0]]), np.array([[0.0, 2.0], [4.0, 2.0]])
    loss, dz = mse(z, y)
    assert loss == 11 / 4
    np.testing.assert_array_equal(dz, (z - y) / 2, strict=True)


@pytest.mark.parametrize("loss", CLASS_LOSSES)
@given(case=batches(kinds=("one-hot",)))
def test_labels_and_one_hot_rows_give_the_same_bits(loss, case):
    logits, rows, _ = case
    value, dlogits = loss(logits, rows)
    value_of_labels, dlogits_of_labels = loss(logits, rows.argmax(axis=1))
    assert value == value_of_labels
    np.testing.assert_array_equal(dlogits, dlogits_of_labels, strict=True)


@given(case=batches(kinds=("one-hot",)))
def test_the_formula_of_distributions_gives_labels_their_gradient_too(case):
    """One-hot rows become labels when they are checked; a caller with a buffers of his own has not had that done."""
    logits, rows, _ = case
    buffers = LossBuffers(*logits.shape, logits.dtype)
    value, dlogits = cross_entropy(logits.copy(), rows, buffers)
    value_of_labels, dlogits_of_labels = cross_entropy(logits, rows.argmax(axis=1))
    rtol = 16 * np.finfo(float).eps
    assert value == pytest.approx(value_of_labels, rel=rtol)
    np.testing.assert_allclose(dlogits, dlogits_of_labels, rtol=rtol, atol=0, strict=True)


@pytest.mark.parametrize("gap", [1.0, 700.0, 740.0, 746.0, 1e5])
def test_a_target_far_below_the_top_keeps_its_digits(gap):
    """From 708 on, the target's exponential underflows."""
    z = np.array([[0.0, gap, gap - 1], [2.0, 1.0, 0.0]])
    loss, dz = cross_entropy(z, [0, 0])
    q, q_target, total = math.exp(-1), math.exp(-gap), 1 + math.exp(-1) + math.exp(-2)
    rows = [gap + math.log1p(q + q_target), math.log(total)]
    assert loss == pytest.approx(sum(rows) / 2, rel=1e-14)
    first = np.array([-1 - q, 1, q]) / (1 + q + q_target)
    second = [1 / total - 1, q / total, math.exp(-2) / total]
    np.testing.assert_allclose(dz, np.array([first, second]) / 2, rtol=1e-12)
    assert LOSSES["cross_entropy"](z, np.array([1, 0]))[0] < 1


def test_the_gradient_may_take_the_place_of_the_logits():
    z = np.array([[0.0, 1000.0, 999.0], [2.0, 1.0, 0.0]])
    expected = cross_entropy(z, [0, 0])
    buffers = LossBuffers(2, 3, z.dtype, dz=z)
    with np.errstate(divide="ignore"):  # as whoever gives a buffers does
        loss, dz = cross_entropy(z, np.array([0, 0]), buffers)
    assert dz is z
    assert loss == expected[0]
    np.testing.assert_array_equal(dz, expected[1])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("loss", LOSSES)
def test_results_have_the_dtype_of_the_logits_and_leave_the_arguments_alone(loss, dtype):
    z = np.linspace(-1, 1, 6, dtype=dtype).reshape(2, 3)
    y = np.full((2, 3), dtype(1 / 3))
    before = z.copy(), y.copy()
    value, dz = LOSSES[loss](z, y)
    assert type(value) is float
    assert dz.dtype == dtype
    assert dz.shape == z.shape
    assert not np.shares_memory(dz, z)
    np.testing.assert_array_equal((z, y), before)


@pytest.mark.parametrize(("dtype", "gap"), [(np.float32, 80), (np.float64, 700)])
def test_a_confident_right_prediction_keeps_its_digits(dtype, gap):
    z = np.array([[gap, 0, 0]], dtype)
    q = math.exp(-gap)  # of each of the two others; 1 - p is 2q and rounds to 0
    loss, dz = cross_entropy(z, [0])
    assert loss == pytest.approx(2 * q, rel=1e-6)
    np.testing.assert_allclose(dz.astype(np.float64), [[-2 * q, q, q]], rtol=1e-6, strict=True)
    _, dz = softmax_mse(z / 2, [0])
    q = math.exp(-gap / 2)
    # dp = 2/3 (-2q, q, q); dz = p (dp - sum(p dp))
    np.testing.assert_allclose(dz.astype(np.float64), np.array([[-4, 2, 2]]) * q * q, rtol=1e-6, strict=True)


@pytest.mark.parametrize("dtype", DTYPES)
def test_soft_targets_near_one_hot_keep_their_digits(dtype):
    # The row sums to 1 only up to rounding; the derivative is that of the row as it is.
    y = np.array([[1, 1e-12]], dtype)
    _, dz = cross_entropy(np.array([[30, 0]], dtype), y)
    share, q = float(y[0, 1]), math.exp(-30) / (1 + math.exp(-30))
    slope = share * (1 - q) - q
    np.testing.assert_allclose(dz.astype(np.float64), [[slope, -slope]], rtol=1e-6, strict=True)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("loss", CLASS_LOSSES)
@pytest.mark.parametrize("kind", ["labels", "one-hot", "soft"])
def test_no_finite_logit_warns_or_gives_nan(loss, kind, dtype):
    big = np.finfo(dtype).max
    z = np.array([[big, -big, 0], [-big, -big, -big], [800, -800, 0], [0, big, big]], dtype)
    labels = np.array([1, 0, 1, 2])
    y = {"labels": labels, "one-hot": np.eye(3, dtype=dtype)[labels], "soft": np.full((4, 3), dtype(1 / 3))}
    value, dz = loss(z, y[kind])
    assert not math.isnan(value)
    assert np.isfinite(dz).all()
    if loss is cross_entropy:
        assert value == math.inf


def test_a_wrong_confident_prediction_costs_the_gap():
    loss, dz = cross_entropy(np.array([[0, 1e4]], np.float32), [0])
    assert loss == 1e4
    np.testing.assert_array_equal(dz, np.array([[-1, 1]], np.float32), strict=True)


@pytest.mark.parametrize("dtype", DTYPES)
def test_mse_overflows_only_where_the_mean_does(dtype):
    root = float(np.sqrt(np.finfo(dtype).max)) * 0.9
    z = np.full((4, 5), root, dtype)
    loss, dz = mse(z, np.zeros_like(z))
    assert loss == pytest.approx(root**2, rel=1e-5)
    np.testing.assert_allclose(dz, z / 10, rtol=1e-6, strict=True)
    big = np.full((4, 5), np.finfo(dtype).max)
    loss, dz = mse(big, -big)
    assert loss == math.inf
    np.testing.assert_allclose(dz, big / 5, rtol=1e-6, strict=True)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_room_is_reused_without_a_trace(loss):
    rng = np.random.default_rng(0)
    buffers = LossBuffers(4, 3, np.dtype(np.float64))
    for _ in range(3):
        z, y = rng.normal(size=(4, 3)), softmax(rng.normal(size=(4, 3)))
        value, dz = LOSSES[loss](z, y, buffers)
        expected_value, expected_dz = LOSSES[loss](z, y)
        assert value == expected_value
        assert dz is buffers.dz
        np.testing.assert_array_equal(dz, expected_dz, strict=True)


def test_memory_layout_does_not_matter():
    z = np.random.default_rng(0).normal(size=(4, 6))
    y = np.array([0, 1, 2, 1])
    expected = cross_entropy(np.ascontiguousarray(z[:, ::2]), y)
    for layout in (z[:, ::2], np.asfortranarray(z[:, ::2])):
        value, dz = cross_entropy(layout, y)
        assert value == expected[0]
        np.testing.assert_array_equal(dz, expected[1], strict=True)


@pytest.mark.parametrize(
    ("logits", "error", "message"),
    [
        (np.zeros(3), ValueError, r"logits must have shape \(batch, n\), neither of them 0, got \(3,\)"),
        (np.zeros((0, 3)), ValueError, r"got \(0, 3\)"),
        (np.array([[1.0, np.inf]]), ValueError, r"logits must be finite, but logits\[0, 1\] is inf"),
        (np.zeros((1, 2), int), TypeError, "logits must be float32 or float64, got int64"),
    ],
)
@pytest.mark.parametrize("loss", LOSSES)
def test_bad_logits_are_refused(loss, logits, error, message):
    with pytest.raises(error, match=message):
        LOSSES[loss](logits, [0])
