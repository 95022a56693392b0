"""Small deviations through a function of one or two numbers: its slope times them, or a jump."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from verify.evaluate.array import Array
from verify.evaluate.bounds import EXACT, RULES
from verify.evaluate.rounding.deviating import Deviating
from verify.evaluate.rounding.sampling import Sampling, line_up_samples

Passing = Callable[[Sampling, Mapping[str, Any], Array, list[Deviating]], Array | None]
"""``passing(sampling, parameters, result, operands)``: the samples of a result, None where it is exact."""


def linear_slope(*partials: Callable[..., Any]) -> Passing:
    """A function's total differential: for each operand, its partial derivative ``(result, *values)``."""

    def passing(sampling: Sampling, _: Any, result: Array, operands: list[Deviating]) -> Array | None:
        total: Array | None = None
        values = [operand.value for operand in operands]
        for partial, operand in zip(partials, operands, strict=True):
            samples = operand.drawn(sampling)
            if samples is None:
                continue
            factor = np.asarray(partial(result, *values), dtype=sampling.dtype)
            term = line_up_samples(samples, result.ndim) * factor
            total = term if total is None else total + term
        return total

    return passing


def secant_slope(name: str, sign: int = 1) -> Passing:
    """A function that increases (or, with sign -1, decreases): its largest slope as far as the band reaches."""

    def passing(
        sampling: Sampling, parameters: Mapping[str, Any], result: Array, operands: list[Deviating]
    ) -> Array | None:
        [a] = operands
        value, error = a.excursion(sampling)
        if a.deviation is None:
            return None
        _, reached = RULES[name](sampling.at, parameters, (value, error))
        _, still = RULES[name](sampling.at, parameters, (value, EXACT))
        slope = np.where(error > 0, sign * (reached - still) / error, 0.0)
        return a.deviation * slope.astype(sampling.dtype)

    return passing


def power_slope(
    sampling: Sampling, parameters: Mapping[str, Any], result: Array, operands: list[Deviating]
) -> Array | None:
    """a**b: its largest slopes as far as the bands reach, by one operand and then by the other."""
    pairs = [operand.excursion(sampling) for operand in operands]
    exact = [(v, EXACT) for v, _ in pairs]
    _, still = RULES["pow"](sampling.at, {}, *exact)
    (a, _), (b, _) = exact
    signs = np.sign(result) * np.sign(b) * np.sign(a), np.sign(result) * np.sign(np.log(abs(a)))
    slopes: list[Array] = []
    for i, sign in enumerate(signs):
        _, reached = RULES["pow"](sampling.at, {}, *(pairs[j] if j == i else exact[j] for j in (0, 1)))
        slopes.append(np.where(pairs[i][1] > 0, sign * (reached - still) / pairs[i][1], 0.0))
    return linear_slope(*(lambda r, a, b, slope=slope: slope for slope in slopes))(
        sampling, {}, result, operands
    )


def wave_slope(slope: Callable[[Array], Array]) -> Passing:
    """sin and cos: the slope, and what it may gain as far as the band reaches."""

    def passing(
        sampling: Sampling, parameters: Mapping[str, Any], result: Array, operands: list[Deviating]
    ) -> Array | None:
        a, ea = operands[0].excursion(sampling)
        here = slope(a)
        largest = np.copysign(np.minimum(abs(here) + ea, 1.0), here)
        return linear_slope(lambda r, a: largest)(sampling, parameters, result, operands)

    return passing


def slope_of_comparison(name: str) -> Passing:
    """A comparison: in doubt, each sample has either outcome."""

    def passing(
        sampling: Sampling, parameters: Mapping[str, Any], result: Array, operands: list[Deviating]
    ) -> Array | None:
        if not sampling.either:
            return None
        # An operand that stands on both sides is one pair: no number is in doubt against itself.
        pair_of = {operand: operand.excursion(sampling) for operand in operands}
        _, doubt = RULES[name](sampling.at, parameters, *(pair_of[operand] for operand in operands))
        return sampling.signs(result.shape) & doubt if doubt.any() else None

    return passing


def slope_of_jump(name: str) -> Passing:
    """A function that only jumps: in doubt, half of the samples are off by all that the worst case allows."""

    def passing(
        sampling: Sampling, parameters: Mapping[str, Any], result: Array, operands: list[Deviating]
    ) -> Array | None:
        if not sampling.either:
            return None
        _, e = RULES[name](sampling.at, parameters, *(operand.excursion(sampling) for operand in operands))
        if not e.any():
            return None
        return np.where(sampling.signs(result.shape), (e / sampling.at.u).astype(sampling.dtype), 0)

    return passing
