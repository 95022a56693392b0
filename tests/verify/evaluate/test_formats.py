"""Formats of 16 bits beside NumPy's: their limits, and what counts as a number."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verify.evaluate.bounds import Arithmetic
from verify.evaluate.formats import (
    NARROW,
    is_floating_format,
    is_numeric_format,
    limits,
    round_to_nearest,
    round_up,
    widened,
)

DTYPES = pytest.mark.parametrize("dtype", ["float64", "float32"])


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


@given(st.fractions(), st.integers(-1200, 1000))
def test_the_nearest_float64_is_pythons(number, exponent):
    number *= Fraction(2) ** exponent
    try:
        expected = float(number)
    except OverflowError:
        expected = math.inf if number > 0 else -math.inf
    assert round_to_nearest(number, "float64") == expected


@given(st.floats(width=32, allow_nan=False, allow_infinity=False), st.fractions(0, 1))
def test_the_nearest_float32_is_one_of_the_two_around(low, share):
    low32 = np.float32(low)
    high = float(np.nextafter(low32, np.float32(np.inf)))
    if math.isinf(high):
        return
    number = Fraction(low) + share * (Fraction(high) - Fraction(low))
    if share == Fraction(1, 2):
        even = int(low32.view(np.int32)) % 2 == 0
        assert round_to_nearest(number, "float32") == (low if even else high)
    else:
        assert round_to_nearest(number, "float32") == (low if share < Fraction(1, 2) else high)


@DTYPES
def test_beyond_the_largest_is_infinite_and_below_half_the_smallest_is_zero(dtype):
    info = np.finfo(dtype)
    largest, smallest = Fraction(float(info.max)), Fraction(float(info.smallest_subnormal))
    assert round_to_nearest(largest, dtype) == float(info.max)
    assert round_to_nearest(-2 * largest, dtype) == -math.inf
    assert round_up(2 * largest, dtype, 13) == math.inf
    assert round_to_nearest(smallest / 2, dtype) == 0
    assert round_to_nearest(smallest * Fraction(51, 100), dtype) == float(smallest)
    assert round_up(smallest / 1000, dtype, 13) == float(smallest)
    assert round_to_nearest(Fraction(0), dtype) == round_up(Fraction(0), dtype, 13) == 0


@DTYPES
@pytest.mark.parametrize("bits", [13, 24])
@given(number=st.fractions(min_value=Fraction(1, 10**30), max_value=10**30))
def test_above_is_not_below_and_close(dtype, bits, number):
    found = Fraction(round_up(number, dtype, bits))
    assert number <= found <= number * (1 + Fraction(1, 2 ** (bits - 1)))
    assert Fraction(float(np.dtype(dtype).type(round_up(number, dtype, bits)))) == found
