"""The bounds of known answers: around correctly rounded numbers, themselves rounded up."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from verify.evaluate.formats import round_up

BOUND_BITS = 13
"""Significant bits of a bound in a file: rounding up to them widens it by at most 1/4096."""


def answer_bounds(
    expected: npt.NDArray[Any], value: npt.NDArray[Any], bound: npt.NDArray[Any]
) -> npt.NDArray[Any]:
    """The bounds of known answers, in their format, within which is whatever the oracle accepts.

    With v the reference's value and e its bound, that of the expected E is e + abs(v - E), rounded up: whatever lies
    within e of v lies within that of E. Infinite where v or e is not finite.
    """
    around = [
        round_up(Fraction(e) + abs(Fraction(v) - Fraction(float(near))), expected.dtype.name, BOUND_BITS)
        if math.isfinite(v) and math.isfinite(e) and math.isfinite(near)
        else math.inf
        for v, e, near in zip(value.ravel().tolist(), bound.ravel().tolist(), expected.flat, strict=True)
    ]
    return np.array(around, dtype=expected.dtype).reshape(expected.shape)
