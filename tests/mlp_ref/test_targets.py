import numpy as np
import pytest

from mlp_ref.targets import check_targets, target_labels

F64 = np.dtype(np.float64)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.uint64, np.int64])
def test_labels_of_every_integer_dtype_are_taken(dtype):
    y = check_targets(np.array([2, 0], dtype), (2, 3), F64, of_classes=True)
    np.testing.assert_array_equal(y, np.array([2, 0], np.intp), strict=True)


def test_rows_may_miss_a_sum_of_one_by_rounding():
    y = np.full((2, 1000), np.float32(1 / 1000))
    np.testing.assert_array_equal(check_targets(y, (2, 1000), y.dtype, of_classes=True), y, strict=True)


def test_mse_takes_any_finite_number():
    y = np.array([[-3.0, 1e300]])
    np.testing.assert_array_equal(check_targets(y, (1, 2), F64, of_classes=False), y, strict=True)


@pytest.mark.parametrize(
    ("y", "error", "message"),
    [
        ([0, 1, 2], ValueError, r"y must have one row per row of x: x has 2 but y is \(3,\)"),
        (1, ValueError, r"y must have shape \(2, 3\), or \(2,\) for integer labels, got \(\)"),
        ([0, 3], ValueError, r"y must hold labels from 0 to 2, but y\[1\] is 3"),
        ([-1, 0], ValueError, r"y must hold labels from 0 to 2, but y\[0\] is -1"),
        ([0.0, 1.0], TypeError, "y must hold integer labels where it has one dimension, got float64"),
        ([True, False], TypeError, "integer labels where it has one dimension, got bool"),
        ([[0], [1]], ValueError, r"y must have shape \(2, 3\), or \(2,\) for integer labels, got \(2, 1\)"),
        (np.eye(3, dtype=int)[:2], TypeError, "y must be float32 or float64, got int64; convert it"),
        (np.eye(3, dtype=np.float32)[:2], TypeError, "the dtype of the parameters, float64, got float32"),
        ([[0.5, 0.4, 0.0], [1, 0, 0.0]], ValueError, r"rows that sum to 1, but y\[0\] sums to 0.9"),
        ([[1, 0, 0.0], [1.5, -0.5, 0]], ValueError, r"y must hold probabilities, but y\[1, 1\] is -0.5"),
        ([[1, 0, 0.0], [np.nan, 0, 0]], ValueError, r"y must be finite, but y\[1, 0\] is nan"),
        ([[1.0], [1, 2]], ValueError, "y must be an array, got something irregular"),
        (np.ma.masked_array([0, 1]), TypeError, "y must be a plain array, got a masked one"),
    ],
)
def test_bad_targets_are_refused(y, error, message):
    with pytest.raises(error, match=message):
        check_targets(y, (2, 3), F64, of_classes=True)


@pytest.mark.parametrize(
    ("y", "error", "message"),
    [
        ([0, 1], ValueError, r"y must have shape \(2, 1\), got \(2,\)"),
        ([[0], [1]], TypeError, "y must be float32 or float64, got int64"),
        ([[0.0], [np.inf]], ValueError, r"y must be finite, but y\[1, 0\] is inf"),
    ],
)
def test_bad_targets_of_regression_are_refused(y, error, message):
    with pytest.raises(error, match=message):
        check_targets(y, (2, 1), F64, of_classes=False)


def test_one_hot_rows_become_labels_and_soft_rows_stay():
    hard = np.eye(3)[[2, 0]]
    labels = check_targets(hard, (2, 3), F64, of_classes=True)
    np.testing.assert_array_equal(labels, np.array([2, 0], np.intp), strict=True)
    for soft in ([[0.5, 0.5, 0], [1, 0, 0]], [[1 - 1e-9, 0, 0], [1, 0, 0]], [[1, 1e-9, 0], [1, 0, 0]]):
        np.testing.assert_array_equal(check_targets(soft, (2, 3), F64, of_classes=True), soft)
    np.testing.assert_array_equal(check_targets(hard, (2, 3), F64, of_classes=False), hard, strict=True)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([[1, 1, 0], [0, 0, 0]], r"sum to 1, but y\[0\] sums to 2"),
        ([[1, 0, 0], [0, 2, 0]], r"sum to 1, but y\[1\] sums to 2"),
        ([[1, 0, 0], [0, np.nan, 0]], r"finite, but y\[1, 1\] is nan"),
        ([[1, 0, 0], [0, np.inf, 0]], r"finite, but y\[1, 1\] is inf"),
        ([[1, -1, 0], [0, 0, 0]], r"probabilities, but y\[0, 1\] is -1"),
        ([[1, 0, 0], [0, 0, -1]], r"probabilities, but y\[1, 2\] is -1"),
    ],
)
def test_rows_with_as_many_numbers_as_one_hot_ones_are_not_taken_for_such(rows, message):
    with pytest.raises(ValueError, match=message):
        check_targets(np.array(rows, float), (2, 3), F64, of_classes=True)


def test_one_hot_rows_in_any_layout_become_labels():
    hard = np.eye(4)[[2, 0, 3]]
    for rows in (np.asfortranarray(hard), hard[::-1][::-1], np.repeat(hard, 2, axis=1)[:, ::2]):
        labels = check_targets(rows, (3, 4), F64, of_classes=True)
        np.testing.assert_array_equal(labels, np.array([2, 0, 3], np.intp), strict=True)


def test_most_probable_reads_labels_and_rows():
    np.testing.assert_array_equal(target_labels(np.array([2, 1])), [2, 1])
    np.testing.assert_array_equal(target_labels(np.array([[0.1, 0.9], [0.8, 0.2]])), [1, 0])
