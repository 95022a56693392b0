"""Arrays of float32 and float64: their types, their constants, and which others are refused."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from mlp_ref.quiet import quiet

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "CONSTANTS",
    "DTYPES",
    "ArrayConstants",
    "Floats",
    "Integers",
    "all_finite",
    "as_array",
    "empty_vector",
    "real_array",
    "require_finite",
]

Floats: TypeAlias = "NDArray[np.floating[Any]]"
Integers: TypeAlias = "NDArray[np.integer[Any]]"


DTYPES = (np.dtype(np.float32), np.dtype(np.float64))

PAGE = 4096
"""Bytes of a page of memory, or a part of one."""


class ArrayConstants(NamedTuple):
    """Numbers as zero-dimensional arrays, which a ufunc takes in half the time of a Python float."""

    minus_two: Floats
    zero: Floats
    one: Floats
    four: Floats
    exp_limit: float  # the largest number whose exponential is finite


def _constants(dtype: np.dtype[Any]) -> ArrayConstants:
    exp_limit = np.log(np.finfo(dtype).max)
    while np.isinf(np.exp(exp_limit)):
        exp_limit = np.nextafter(exp_limit, dtype.type(0))
    minus_two, zero, one, four = (np.array(number, dtype) for number in (-2, 0, 1, 4))
    return ArrayConstants(minus_two, zero, one, four, float(exp_limit))


with quiet():
    CONSTANTS = {dtype: _constants(dtype) for dtype in DTYPES}


def empty_vector(size: int, dtype: np.dtype[Any]) -> Floats:
    """Return a vector of `size` numbers, not yet set, that begins where a page of memory does.

    NumPy's own memory begins 16 bytes behind: with 1024 x 1024 weights, a gradient takes 7 % longer there.
    """
    memory = np.empty(size * dtype.itemsize + PAGE, np.uint8)
    start = -memory.__array_interface__["data"][0] % PAGE
    return memory[start : start + size * dtype.itemsize].view(dtype)


def as_array(value: object, name: str) -> NDArray[Any]:
    """Return `value` as an array, uncopied where it is one; ragged lists and masked arrays are refused."""
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(
            f"{name} must be a plain array, got a masked one: drop or fill the masked values first"
        )
    try:
        return np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} must be an array, got something irregular: {error}") from None


def real_array(value: object, name: str) -> Floats:
    """Return `value` as an array of float32 or float64, or raise a TypeError that says what it is instead."""
    array = as_array(value, name)
    if array.dtype not in DTYPES:
        advice = "; convert it, as with astype(np.float32)" if array.dtype.kind in "buif" else ""
        raise TypeError(f"{name} must be float32 or float64, got {array.dtype}{advice}")
    return array


def all_finite(array: Floats) -> bool:
    """Return True where no number of `array` is NaN or infinity."""
    # One pass of BLAS tells in nearly every case: a finite sum of squares has finite terms.
    # Of NumPy's products, vdot is the one that overflows without a warning.
    vector = array if array.flags.c_contiguous else array.ravel(order="K")
    if math.isfinite(np.vdot(vector, vector)):
        return True
    # The squares may have overflowed. The extremes cannot, and a NaN makes both of them NaN.
    return bool(np.isfinite(array.min()) and np.isfinite(array.max()))


def require_finite(array: Floats, name: str) -> None:
    """Raise a ValueError that names the first place where `array` holds NaN or infinity."""
    if all_finite(array):
        return
    place = tuple(np.argwhere(~np.isfinite(array))[0].tolist())
    index = ", ".join(map(str, place))
    raise ValueError(f"{name} must be finite, but {name}[{index}] is {array[place]}")
