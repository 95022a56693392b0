"""Calls in which infinity, underflow to zero and NaN are silent."""

from __future__ import annotations

import contextvars
from typing import TYPE_CHECKING, TypeVar, TypeVarTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["quiet", "quietly"]

Arguments = TypeVarTuple("Arguments")
T = TypeVar("T")

_QUIET = contextvars.Context()
_QUIET.run(np.seterr, all="ignore")


def quiet() -> np.errstate:
    """Return the context in which infinity, underflow to zero and NaN are silent."""
    return np.errstate(all="ignore")


def quietly(function: Callable[[*Arguments], T], *args: *Arguments) -> T:
    """Return what the function returns, called as within `quiet`, in a quarter of the time that this takes."""
    return _QUIET.copy().run(function, *args)
