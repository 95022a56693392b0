"""Windows that slide over arrays of anything: floats, bounds or balls."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from verify.evaluate.array import Array
from verify.evaluate.moves import MOVES
from verify.evaluate.program import program_shape, program_size

Sizes = Mapping[str, int]

# Shapes: k the lengths of the window, p the places it is put at.


def spread_for_windows(
    a: Array, padding: Sequence[tuple[int, int]], steps: Sequence[int], fill: Any
) -> Array:
    """An array with its entries ``steps`` apart and with edges, ``fill`` in between; a negative edge cuts."""
    if all(edges == (0, 0) for edges in padding) and all(step == 1 for step in steps):
        return a
    config = tuple((low, high, step - 1) for (low, high), step in zip(padding, steps, strict=True))
    lengths = [
        max((length - 1) * step + 1, 0) + low + high
        for length, (low, high), step in zip(a.shape, padding, steps, strict=True)
    ]
    parameters = {"padding_config": config, "out_shape": tuple(max(length, 0) for length in lengths)}
    filling = np.empty((), dtype=a.dtype)
    filling[()] = fill
    return MOVES["pad"]({}, parameters, a, filling)


def sliding_windows(a: Array, window: Sequence[int], strides: Sequence[int], steps: Sequence[int]) -> Array:
    """A view (*p, *k) of every window of an array, without copying; within a window, entries are ``steps`` apart."""
    places = [
        max((length - ((width - 1) * step + 1)) // stride + 1, 0)
        for length, width, stride, step in zip(a.shape, window, strides, steps, strict=True)
    ]
    between = [stride * bytes_ for stride, bytes_ in zip(strides, a.strides, strict=True)]
    within = [step * bytes_ for step, bytes_ in zip(steps, a.strides, strict=True)]
    return np.lib.stride_tricks.as_strided(a, (*places, *window), (*between, *within), writeable=False)


def reduced_windows(sizes: Sizes, parameters: Mapping[str, Any], a: Array, fill: Any) -> Array:
    """The windows (*p, *k) that reduce_window reduces, ``fill`` outside of the array."""
    ones = (1,) * a.ndim
    padding = [(program_size(low, sizes), program_size(high, sizes)) for low, high in parameters["padding"]]
    spaced = spread_for_windows(a, padding, parameters.get("base_dilation") or ones, fill)
    return sliding_windows(
        spaced,
        program_shape(parameters["window_dimensions"], sizes),
        program_shape(parameters["window_strides"], sizes),
        parameters.get("window_dilation") or ones,
    )


def window_axes(a: Array) -> tuple[int, ...]:
    """The axes of the windows in what `reduced_windows` returns."""
    return tuple(range(a.ndim // 2, a.ndim))


def window_entries(sizes: Sizes, parameters: Mapping[str, Any], a: Array, fill: Any) -> Array:
    """The windows as rows: (*p, the number of entries of a window)."""
    view = reduced_windows(sizes, parameters, a, fill)
    places = view.shape[: a.ndim]
    return view.reshape(*places, math.prod(view.shape[a.ndim :]))


def window_places(sizes: Sizes, parameters: Mapping[str, Any], whole: tuple[int, ...]) -> Array:
    """Return where in an array (flattened) each entry of each window lies; its size for what lies outside."""
    count = math.prod(whole)
    return window_entries(sizes, parameters, np.arange(count).reshape(whole), count)
