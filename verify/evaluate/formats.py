"""The floating-point formats that results may have: NumPy's, and bfloat16, which `ml_dtypes` adds to them."""

from __future__ import annotations

import functools
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
