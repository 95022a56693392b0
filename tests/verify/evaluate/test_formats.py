"""Formats of 16 bits beside NumPy's: their limits, and what counts as a number."""

import numpy as np
import pytest

from verify.evaluate.bounds import Arithmetic
from verify.evaluate.formats import NARROW, is_floating_format, is_numeric_format, limits, widened


@pytest.mark.parametrize(
    ("dtype", "eps", "tiny", "largest", "maxexp"),
    [
        ("bfloat16", 2.0**-7, 2.0**-126, 2.0**128 - 2.0**120, 128),
        ("float16", 2.0**-10, 2.0**-14, 65504.0, 16),
        ("float32", 2.0**-23, 2.0**-126, 2.0**128 - 2.0**104, 128),
        ("float64", 2.0**-52, 2.0**-1022, float(np.finfo(np.float64).max), 1024),
    ],
)
def test_limits_are_those_of_the_format(dtype, eps, tiny, largest, maxexp):
    found = limits(dtype)
    assert (found.eps, found.tiny, found.max, found.maxexp) == (eps, tiny, largest, maxexp)
    one, half = np.dtype(dtype).type(1), np.dtype(dtype).type(eps / 2)
    assert one + half == one  # to even
    assert one + np.dtype(dtype).type(eps) > one


def test_what_is_no_float_has_no_limits():
    with pytest.raises(ValueError, match="int32"):
        limits("int32")


def test_bfloat16_counts_as_a_number_and_a_structure_does_not():
    assert is_floating_format(np.dtype("bfloat16"))
    assert is_numeric_format(np.dtype("bfloat16"))
    assert is_numeric_format(np.dtype(np.int64))
    assert not is_floating_format(np.dtype(np.int64))
    assert not is_numeric_format(np.dtype("V2"))
    assert not is_numeric_format(np.dtype(object))


@pytest.mark.parametrize("dtype", NARROW)
def test_widening_keeps_every_number(dtype):
    narrow = np.array([1.5, -3.0e-3, 0.0, np.inf]).astype(dtype)
    wide = widened(narrow)
    assert wide.dtype == np.float64
    np.testing.assert_array_equal(wide.astype(dtype), narrow)
    single = np.ones(3, np.float32)
    assert widened(single) is single


@pytest.mark.parametrize(
    ("dtype", "fits", "overflows"),
    [("float16", 65504.0, 65519.0), ("bfloat16", 2.0**128 - 2.0**120, 2.0**128 - 2.0**119)],
)
def test_a_bound_is_infinite_where_a_narrow_format_may_overflow(dtype, fits, overflows):
    at = Arithmetic.judging(dtype, {})
    _, errors = at.rounded(np.array([fits, overflows]), np.zeros(2))
    assert np.isfinite(errors[0])
    assert errors[1] == np.inf
