"""A value together with samples of how far another evaluation may lie from it."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from verify.evaluate.array import Array
from verify.evaluate.bounds.arithmetic import EXACT, Arithmetic, Pair

# Shapes: a value is (*shape), its samples (K, *shape).

_SEED = 0x5EED
"""The same inputs have the same band; the code that is judged does not know the samples."""

_KEPT = 2**21
"""Normal numbers that are kept for the next evaluation: 8 MB, and enough for nearly every case that is drawn."""


class Generator(Protocol):
    """The source of the samples: a generator of NumPy's, or a `Draws`."""

    def standard_normal(self, size: tuple[int, ...], dtype: Any) -> Array:
        """Normal numbers."""

    def random(self, size: tuple[int, ...], dtype: Any) -> Array:
        """Numbers from 0 to 1."""


class Draws:
    """The random numbers of one evaluation, the same each time: the first normal ones are drawn once and kept.

    Parameters
    ----------
    part
        Of which part of the samples; only those of the first, 0, are kept.
    """

    def __init__(self, part: int) -> None:
        self._kept = _first_normals() if part == 0 else np.zeros(0, np.float32)
        self._generator = np.random.Generator(np.random.SFC64([_SEED, part, 1]))
        self._used = 0

    def standard_normal(self, size: tuple[int, ...], dtype: Any) -> Array:
        """Normal numbers; read-only float32 where they are kept ones, else of the dtype."""
        start, self._used = self._used, self._used + math.prod(size)
        if self._used <= len(self._kept):
            return self._kept[start : self._used].reshape(size)
        return self._generator.standard_normal(size, dtype)

    def random(self, size: tuple[int, ...], dtype: Any) -> Array:
        """Numbers from 0 to 1."""
        return self._generator.random(size, dtype)


@functools.cache
def _first_normals() -> Array:
    generator = np.random.Generator(np.random.SFC64([_SEED, 0]))
    normals = generator.standard_normal(_KEPT, np.float32)
    normals.flags.writeable = False
    return normals


@dataclass(frozen=True)
class Sampling:
    """The arithmetic that rounds, how many samples there are, and how far from their middle the band reaches.

    ``reach`` is the band's quantile: the band is that many standard deviations wide on either side. ``either``:
    whether a choice in doubt may fall on either side, or falls as the reference's does.
    """

    at: Arithmetic
    samples: int
    reach: float
    generator: Generator
    dtype: type[np.floating[Any]]
    either: bool

    def signs(self, shape: tuple[int, ...]) -> Array:
        """An even chance of True, for each sample."""
        return self.generator.random((self.samples, *shape), dtype=np.float32) < 0.5


class Deviating:
    """A value (*shape), float64 or outcomes, and how K samples of another evaluation deviate from it.

    Parameters
    ----------
    value
        The reference's value.
    deviation
        (K, *shape), in units of u; for outcomes, which samples have the other one. None where it is exact.
    own
        (*shape) or a scalar: the standard deviation of roundings of its own that no sample has been given yet, in
        units of u. It is drawn at the first use, or, where nothing uses it, added as it is.
    """

    __slots__ = ("deviation", "own", "value")

    def __init__(self, value: Array, deviation: Array | None = None, own: Array | None = None) -> None:
        self.value, self.deviation, self.own = value, deviation, own

    def drawn(self, sampling: Sampling) -> Array | None:
        """The samples, with its own roundings in them: every use sees the same."""
        if self.own is not None:
            shape = (sampling.samples, *self.value.shape)
            normals = sampling.generator.standard_normal(shape, sampling.dtype)
            noise = normals * self.own.astype(sampling.dtype)
            if self.deviation is not None:
                noise += self.deviation
            self.deviation, self.own = noise, None
        return self.deviation

    def spread(self) -> Array:
        """The root mean square of the samples about the value, (*shape), in units of u, without its own roundings."""
        zero = np.zeros(self.value.shape)
        return zero if self.deviation is None else root_mean_square(self.deviation)

    def excursion(self, sampling: Sampling) -> Pair:
        """The value with the error that its band reaches, for the rules of the worst case."""
        samples = self.drawn(sampling)
        if samples is None:
            return self.value, EXACT
        if samples.dtype == bool:
            return self.value, np.asarray(samples.any(axis=0))
        return self.value, sampling.reach * sampling.at.u * root_mean_square(samples)


def root_mean_square(samples: Array) -> Array:
    """The root of the mean over the samples of their squares, float64; no square underflows or overflows."""
    squares = np.asarray(np.einsum("k...,k...->...", samples, samples))
    info = np.finfo(squares.dtype)
    safe = (squares > float(info.tiny) / float(info.eps)) & (squares < float(info.max))
    root = np.sqrt(squares.astype(float) / len(samples))
    if not safe.all():
        few = samples[:, ~safe].astype(float)
        largest = abs(few).max(axis=0)
        share = few / np.where(largest > 0, largest, 1.0)
        root[~safe] = largest * np.sqrt(np.einsum("ki,ki->i", share, share) / len(samples))
    return root
