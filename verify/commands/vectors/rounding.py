"""Known answers as numbers of a format: balls rounded to the nearest, where they leave no doubt, and bounds upwards."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

_FORMATS = {"float64": (53, -1074), "float32": (24, -149)}
"""Significant bits, and the exponent of the smallest subnormal number."""

_PRECISIONS = (192, 768, 3072, 12288)
"""Bits of the balls, tried until every entry can be rounded."""

BOUND_BITS = 13
"""Significant bits of a bound in a file: rounding up to them widens it by at most 1/4096."""


def exact_before_rounding(ball: Any) -> tuple[Fraction, Fraction]:
    """The midpoint and the radius of an Arb ball, exactly."""
    return _fraction(ball.mid()), _fraction(ball.rad())


def _fraction(number: Any) -> Fraction:
    mantissa, exponent = (int(part) for part in number.man_exp())
    return Fraction(mantissa) * Fraction(2) ** exponent


def round_to_nearest(number: Fraction, dtype: str) -> float:
    """The number of a format that is nearest, the even one where two are; infinite beyond the largest."""
    bits, least = _FORMATS[dtype]
    return _scaled(number, bits, least, dtype, round)


def round_up(number: Fraction, dtype: str) -> float:
    """The smallest number of a format with ``BOUND_BITS`` significant bits that is not below; infinite if none is."""
    return _scaled(number, BOUND_BITS, _FORMATS[dtype][1], dtype, math.ceil)


def _scaled(number: Fraction, bits: int, least: int, dtype: str, to_integer: Any) -> float:
    if not number:
        return 0.0
    size = abs(number)
    exponent = size.numerator.bit_length() - size.denominator.bit_length()
    exponent -= size < Fraction(2) ** exponent  # now 2**exponent <= size < 2**(exponent + 1)
    unit = max(exponent - bits + 1, least)
    units = to_integer(number / Fraction(2) ** unit)
    largest = float(np.finfo(dtype).max)
    if abs(Fraction(units) * Fraction(2) ** unit) > Fraction(largest):
        return math.copysign(math.inf, units)
    return math.ldexp(units, unit)


def round_balls(balls: npt.NDArray[Any], dtype: str) -> npt.NDArray[Any] | None:
    """The correctly rounded values of a tensor of balls; None where a ball leaves a doubt about one of them."""
    values = np.empty(balls.shape, dtype=dtype)
    for index, ball in np.ndenumerate(balls):
        if not ball.is_finite():
            return None
        middle, radius = exact_before_rounding(ball)
        low, high = round_to_nearest(middle - radius, dtype), round_to_nearest(middle + radius, dtype)
        if low != high or math.isinf(low):
            return None
        values[index] = low
    return values


def round_certainly(
    at_precision: Callable[[int], Sequence[npt.NDArray[Any]]], dtype: str
) -> list[npt.NDArray[Any]] | None:
    """The correctly rounded tensors of what ``at_precision(bits)`` encloses in balls; None where a doubt remains."""
    for bits in _PRECISIONS:
        balls = at_precision(bits)
        found = [tensor for ball in balls if (tensor := round_balls(ball, dtype)) is not None]
        if len(found) == len(balls):
            return found
    return None


def bounds_around(
    expected: npt.NDArray[Any], value: npt.NDArray[Any], bound: npt.NDArray[Any]
) -> npt.NDArray[Any]:
    """The bounds of expected values, in their format, within which is whatever the oracle accepts.

    With v the reference's value and e its bound, that of the expected E is e + abs(v - E), rounded up: whatever lies
    within e of v lies within that of E. Infinite where v or e is not finite.
    """
    around = [
        round_up(Fraction(e) + abs(Fraction(v) - Fraction(float(near))), expected.dtype.name)
        if math.isfinite(v) and math.isfinite(e) and math.isfinite(near)
        else math.inf
        for v, e, near in zip(value.ravel().tolist(), bound.ravel().tolist(), expected.flat, strict=True)
    ]
    return np.array(around, dtype=expected.dtype).reshape(expected.shape)
