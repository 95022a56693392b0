"""Arrays of balls: made of floats, read as floats, and functions of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import flint
import numpy as np
import numpy.typing as npt

from verify.evaluate.array import Array

Sizes = Mapping[str, int]
"""The batch ``b`` and the widths ``n0, n1, ...``."""

Rule = Callable[..., Array]
"""``rule(sizes, parameters, *arrays of balls or outcomes)``: the array of the result."""

FIRST_PRECISION, LAST_PRECISION = 192, 49_152
"""Bits. A softmax of logits a thousand apart needs 1,443 for its smallest probability to have a digit."""


def for_each_ball(function: Callable[..., Any]) -> Rule:
    """A function of balls as a function of arrays of balls."""
    ufunc = np.frompyfunc(function, function.__code__.co_argcount, 1)
    return lambda sizes, parameters, *arrays: np.asarray(ufunc(*arrays))


def _exact(value: Any) -> Any:
    """A float of any width, at any exponent, as a ball of radius zero."""
    if not isinstance(value, np.longdouble) or not np.isfinite(value):
        return flint.arb(float(value))
    mantissa, exponent = np.frexp(value)  # a double would round it, overflow or underflow
    digits = int(np.finfo(np.longdouble).nmant) + 1
    return flint.arb((int(np.ldexp(mantissa, digits)), int(exponent) - digits))


_ball = np.frompyfunc(_exact, 1, 1)
_as_float = np.frompyfunc(lambda ball: float(ball.mid()), 1, 1)
_radius = np.frompyfunc(lambda ball: float(ball.rad()), 1, 1)


def exact_balls(array: npt.ArrayLike) -> Array:
    """An array of floats (or truths) as an array of balls of radius zero; balls, and outcomes, as they are."""
    array = np.asarray(array)
    return array.astype(object) if array.dtype in (bool, object) else np.asarray(_ball(array), dtype=object)


def ball_middle(tensor: Array) -> npt.NDArray[np.float64]:
    """The numbers in the middle of an array of balls, rounded to float64."""
    return np.asarray(_as_float(tensor), dtype=float)


def ball_radius(tensor: Array) -> npt.NDArray[np.float64]:
    """The radii of an array of balls."""
    return np.asarray(_radius(tensor), dtype=float)


def ball_distance(tensor: Array, result: Array) -> npt.NDArray[np.float64]:
    """An upper bound on the distance between each entry of a result and the true value its ball holds."""
    return np.asarray(_distance(tensor, exact_balls(result)), dtype=float)


_distance = np.frompyfunc(lambda ball, value: float(abs(ball - value).upper()), 2, 1)


def exact_middle_and_radius(ball: Any) -> tuple[Fraction, Fraction]:
    """The midpoint and the radius of an Arb ball, exactly."""
    return _fraction(ball.mid()), _fraction(ball.rad())


def _fraction(number: Any) -> Fraction:
    mantissa, exponent = (int(part) for part in number.man_exp())
    return Fraction(mantissa) * Fraction(2) ** exponent
