import numpy as np
import pytest

from mlp_ref import identity, relu, sigmoid, tanh
from mlp_ref.activations import ACTIVATIONS, VALUES

DTYPES = [np.float32, np.float64]
# NumPy's exp and tanh in single precision are within 2.5 units in the last place, which is 5 units
# of roundoff; four more operations round.
UNITS = 10


def exact(name, z):
    """The value and the slope at every z, from certified intervals, as float64."""
    flint = pytest.importorskip("flint")
    pairs = []
    for number in z.tolist():
        x = flint.arb(number)
        if name == "sigmoid":
            pairs.append((1 / (1 + (-x).exp()), 1 / ((-x / 2).exp() + (x / 2).exp()) ** 2))
        else:
            pairs.append((x.tanh(), 1 / x.cosh() ** 2))
    return np.array([[float(part.mid()) for part in pair] for pair in pairs]).T


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["sigmoid", "tanh"])
def test_value_and_slope_keep_their_digits_down_to_the_smallest_number(name, dtype):
    info = np.finfo(dtype)
    reach = -np.log(float(info.tiny)) * 0.99
    z = np.linspace(-reach, reach, 2001).astype(dtype)
    z = np.concatenate([z, np.geomspace(1e-30, 10, 500).astype(dtype)])
    for got, want in zip(ACTIVATIONS[name](z), exact(name, z), strict=True):
        assert got.dtype == dtype
        normal = np.abs(want) > 4 * float(info.tiny)
        error = np.abs(got - want)[normal] / np.abs(want)[normal]
        assert normal.sum() > 1000
        assert error.max() <= UNITS * info.eps / 2


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_no_finite_input_warns_or_gives_nan(name, dtype):
    biggest = np.finfo(dtype).max
    z = np.array([-biggest, -1e30, -1000, -100, 0, 100, 1000, 1e30, biggest], dtype)
    before = z.copy()
    a, slope = ACTIVATIONS[name](z)
    assert np.isfinite(a).all()
    assert np.isfinite(slope).all()
    np.testing.assert_array_equal(z, before)


@pytest.mark.parametrize("dtype", DTYPES)
def test_sigmoid_saturates_within_the_smallest_normal_number(dtype):
    tiny = np.finfo(dtype).tiny
    a, slope = sigmoid(np.array([-1e4, 1e4], dtype))
    assert a[0] < tiny
    assert a[1] == 1
    assert (slope < tiny).all()


def test_relu_is_flat_at_zero():
    a, slope = relu(np.array([-2.0, -0.0, 0.0, 5e-324, 3.0]))
    np.testing.assert_array_equal(a, [0, 0, 0, 5e-324, 3])
    np.testing.assert_array_equal(slope, [0, 0, 0, 1, 1])


def test_identity_returns_a_copy():
    z = np.ones((2, 3))
    a, slope = identity(z)
    assert not np.shares_memory(a, z)
    np.testing.assert_array_equal(a, z)
    np.testing.assert_array_equal(slope, z)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_buffers_change_nothing_but_the_place(name):
    z = np.random.default_rng(0).normal(size=(5, 4))
    expected = ACTIVATIONS[name](z)
    out = np.empty_like(z), np.empty_like(z)
    got = ACTIVATIONS[name](z, out)
    for i in range(2):
        assert got[i] is out[i]
        np.testing.assert_array_equal(got[i], expected[i])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", VALUES)
def test_without_the_slope_the_value_has_the_same_bits(name, dtype):
    z = np.random.default_rng(0).normal(scale=30, size=(5, 40)).clip(-80, 80).astype(dtype)
    expected, _ = ACTIVATIONS[name](z)
    a, _ = VALUES[name](z, (np.empty_like(z), np.empty_like(z)))
    np.testing.assert_array_equal(a, expected, strict=True)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_sigmoid_without_its_slope_is_nan_where_it_needs_the_limit(dtype):
    z = np.array([1e4, -1e4, 0], dtype)
    with np.errstate(all="ignore"):
        a, _ = VALUES["sigmoid"](z, (np.empty_like(z), np.empty_like(z)))
    np.testing.assert_array_equal(a, np.array([np.nan, 0, 0.5], dtype), strict=True)


@pytest.mark.parametrize("function", [sigmoid, tanh, relu, identity])
def test_nan_is_not_hidden(function):
    a, _ = function(np.array([np.nan, 1.0]))
    assert np.isnan(a[0])
    assert np.isfinite(a[1])


def test_nan_leaves_an_overflow_beside_it_alone():
    a, slope = sigmoid(np.array([1e4, np.nan]))
    assert a[0] == 1
    assert slope[0] < np.finfo(float).tiny


@pytest.mark.parametrize("function", ACTIVATIONS.values())
def test_no_numbers_have_no_activations(function):
    a, slope = function(np.empty((0, 3)))
    assert a.shape == slope.shape == (0, 3)


@pytest.mark.parametrize("z", [3, [1, 2], np.array([1j]), np.array([True])])
def test_other_dtypes_are_refused(z):
    with pytest.raises(TypeError, match="z must be float32 or float64, got "):
        sigmoid(z)
