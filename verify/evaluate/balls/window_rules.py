"""Convolutions and windows of balls."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import flint
import numpy as np

from verify.evaluate import windows
from verify.evaluate.array import Array
from verify.evaluate.balls.ball_arrays import Rule, Sizes
from verify.evaluate.balls.ordering_rules import is_largest_ball
from verify.evaluate.convolution_as_product import convolution_as_product
from verify.evaluate.program import program_shape


def _reduced(
    sizes: Sizes, parameters: Mapping[str, Any], a: Array, fill: Any, of_row: Callable[..., Any]
) -> Array:
    """A function of each window's entries that are not the filling."""
    rows = windows.window_entries(sizes, parameters, a, fill)
    result = np.empty(rows.shape[:-1], dtype=object)
    for place in np.ndindex(result.shape):
        inside = [number for number in rows[place] if number is not fill]
        result[place] = of_row(inside)
    return result


_OUTSIDE = object()


def _sum(sizes: Sizes, parameters: Mapping[str, Any], a: Array) -> Array:
    return _reduced(sizes, parameters, a, _OUTSIDE, lambda numbers: sum(numbers, flint.arb(0)))


def _extreme(sign: int) -> Rule:
    def largest(numbers: list[Any]) -> Any:
        end = flint.arb(-sign) * flint.arb("inf")
        return functools.reduce(lambda a, b: a.max(b) if sign > 0 else a.min(b), numbers, end)

    return lambda sizes, parameters, a: _reduced(sizes, parameters, a, _OUTSIDE, largest)


def _largest_in_window(sizes: Sizes, parameters: Mapping[str, Any], a: Array) -> Array:
    """Return which entry of each window is taken for its largest, the first of equal ones; None where balls overlap."""
    sign = -1 if parameters["smallest"] else 1
    rows = windows.window_entries(sizes, parameters, a, _OUTSIDE)
    result = np.full(rows.shape, False, dtype=object)
    for place in np.ndindex(rows.shape[:-1]):
        inside = [i for i, number in enumerate(rows[place]) if number is not _OUTSIDE]
        numbers = [sign * rows[place][i] for i in inside]
        outcomes = [is_largest_ball(number, numbers, lambda a, b: bool(a > b)) for number in numbers]
        for i, outcome in zip(inside, outcomes, strict=True):
            result[place][i] = outcome
            if outcome:  # the first of those that are equal, or the only one
                break
    return result


def _add_to_windows(sizes: Sizes, parameters: Mapping[str, Any], source: Array, chosen: Array) -> Array:
    """Add each number of the source where it is chosen; where that is open, a ball that holds it and 0."""
    whole = program_shape(parameters["out_shape"], sizes)
    where = windows.window_places(sizes, parameters, whole)
    total = np.array([flint.arb(0)] * int(np.prod(whole)), dtype=object)
    for place in np.ndindex(chosen.shape):
        outcome: Any = chosen[place]
        if where[place] < len(total) and (outcome is None or outcome):
            number: Any = source[place[:-1]]
            total[where[place]] += number if outcome else number.union(flint.arb(0))
    return total.reshape(whole)


def _convolution(sizes: Sizes, parameters: Mapping[str, Any], a: Array, b: Array) -> Array:
    return convolution_as_product(sizes, parameters, a, b)


RULES: dict[str, Rule] = {
    "conv_general_dilated": _convolution,
    "reduce_window_sum": _sum,
    "reduce_window_max": _extreme(1),
    "reduce_window_min": _extreme(-1),
    "largest_in_window": _largest_in_window,
    "add_to_windows": _add_to_windows,
}
