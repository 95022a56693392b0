import numpy as np
import pytest

from mlp_ref.arrays import CONSTANTS, DTYPES, empty_vector, real_array, require_finite


@pytest.mark.parametrize("dtype", DTYPES)
def test_exp_limit_is_the_last_number_with_a_finite_exponential(dtype):
    limit = dtype.type(CONSTANTS[dtype].exp_limit)
    assert limit == CONSTANTS[dtype].exp_limit
    assert np.isfinite(np.exp(limit))
    with np.errstate(over="ignore"):
        assert np.isinf(np.exp(np.nextafter(np.nextafter(limit, dtype.type(1e3)), dtype.type(1e3))))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [1, 7, 4096])
def test_a_vector_begins_where_a_page_does(size, dtype):
    vector = empty_vector(size, dtype)
    assert (vector.shape, vector.dtype) == ((size,), dtype)
    assert vector.flags.c_contiguous
    assert vector.flags.writeable
    assert vector.ctypes.data % 4096 == 0


def test_real_array_does_not_copy():
    array = np.zeros((2, 2), np.float32)
    assert real_array(array, "v") is array


@pytest.mark.parametrize("dtype", [np.float16, np.longdouble, ">f8", np.int8, bool, complex, object, "M8[s]"])
def test_other_dtypes_are_named(dtype):
    array = np.zeros(1, dtype)
    with pytest.raises(TypeError) as caught:
        real_array(array, "v")
    assert str(caught.value).startswith(f"v must be float32 or float64, got {array.dtype}")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_the_first_place_that_is_not_finite_is_named(value):
    array = np.zeros((2, 3, 4))
    array[1, 0, 2] = array[1, 2, 3] = value
    with pytest.raises(ValueError, match=rf"v must be finite, but v\[1, 0, 2\] is {value}"):
        require_finite(array, "v")
    require_finite(np.full(3, np.finfo(float).max), "v")
