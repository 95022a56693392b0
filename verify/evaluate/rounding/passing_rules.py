"""Deviations of operands through each primitive: the first order, for K samples at once.

What an operation makes of the samples is linear in them. The slope of a function is taken as a secant: the largest that
the rule of the worst case (`verify.evaluate.bounds`) allows as far out as the quantile reaches, so a function bends
within its band. A comparison is in doubt where the worst case at that reach says so; in doubt, each sample takes either
side.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from verify.evaluate import moves
from verify.evaluate.array import Array
from verify.evaluate.bounds import RULES
from verify.evaluate.merged_sums import IN_ANY_ORDER
from verify.evaluate.program import NoRule
from verify.evaluate.rounding import indexing_rules, window_rules
from verify.evaluate.rounding.deviating import Deviating
from verify.evaluate.rounding.samplewise import samplewise_in_turn, sort_samplewise
from verify.evaluate.rounding.sampling import Sampling, line_up_samples
from verify.evaluate.rounding.slopes import (
    Passing,
    linear_slope,
    power_slope,
    secant_slope,
    slope_of_comparison,
    slope_of_jump,
    wave_slope,
)


def _quotient(sampling: Sampling, _: Any, result: Array, operands: list[Deviating]) -> Array | None:
    """(da - q db) / b, by the smallest b that its band reaches; nothing is known where that is 0."""
    b, eb = operands[1].excursion(sampling)
    room = np.copysign(np.maximum(abs(b) - eb, 0.0), b)
    return linear_slope(lambda q, a, b: 1 / room, lambda q, a, b: -q / room)(sampling, _, result, operands)


def _root(sampling: Sampling, _: Any, result: Array, operands: list[Deviating]) -> Array | None:
    """The chord of the square root, from the smallest a that its band reaches; nothing is known below 0."""
    a, ea = operands[0].excursion(sampling)
    slope = np.where(ea <= a, 1 / (result + np.sqrt(a - ea)), np.inf)
    return linear_slope(lambda r, a: slope)(sampling, _, result, operands)


def _chosen(first: Callable[[Array, Array], Array]) -> Passing:
    """Max and min: the samples of the operand taken, in doubt of the one that deviates more; of equals, the first."""

    def passing(sampling: Sampling, _: Any, result: Array, operands: list[Deviating]) -> Array | None:
        (a, ea), (b, eb) = (operand.excursion(sampling) for operand in operands)
        samples = [operand.deviation for operand in operands]
        if samples[0] is None and samples[1] is None:
            return None
        doubt = ~(abs(a - b) > ea + eb) & sampling.either
        take_a = np.where(doubt, ea >= eb, first(a, b))
        ours, theirs = (
            np.zeros((), sampling.dtype) if s is None else line_up_samples(s, result.ndim) for s in samples
        )
        return np.where(take_a, ours, theirs)

    return passing


def _clamped(sampling: Sampling, _: Any, result: Array, operands: list[Deviating]) -> Array | None:
    """min(max(a, low), high)."""
    low, a, high = operands
    risen = Deviating(np.maximum(a.value, low.value))
    risen.deviation = _chosen(np.greater_equal)(sampling, _, risen.value, [a, low])
    return _chosen(np.less_equal)(sampling, _, result, [risen, high])


def _extreme(sign: int) -> Passing:
    """reduce_max (sign 1) and reduce_min (-1): the extreme of each sample."""

    def passing(
        sampling: Sampling, parameters: Mapping[str, Any], result: Array, operands: list[Deviating]
    ) -> Array | None:
        samples = operands[0].drawn(sampling)
        if samples is None:
            return None
        axes = parameters["axes"]
        behind = (operands[0].value - np.expand_dims(result, axes)) * (sign / sampling.at.u)
        moved = behind.astype(sampling.dtype) + sign * samples
        return np.asarray(sign * moved.max(axis=tuple(axis + 1 for axis in axes)))

    return passing


def _sum(
    sampling: Sampling, parameters: Mapping[str, Any], result: Array, operands: list[Deviating]
) -> Array | None:
    samples = operands[0].drawn(sampling)
    return None if samples is None else samples.sum(axis=tuple(axis + 1 for axis in parameters["axes"]))


def _product(
    sampling: Sampling, parameters: Mapping[str, Any], result: Array, operands: list[Deviating]
) -> Array | None:
    """A @ dB + dA @ B."""
    a, b = operands
    total: Array | None = None
    if (samples := a.drawn(sampling)) is not None:
        right = moves.move_to_right_matrices(parameters, b.value).astype(sampling.dtype)
        total = moves.move_to_left_matrices(_lifted_product(parameters, 0), samples) @ right
    if (samples := b.drawn(sampling)) is not None:
        left = moves.move_to_left_matrices(parameters, a.value).astype(sampling.dtype)
        other = left @ moves.move_to_right_matrices(_lifted_product(parameters, 1), samples)
        total = other if total is None else total + other
    return None if total is None else total.reshape(sampling.samples, *result.shape)


def _lifted_product(parameters: Mapping[str, Any], which: int) -> dict[str, Any]:
    """dot_general's parameters for one operand that has samples: their axis joins those of the batch."""
    inner, batch = (list(axes) for axes in parameters["dimension_numbers"])
    inner[which] = tuple(axis + 1 for axis in inner[which])
    batch[which] = (0, *(axis + 1 for axis in batch[which]))
    return {"dimension_numbers": (tuple(inner), tuple(batch))}


