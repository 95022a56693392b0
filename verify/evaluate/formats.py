"""The floating-point formats that results may have: NumPy's, and bfloat16, which `ml_dtypes` adds to them."""

from __future__ import annotations

import functools
import math
from fractions import Fraction
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
import numpy.typing as npt

NARROW = ("bfloat16", "float16")
"""Formats of 16 bits: judged where they are asked for."""


class Limits(NamedTuple):
    """The limits of a format: twice its unit roundoff, its smallest normal and its largest number, its exponents."""

    eps: float
    tiny: float
    max: float
    maxexp: int
    exponent_bits: int


@functools.cache
def limits(dtype: npt.DTypeLike) -> Limits:
    """The limits of a format.

    Raises
    ------
    ValueError
        When it is no floating-point format.
    """
    info: Any = ml_dtypes.finfo(np.dtype(dtype))  # type: ignore[no-untyped-call]
    return Limits(float(info.eps), float(info.tiny), float(info.max), int(info.maxexp), int(info.nexp))


@functools.cache
def is_floating_format(dtype: np.dtype[Any]) -> bool:
    """Tell whether a dtype is a floating-point format: of NumPy's, or bfloat16."""
    return dtype.kind == "f" or dtype == np.dtype("bfloat16")


@functools.cache
def is_numeric_format(dtype: np.dtype[Any]) -> bool:
    """Tell whether an array of this dtype can be read as real numbers."""
    return dtype.kind in "iub" or is_floating_format(dtype)


def widened(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The same numbers in float64 where the format is of 16 bits; the array itself where it is not."""
    return array.astype(np.float64) if array.dtype.itemsize == 2 else array


_BITS = {"float64": (53, -1074), "float32": (24, -149)}
"""Significant bits of a format, and the exponent of its smallest subnormal number."""


def round_to_nearest(number: Fraction, dtype: str) -> float:
    """The number of a format that is nearest, the even one where two are; infinite beyond the largest."""
    bits, least = _BITS[dtype]
    return _scaled(number, bits, least, dtype, round)


def round_up(number: Fraction, dtype: str, bits: int) -> float:
    """The smallest number of a format with so many significant bits that is not below; infinite if none is."""
    return _scaled(number, bits, _BITS[dtype][1], dtype, math.ceil)


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
