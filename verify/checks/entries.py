"""The entries of a judged gradient as plain data, few enough to draw and to keep."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from verify.evaluate.array import Array
from verify.reference.judge import JudgedEntries
from verify.reference.tensors import Tensor

FIELDS = 6000
"""Fields of all maps of one gradient together: larger tensors are binned."""

SIDE = 48
"""Rows, and columns, of the largest map."""

PAIRS = 1200
"""Pairs (expected, got) kept of one gradient."""

VALUES = 16
"""Rows, and columns, of the largest map of values."""

WORST = 3
"""Entries of each tensor that are kept exactly."""


@dataclass(frozen=True)
class Entry:
    """One entry of a tensor: where it is, what it is and should be, and its error, in units of its bound too."""

    index: tuple[int, ...]
    got: float
    expected: float
    error: float
    bound: float
    ratio: float


@dataclass(frozen=True)
class TensorEntries:
    """The entries of one tensor, for pictures.

    Attributes
    ----------
    name, layer, shape
        Of the tensor; the layer is counted from 1, and 0 where it belongs to none.
    size, outside
        How many entries it has, and how many of them lie outside their bounds.
    ratios
        Rows of a map: the largest error in units of the bound in each of its fields; NaN where every bound is
        infinite. An array of more than two dimensions is drawn with all but the first in a row.
    binned
        Rows and columns of entries in one field: (1, 1) where each entry has a field of its own.
    expected, got
        Rows of two maps of the values, `valued` rows and columns of entries in each field: the mean of the field.
    valued
        As `binned`, for the maps of values.
    pairs
        (expected, got, whether within the bound) of some entries, evenly spaced, all of them where they are few.
    factor
        The number that all entries are off by, to three digits; None where there is none.
    worst
        The entries farthest outside their bounds, or closest to them, farthest first.
    """

    name: str
    layer: int
    shape: tuple[int, ...]
    size: int
    outside: int
    ratios: tuple[tuple[float, ...], ...]
    binned: tuple[int, int]
    expected: tuple[tuple[float, ...], ...]
    got: tuple[tuple[float, ...], ...]
    valued: tuple[int, int]
    pairs: tuple[tuple[float, float, bool], ...]
    factor: float | None
    worst: tuple[Entry, ...]


def summarise_entries(entries: JudgedEntries) -> tuple[TensorEntries, ...]:
    """Summarise each tensor of a comparison, in the order of the parameters: memory is bounded whatever their sizes."""
    many = max(1, len(entries.shapes))
    side = max(4, min(SIDE, math.isqrt(FIELDS // many)))
    return tuple(
        _of_tensor(name, shape, *parts, side=side, values=min(side, VALUES), pairs=max(8, PAIRS // many))
        for (name, shape), parts in zip(
            zip(entries.names, entries.shapes, strict=True), _split(entries), strict=True
        )
    )


def _split(entries: JudgedEntries) -> Iterator[tuple[Array, Array, Array, Array]]:
    ends = list(itertools.accumulate((math.prod(shape) for shape in entries.shapes), initial=0))
    for start, end in itertools.pairwise(ends):
        got, expected, bound, ratios = (part[start:end] for part in entries[2:])
        yield got, expected, bound, ratios


def _of_tensor(
    name: Tensor,
    shape: tuple[int, ...],
    got: Array,
    expected: Array,
    bound: Array,
    ratios: Array,
    *,
    side: int,
    values: int,
    pairs: int,
) -> TensorEntries:
    outside = int(np.count_nonzero(ratios > 1))
    rows, columns = (1, got.size) if len(shape) < 2 else (shape[0], math.prod(shape[1:]))
    shades = np.where(np.isfinite(bound), ratios, np.nan).reshape(rows, columns)
    binned = max(1, -(-rows // side)), max(1, -(-columns // side))
    valued = max(1, -(-rows // values)), max(1, -(-columns // values))
    shown = np.arange(got.size) if got.size <= pairs else np.linspace(0, got.size - 1, pairs).astype(int)
    # The largest ratio first; among equal ones, as where bounds are exactly kept, the largest error.
    with np.errstate(all="ignore"):
        error = abs(got - expected)
    first = np.lexsort((error, ratios))[: -WORST - 1 : -1]
    return TensorEntries(
        name=str(name),
        layer=name.layer,
        shape=tuple(map(int, shape)),
        size=int(got.size),
        outside=outside,
        ratios=_largest(shades, binned),
        binned=binned,
        expected=_mean(expected.reshape(rows, columns), valued),
        got=_mean(np.asarray(got, np.float64).reshape(rows, columns), valued),
        valued=valued,
        pairs=tuple((float(expected[i]), float(got[i]), bool(ratios[i] <= 1)) for i in shown),
        factor=_factor(got, expected) if outside else None,
        worst=tuple(
            Entry(
                tuple(map(int, np.unravel_index(int(i), shape))),
                *(float(part[i]) for part in (got, expected, error, bound, ratios)),
            )
            for i in first
        ),
    )


def _mean(numbers: Array, binned: tuple[int, int]) -> tuple[tuple[float, ...], ...]:
    """The mean of each field of ``binned`` rows and columns."""
    if not numbers.size:
        return ()
    counts = np.ones_like(numbers)
    for axis in (0, 1):
        starts = np.arange(0, numbers.shape[axis], binned[axis])
        with np.errstate(all="ignore"):
            numbers = np.add.reduceat(numbers, starts, axis=axis)
        counts = np.add.reduceat(counts, starts, axis=axis)
    return tuple(tuple(map(float, row)) for row in numbers / counts)


def _largest(shades: Array, binned: tuple[int, int]) -> tuple[tuple[float, ...], ...]:
    """The largest number of each field of ``binned`` rows and columns, NaN aside."""
    if not shades.size:
        return ()
    for axis in (0, 1):
        starts = np.arange(0, shades.shape[axis], binned[axis])
        shades = np.fmax.reduceat(shades, starts, axis=axis)
    return tuple(tuple(map(float, row)) for row in shades)


def _factor(got: Array, expected: Array) -> float | None:
    """The k of got = k expected, where that holds to a thousandth of the largest entry, and k is neither 0 nor 1."""
    largest = float(abs(expected).max(initial=0.0))
    if got.size < 2 or not largest or not np.isfinite(got).all() or not np.isfinite(largest):
        return None
    unit, of_unit = expected / largest, got.astype(np.float64) / largest
    if np.count_nonzero(abs(unit) > 1e-2) < 2:  # one number is off by some factor always
        return None
    k = float(unit @ of_unit / (unit @ unit))
    fits = abs(of_unit - k * unit).max() <= 1e-3 * abs(k)
    return k if fits and k and abs(k - 1) > 1e-3 else None
