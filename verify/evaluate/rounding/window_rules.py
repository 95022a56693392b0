"""Deviations through convolutions, windows, and max-pooling's derivative."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from verify.evaluate import windows
from verify.evaluate.array import Array
from verify.evaluate.bounds import RULES
from verify.evaluate.convolution_as_product import convolution_as_product
from verify.evaluate.program import program_shape
from verify.evaluate.rounding.deviating import Deviating
from verify.evaluate.rounding.samplewise import samplewise_in_turn
from verify.evaluate.rounding.sampling import Sampling
from verify.evaluate.rounding.slopes import Passing


def _window_sum(sizes: Mapping[str, int], parameters: Mapping[str, Any], a: Array) -> Array:
    view = windows.reduced_windows(sizes, parameters, a, 0)
    return np.asarray(view.sum(axis=windows.window_axes(view)))


def _extreme(sign: int) -> Passing:
    """The extreme of each sample of a window."""

    def passing(
        sampling: Sampling, parameters: Mapping[str, Any], result: Array, operands: list[Deviating]
    ) -> Array | None:
        samples = operands[0].drawn(sampling)
        if samples is None:
            return None
        sizes = sampling.at.sizes
        entries = windows.window_entries(sizes, parameters, sign * operands[0].value, -np.inf)
        behind = ((entries - sign * result[..., np.newaxis]) / sampling.at.u).astype(sampling.dtype)
        moved = [
            sign * (behind + windows.window_entries(sizes, parameters, sign * sample, 0)).max(axis=-1)
            for sample in samples
        ]
        return np.asarray(moved)

    return passing


def _chosen(
    sampling: Sampling, parameters: Mapping[str, Any], result: Array, operands: list[Deviating]
) -> Array | None:
    """One entry of each window: for each sample any one of those that may be the largest, where that is in doubt."""
    if not sampling.either:
        return None
    _, doubt = RULES["largest_in_window"](sampling.at, parameters, operands[0].excursion(sampling))
    if not doubt.any():
        return None
    scores = sampling.generator.random((sampling.samples, *result.shape), dtype=np.float32) * doubt
    taken = np.arange(result.shape[-1]) == scores.argmax(axis=-1)[..., np.newaxis]
    return np.asarray((taken ^ result) & doubt.any(axis=-1, keepdims=True))


def _added(
    sampling: Sampling, parameters: Mapping[str, Any], result: Array, operands: list[Deviating]
) -> Array | None:
    """Return what each sample adds to the entries it takes: its deviation, and the number itself where it
    takes another.
    """
    source, chosen = operands
    samples, flips = source.drawn(sampling), chosen.drawn(sampling)
    if samples is None and flips is None:
        return None
    whole = program_shape(parameters["out_shape"], sampling.at.sizes)
    where = windows.window_places(sampling.at.sizes, parameters, whole).ravel()
    value = source.value[..., np.newaxis] / sampling.at.u
    results = []
    for k in range(sampling.samples):
        taken = chosen.value if flips is None else chosen.value ^ flips[k]
        added = (
            np.zeros(taken.shape) if samples is None else np.where(taken, samples[k][..., np.newaxis], 0.0)
        )
        if flips is not None:
            added += np.where(flips[k], np.where(taken, value, -value), 0.0)
        results.append(np.bincount(where, added.ravel(), result.size + 1)[:-1].reshape(whole))
    return np.asarray(results, dtype=sampling.dtype)


PASSING: dict[str, Passing] = {
    "conv_general_dilated": samplewise_in_turn(convolution_as_product),
    "reduce_window_sum": samplewise_in_turn(_window_sum),
    "reduce_window_max": _extreme(1),
    "reduce_window_min": _extreme(-1),
    "largest_in_window": _chosen,
    "add_to_windows": _added,
}