def _logical(function: Callable[..., Array]) -> Passing:
    """and, or, not: outcomes of the samples against the outcome of the value."""

    def passing(sampling: Sampling, _: Any, result: Array, operands: list[Deviating]) -> Array | None:
        flips = [operand.drawn(sampling) for operand in operands]
        if all(flip is None for flip in flips):
            return None
        sides = [o.value if flip is None else o.value ^ flip for o, flip in zip(operands, flips, strict=True)]
        return np.asarray(function(*sides) ^ result)

    return passing


def _reduced_outcomes(function: np.ufunc) -> Passing:
    def passing(
        sampling: Sampling, parameters: Mapping[str, Any], result: Array, operands: list[Deviating]
    ) -> Array | None:
        flips = operands[0].drawn(sampling)
        if flips is None:
            return None
        axes = tuple(axis + 1 for axis in parameters["axes"])
        return np.asarray(function.reduce(operands[0].value ^ flips, axis=axes) ^ result)

    return passing


def _cumulative_sum(_: Any, parameters: Mapping[str, Any], a: Array) -> Array:
    axis = parameters["axis"]
    return np.flip(np.cumsum(np.flip(a, axis), axis), axis) if parameters["reverse"] else np.cumsum(a, axis)


def _selected(sampling: Sampling, _: Any, result: Array, operands: list[Deviating]) -> Array | None:
    which, *branches = operands
    if len(branches) != 2:
        raise NoRule(
            "the gradient of this loss uses select_n among more than two branches: nest jnp.where instead"
        )
    flips = which.drawn(sampling)
    drawn = [branch.drawn(sampling) for branch in branches]
    if all(samples is None for samples in (flips, *drawn)):
        return None
    ways = [np.zeros((), sampling.dtype) if samples is None else samples for samples in drawn]
    if flips is None:
        return np.where(which.value, ways[1], ways[0])
    away = [
        way + ((branch.value - result) / sampling.at.u).astype(sampling.dtype)
        for way, branch in zip(ways, branches, strict=True)
    ]
    return np.where(which.value ^ flips, away[1], away[0])


def _converted(
    sampling: Sampling, parameters: Mapping[str, Any], result: Array, operands: list[Deviating]
) -> Array | None:
    """Outcomes become numbers; floats stay as they are; a float that becomes an integer may be off by one."""
    samples = operands[0].drawn(sampling)
    if samples is None:
        return None
    if samples.dtype == bool:
        return samples * ((1 - 2 * result) / sampling.at.u).astype(sampling.dtype)
    if np.dtype(parameters["new_dtype"]).kind in "iu":
        _, e = RULES["convert_element_type"](sampling.at, parameters, operands[0].excursion(sampling))
        return sampling.signs(result.shape) * (e / sampling.at.u).astype(sampling.dtype)
    return samples


def _moved(name: str) -> Passing:
    move = moves.MOVES[name]

    def passing(
        sampling: Sampling, parameters: Mapping[str, Any], result: Array, operands: list[Deviating]
    ) -> Array | None:
        drawn = [operand.drawn(sampling) for operand in operands]
        if all(samples is None for samples in drawn):
            return None
        if name == "pad" and drawn[1] is not None:
            raise NoRule("the gradient of this loss pads with a computed number; pad with a constant")
        parts = [
            np.zeros((sampling.samples, *operand.value.shape), sampling.dtype) if samples is None else samples
            for operand, samples in zip(operands, drawn, strict=True)
        ]
        if name == "pad":
            parts[1] = np.zeros((), sampling.dtype)
        return move(sampling.at.sizes, _lifted(parameters, sampling.samples), *parts)

    return passing


