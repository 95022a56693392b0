import numpy as np
import pytest

from mlp_ref.scores import accuracy, r_squared


def test_accuracy_is_a_share():
    assert accuracy(np.array([0, 1, 2, 2]), np.array([0, 1, 1, 2])) == 0.75


@pytest.mark.parametrize("scale", [1e-100, 1.0, 1e200])
def test_r_squared_has_no_unit(scale):
    y = np.array([[1.0], [2.0], [3.0]])
    outputs = np.array([[1.0], [2.5], [3.0]])
    assert r_squared(outputs * scale, y * scale) == pytest.approx(1 - 0.25 / 2, rel=1e-14)


def test_r_squared_averages_over_columns_and_knows_constant_ones():
    y = np.array([[1.0, 5.0, 5.0], [3.0, 5.0, 5.0]], np.float32)
    outputs = np.array([[2.0, 5.0, 5.0], [2.0, 5.0, 6.0]], np.float32)
    assert r_squared(outputs, y) == pytest.approx((0 + 1 + 0) / 3)
    assert r_squared(np.zeros((2, 1)), np.zeros((2, 1))) == 1
