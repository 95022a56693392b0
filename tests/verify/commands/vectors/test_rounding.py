"""Numbers are rounded as IEEE 754 says, from balls that leave no doubt."""

import math
from fractions import Fraction

import flint
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verify.commands.vectors.rounding import (
    BOUND_BITS,
    exact_before_rounding,
    round_balls,
    round_to_nearest,
    round_up,
)

DTYPES = pytest.mark.parametrize("dtype", ["float64", "float32"])


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
    assert round_up(2 * largest, dtype) == math.inf
    assert round_to_nearest(smallest / 2, dtype) == 0
    assert round_to_nearest(smallest * Fraction(51, 100), dtype) == float(smallest)
    assert round_up(smallest / 1000, dtype) == float(smallest)
    assert round_to_nearest(Fraction(0), dtype) == round_up(Fraction(0), dtype) == 0


@DTYPES
@given(number=st.fractions(min_value=Fraction(1, 10**30), max_value=10**30))
def test_above_is_not_below_and_close(dtype, number):
    found = Fraction(round_up(number, dtype))
    assert number <= found <= number * (1 + Fraction(1, 2 ** (BOUND_BITS - 1)))
    assert Fraction(float(np.dtype(dtype).type(round_up(number, dtype)))) == found


def test_a_ball_is_taken_exactly():
    with flint.ctx.workprec(300):
        ball = flint.arb(1) / 3
    middle, radius = exact_before_rounding(ball)
    assert middle != Fraction(1, 3)
    assert abs(middle - Fraction(1, 3)) <= radius < Fraction(1, 2**290)


def test_a_ball_that_leaves_a_doubt_is_not_rounded():
    balls = np.array([flint.arb(0.1), flint.arb(2)], dtype=object)
    np.testing.assert_array_equal(
        round_balls(balls, "float32"), np.array([0.1, 2], dtype="float32"), strict=True
    )
    half_way = 1 + 2.0**-24
    np.testing.assert_array_equal(
        round_balls(np.array([flint.arb(half_way)], dtype=object), "float32"), np.float32([1])
    )
    assert round_balls(np.array([flint.arb(half_way, 1e-30)], dtype=object), "float32") is None
    assert round_balls(np.array([flint.arb(half_way, 1e-30)], dtype=object), "float64") is not None
    assert round_balls(np.array([flint.arb("nan")], dtype=object), "float64") is None
    assert round_balls(np.array([flint.arb(1e300)], dtype=object), "float32") is None
