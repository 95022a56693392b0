"""What every module says about arrays: their types, their constants, how they may be refused."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["DTYPES", "Constants", "Floats", "Integers", "constants", "quiet", "real_array", "require_finite"]

Floats: TypeAlias = NDArray[np.floating[Any]]
Integers: TypeAlias = NDArray[np.integer[Any]]

DTYPES = (np.dtype(np.float32), np.dtype(np.float64))


class Constants(NamedTuple):
    """Numbers as zero-dimensional arrays of one dtype, which a ufunc takes in half a Python float's time."""

    zero: Floats
    one: Floats
    four: Floats
    minus_one: Floats
    exp_limit: Floats  # the largest number whose exponential is finite


def _constants(dtype: np.dtype[Any]) -> Constants:
    limit = np.log(np.finfo(dtype).max)
    if not np.isfinite(np.exp(limit)):
        limit = np.nextafter(limit, dtype.type(0))
    numbers = (0, 1, 4, -1, limit)
    return Constants(*(np.array(number, dtype) for number in numbers))


with np.errstate(over="ignore"):
    _CONSTANTS = {dtype: _constants(dtype) for dtype in DTYPES}


def constants(dtype: np.dtype[Any]) -> Constants:
    """Return the constants of `dtype`, which is float32 or float64."""
    return _CONSTANTS[dtype]


def quiet() -> np.errstate:
    """Return the context in which overflow to infinity and underflow to zero are silent."""
    return np.errstate(over="ignore", under="ignore", invalid="ignore")


def real_array(value: ArrayLike, name: str, ndim: int | None = None) -> Floats:
    """Return `value` as a float32 or float64 array, uncopied where it is one, or say what it is instead."""
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{name} must not be a masked array: the mask would be ignored; fill or drop the masked values")
    array = np.asarray(value)
    if array.dtype not in DTYPES:
        raise TypeError(
            f"{name} must be float32 or float64, got {array.dtype}; convert it, for example with astype(np.float32)"
        )
    if ndim is not None and array.ndim != ndim:
        raise ValueError(f"{name} must have {ndim} dimensions, got shape {array.shape}")
    return array


def require_finite(array: Floats, name: str) -> None:
    """Raise ValueError, naming the first place, if `array` holds NaN or infinity."""
    # The extremes tell, and need no array of flags; a NaN makes both of them NaN.
    if array.size == 0 or (np.isfinite(array.min()) and np.isfinite(array.max())):
        return
    place = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
    raise ValueError(f"{name} must be finite, but {name}{list(place)} is {array[place]}")
