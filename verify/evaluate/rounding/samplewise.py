"""Operations that are carried out on each sample of the deviations as they are on the value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from verify.evaluate.array import Array
from verify.evaluate.moves import Move
from verify.evaluate.rounding.deviating import Deviating
from verify.evaluate.rounding.sampling import Sampling
from verify.evaluate.rounding.slopes import Passing, slope_of_jump


def samplewise_in_turn(function: Move) -> Passing:
    """A function that is linear in each operand: the sum of what it makes of the samples of each."""

    def passing(
        sampling: Sampling, parameters: Mapping[str, Any], result: Array, operands: list[Deviating]
    ) -> Array | None:
        total: Array | None = None
        values = [operand.value.astype(sampling.dtype) for operand in operands]
        for i, operand in enumerate(operands):
            samples = operand.drawn(sampling)
            if samples is None:
                continue
            part = np.asarray(
                [
                    function(sampling.at.sizes, parameters, *values[:i], sample, *values[i + 1 :])
                    for sample in samples
                ]
            )
            total = part if total is None else total + part
        return total

    return passing


def sort_samplewise(name: str) -> Passing:
    """Sort samplewise: the samples of the first operand move with their values; what else it orders jumps in doubt."""

    def passing(
        sampling: Sampling, parameters: Mapping[str, Any], result: Array, operands: list[Deviating]
    ) -> Array | None:
        if parameters["which_result"]:
            return slope_of_jump(name)(sampling, parameters, result, operands)
        samples = operands[0].drawn(sampling)
        if samples is None:
            return None
        axis = parameters["dimension"] if name == "sort" else parameters["axis"]
        key = operands[0].value if name == "sort" else -operands[0].value
        order = np.argsort(key, axis=axis, kind="stable").take(np.arange(result.shape[axis]), axis)
        return np.take_along_axis(samples, np.broadcast_to(order, (len(samples), *order.shape)), axis + 1)

    return passing
