"""Correct rounding: balls rounded to the nearest numbers of a format, where they leave no doubt."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from verify.evaluate.balls.ball_arrays import exact_middle_and_radius
from verify.evaluate.formats import round_to_nearest

_PRECISIONS = (192, 768, 3072, 12288)
"""Bits of the balls, tried until every entry can be rounded."""


def correctly_rounded_balls(balls: npt.NDArray[Any], dtype: str) -> npt.NDArray[Any] | None:
    """The correctly rounded values of a tensor of balls; None where a ball leaves a doubt about one of them."""
    values = np.empty(balls.shape, dtype=dtype)
    for index, ball in np.ndenumerate(balls):
        if not ball.is_finite():
            return None
        middle, radius = exact_middle_and_radius(ball)
        low, high = round_to_nearest(middle - radius, dtype), round_to_nearest(middle + radius, dtype)
        if low != high or math.isinf(low):
            return None
        values[index] = low
    return values


def correctly_rounded_tensors(
    at_precision: Callable[[int], Sequence[npt.NDArray[Any]]], dtype: str
) -> list[npt.NDArray[Any]] | None:
    """The correctly rounded tensors of what ``at_precision(bits)`` encloses in balls; None where a doubt remains."""
    for bits in _PRECISIONS:
        balls = at_precision(bits)
        found = [tensor for ball in balls if (tensor := correctly_rounded_balls(ball, dtype)) is not None]
        if len(found) == len(balls):
            return found
    return None
