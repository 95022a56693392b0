"""Operations that are carried out on each sample of the deviations as they are on the value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from verify.evaluate.bounds import EXACT, RULES, Array
from verify.evaluate.rounding.deviating import Deviating, Sampling
from verify.evaluate.rounding.slopes import Passing, jumping


def of_each_sample(
    name: str, sampling: Sampling, parameters: Mapping[str, Any], operands: list[Array | Deviating]
) -> Array:
    """The results (K, *shape) of an operation on each sample of the operands that have some: arrays have none."""
    results = []
    for k in range(sampling.samples):
        pairs = [
            (operand if isinstance(operand, np.ndarray) else operand.deviation[k], EXACT)  # type: ignore[index]
            for operand in operands
        ]
        results.append(RULES[name](sampling.at, parameters, *pairs)[0])
    return np.asarray(results, dtype=sampling.dtype)


def each_in_turn(name: str) -> Passing:
    """An operation that is linear in each operand: the sum of what it makes of the samples of each."""

    def passing(
        sampling: Sampling, parameters: Mapping[str, Any], result: Array, operands: list[Deviating]
    ) -> Array | None:
        total: Array | None = None
        for i, operand in enumerate(operands):
            if operand.drawn(sampling) is None:
                continue
            others: list[Array | Deviating] = [other.value for other in operands]
            others[i] = operand
            part = of_each_sample(name, sampling, parameters, others)
            total = part if total is None else total + part
        return total

    return passing


def ordered(name: str) -> Passing:
    """A sort: the samples of its first operand move with their values; what else it orders jumps where in doubt."""

    def passing(
        sampling: Sampling, parameters: Mapping[str, Any], result: Array, operands: list[Deviating]
    ) -> Array | None:
        if parameters["which_result"]:
            return jumping(name)(sampling, parameters, result, operands)
        samples = operands[0].drawn(sampling)
        if samples is None:
            return None
        axis = parameters["dimension"] if name == "sort" else parameters["axis"]
        key = operands[0].value if name == "sort" else -operands[0].value
        order = np.argsort(key, axis=axis, kind="stable").take(np.arange(result.shape[axis]), axis)
        return np.take_along_axis(samples, np.broadcast_to(order, (len(samples), *order.shape)), axis + 1)

    return passing
