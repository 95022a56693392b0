import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlp_ref import softmax, softmax_jacobian, softmax_vjp

seeds = st.integers(0, 2**32 - 1)


def test_known_values():
    np.testing.assert_allclose(
        softmax(np.log([[1.0, 2.0, 5.0]])), [[0.125, 0.25, 0.625]], rtol=4e-16, strict=True
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_extreme_logits_give_distributions(dtype):
    biggest = np.finfo(dtype).max
    p = softmax(np.array([[biggest, -biggest, 0], [-biggest, -biggest, -biggest]], dtype))
    np.testing.assert_array_equal(p, np.array([[1, 0, 0], [1 / 3, 1 / 3, 1 / 3]], dtype), strict=True)


@pytest.mark.parametrize("relayout", [np.asfortranarray, lambda z: np.repeat(z, 2, axis=1)[:, ::2]])
def test_softmax_is_that_of_every_row_whatever_the_layout_and_the_number_of_dimensions(relayout):
    z = np.random.default_rng(0).normal(size=(6, 5))
    e = np.exp(z)
    expected = e / e.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(softmax(relayout(z)), expected, rtol=1e-15, strict=True)
    np.testing.assert_allclose(softmax(z[3]), expected[3], rtol=1e-15, strict=True)
    np.testing.assert_array_equal(softmax(z.reshape(2, 3, 5)), softmax(z).reshape(2, 3, 5), strict=True)


def test_the_largest_number_of_a_row_is_subtracted_wherever_it_is():
    z = np.array([[0.0, 1000.0, 0.0], [0.0, 0.0, -1000.0], [-1000.0, -1000.0, 0.0]])
    np.testing.assert_array_equal(softmax(z), [[0, 1, 0], [0.5, 0.5, 0], [0, 0, 1]])


def test_jacobian_is_diag_p_minus_outer_product():
    p = np.array([0.5, 0.25, 0.25])
    np.testing.assert_array_equal(softmax_jacobian(p), np.diag(p) - np.outer(p, p), strict=True)


def test_jacobian_of_a_batch_is_that_of_its_rows():
    p = softmax(np.random.default_rng(0).normal(size=(4, 3)))
    jacobian = softmax_jacobian(p)
    assert jacobian.shape == (4, 3, 3)
    for row, matrix in zip(p, jacobian, strict=True):
        np.testing.assert_array_equal(matrix, softmax_jacobian(row), strict=True)


def test_saturated_jacobian_keeps_its_digits():
    p = softmax(np.array([0, -50], np.float32))
    assert 1 - p[0] == 0
    small = np.exp(np.float64(-50))
    np.testing.assert_allclose(
        softmax_jacobian(p), small * np.array([[1, -1], [-1, 1]], np.float32), rtol=4e-7
    )


@given(seed=seeds, batch=st.integers(1, 4), n=st.integers(1, 6))
def test_vjp_is_the_product_with_the_jacobian(seed, batch, n):
    rng = np.random.default_rng(seed)
    p = softmax(rng.normal(scale=3, size=(batch, n)))
    dp = rng.normal(size=(batch, n))
    expected = np.einsum("bij,bj->bi", softmax_jacobian(p), dp)
    np.testing.assert_allclose(softmax_vjp(p, dp), expected, rtol=0, atol=1e-15, strict=True)


def test_vjp_of_a_saturated_row_keeps_its_digits():
    p = softmax(np.array([[0, -40, -41]], np.float32))
    dz = softmax_vjp(p, np.array([[1, 2, 4]], np.float32)).astype(np.float64)
    q = np.exp(np.array([-40.0, -41.0]))
    expected = np.array([[-q[0] - 3 * q[1], q[0], 3 * q[1]]])
    np.testing.assert_allclose(dz, expected, rtol=1e-5, strict=True)


@pytest.mark.parametrize("function", [softmax, softmax_jacobian])
@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (np.zeros((2, 3), int), TypeError, "must be float32 or float64, got int64; convert it"),
        (np.float64(1), ValueError, r"must have shape \(batch, n\) or \(n,\), none of them 0, got \(\)"),
        (np.zeros((2, 0)), ValueError, r"none of them 0, got \(2, 0\)"),
        (np.array([[1.0, np.nan]]), ValueError, r"must be finite, but [zp]\[0, 1\] is nan"),
    ],
)
def test_bad_arguments_are_refused(function, value, error, message):
    with pytest.raises(error, match=message):
        function(value)


def test_vjp_refuses_a_pair_that_does_not_match():
    p = softmax(np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"dp must have the shape of p, \(2, 3\), got \(3,\)"):
        softmax_vjp(p, np.zeros(3))
    with pytest.raises(TypeError, match="dp must have the dtype of p, float64, got float32"):
        softmax_vjp(p, np.zeros((2, 3), np.float32))