def _lifted(parameters: Mapping[str, Any], samples: int) -> dict[str, Any]:
    """The parameters of a move for arrays with an axis of samples in front."""
    changed = dict(parameters)
    if "out_shape" in changed:
        changed["out_shape"] = (samples, *changed["out_shape"])
    for key in ("broadcast_dimensions", "permutation"):
        if key in changed:
            changed[key] = (0, *(axis + 1 for axis in changed[key]))
    if "dimensions" in changed and changed["dimensions"] is not None:
        changed["dimensions"] = tuple(axis + 1 for axis in changed["dimensions"])
    if "dimension" in changed:
        changed["dimension"] = changed["dimension"] + 1
    if "start_indices" in changed:
        changed["start_indices"] = (0, *changed["start_indices"])
        changed["limit_indices"] = (samples, *changed["limit_indices"])
        changed["strides"] = None if changed["strides"] is None else (1, *changed["strides"])
    if "padding_config" in changed:
        changed["padding_config"] = ((0, 0, 0), *changed["padding_config"])
    return changed


def _exact(sampling: Sampling, _: Any, result: Array, operands: list[Deviating]) -> None:
    return None


def _sum_of_two(sign: float) -> Passing:
    return linear_slope(lambda r, a, b: 1.0, lambda r, a, b: sign)


def _integer_power(
    sampling: Sampling, parameters: Mapping[str, Any], result: Array, operands: list[Deviating]
) -> Array | None:
    y = parameters["y"]
    with np.errstate(all="ignore"):
        return linear_slope(lambda r, a: y * a ** float(y - 1))(sampling, parameters, result, operands)


def _merged_sum(sampling: Sampling, _: Any, result: Array, operands: list[Deviating]) -> Array | None:
    """The samples of the sum: the roundings of its additions are drawn already, in the order of the derivative."""
    return operands[0].drawn(sampling)


PASSING: dict[str, Passing] = {
    "add": _sum_of_two(1.0),
    "add_any": _sum_of_two(1.0),
    "sub": _sum_of_two(-1.0),
    "mul": linear_slope(lambda r, a, b: b, lambda r, a, b: a),
    "div": _quotient,
    "neg": linear_slope(lambda r, a: -1.0),
    "abs": linear_slope(lambda r, a: np.copysign(1.0, a)),
    "square": linear_slope(lambda r, a: 2 * a),
    "one_minus_square": linear_slope(lambda r, a: -2 * a),
    "integer_pow": _integer_power,
    **{
        name: secant_slope(name)
        for name in ("exp", "exp2", "expm1", "log", "log1p", "logistic", "tanh", "erf")
    },
    **{name: secant_slope(name, -1) for name in ("rsqrt", "erfc")},
    "pow": power_slope,
    "sin": wave_slope(np.cos),
    "cos": wave_slope(lambda a: -np.sin(a)),
    **{name: slope_of_jump(name) for name in ("floor", "ceil", "round", "rem", "argmax", "argmin")},
    "sqrt": _root,
    "max": _chosen(np.greater_equal),
    "min": _chosen(np.less_equal),
    "clamp": _clamped,
    "reduce_sum": _sum,
    "reduce_max": _extreme(1),
    "reduce_min": _extreme(-1),
    "dot_general": _product,
    **{
        name: slope_of_comparison(name)
        for name in ("gt", "ge", "lt", "le", "eq", "ne", "is_largest", "is_smallest")
    },
    "and": _logical(np.logical_and),
    "or": _logical(np.logical_or),
    "not": _logical(np.logical_not),
    "reduce_or": _reduced_outcomes(np.logical_or),
    "reduce_and": _reduced_outcomes(np.logical_and),
    "cumsum": samplewise_in_turn(_cumulative_sum),
    **window_rules.PASSING,
    **indexing_rules.PASSING,
    "sort": sort_samplewise("sort"),
    "top_k": sort_samplewise("top_k"),
    "select_n": _selected,
    "convert_element_type": _converted,
    "sign": slope_of_jump("sign"),
    "is_finite": _exact,
    **dict.fromkeys(IN_ANY_ORDER, _merged_sum),
    **{name: _moved(name) for name in moves.MOVES},
}
