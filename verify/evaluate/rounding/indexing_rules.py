"""Deviations through gather and scatter. An index in doubt leaves nothing known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from verify.evaluate import indexing
from verify.evaluate.array import Array
from verify.evaluate.rounding.deviating import Deviating
from verify.evaluate.rounding.sampling import Sampling
from verify.evaluate.rounding.slopes import Passing


def _jointly(function: Callable[..., Array], *numbers: int) -> Passing:
    """A function that is linear in the operands of these places together; the others are indices."""

    def passing(
        sampling: Sampling, parameters: Mapping[str, Any], result: Array, operands: list[Deviating]
    ) -> Array | None:
        drawn = [operand.drawn(sampling) for operand in operands]
        if all(samples is None for samples in drawn):
            return None
        indices = [i for i in range(len(operands)) if i not in numbers]
        if any(drawn[i] is not None for i in indices):
            return np.full((sampling.samples, *result.shape), np.inf, dtype=sampling.dtype)
        fixed = [operands[i].value.astype(np.int64) for i in indices]
        parts = {i: np.zeros(operands[i].value.shape, sampling.dtype) for i in numbers}
        moved = []
        for k in range(sampling.samples):
            parts.update({i: samples[k] for i in numbers if (samples := drawn[i]) is not None})
            moved.append(function(sampling.at.sizes, parameters, *(parts[i] for i in numbers), *fixed))
        return np.asarray(moved)

    return passing


PASSING: dict[str, Passing] = {
    "gather": _jointly(lambda sizes, p, a, indices: indexing.gather_by_index(sizes, p, a, indices, 0), 0),
    "scatter": _jointly(
        lambda sizes, p, a, updates, indices: indexing.scatter_by_index(p, a, indices, updates), 0, 2
    ),
    "scatter-add": _jointly(
        lambda sizes, p, a, updates, indices: indexing.scatter_add_by_index(p, a, indices, updates), 0, 2
    ),
    "dynamic_slice": _jointly(
        lambda sizes, p, a, *starts: indexing.dynamic_slice(sizes, p, a, [int(start) for start in starts]), 0
    ),
    "dynamic_update_slice": _jointly(
        lambda sizes, p, a, update, *starts: indexing.dynamic_update_slice(
            a, update, [int(start) for start in starts]
        ),
        0,
        1,
    ),
}
