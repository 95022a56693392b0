"""Samples of rounding errors: where their random numbers come from, how many there are, and how far they reach."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from verify.evaluate.array import Array
from verify.evaluate.bounds.arithmetic import Arithmetic

_SEED = 0x5EED
"""The same inputs have the same band; the code that is judged does not know the samples."""


_KEPT = 2**21
"""Normal numbers that are kept for the next evaluation: 8 MB, and enough for nearly every case that is drawn."""


class SampleGenerator(Protocol):
    """The source of the samples: a generator of NumPy's, or a `SampleDraws`."""

    def standard_normal(self, size: tuple[int, ...], dtype: Any) -> Array:
        """Normal numbers."""

    def random(self, size: tuple[int, ...], dtype: Any) -> Array:
        """Numbers from 0 to 1."""


class SampleDraws:
    """The random numbers of the samples of one evaluation, the same each time: the first normal ones are kept.

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
    generator: SampleGenerator
    dtype: type[np.floating[Any]]
    either: bool

    def signs(self, shape: tuple[int, ...]) -> Array:
        """An even chance of True, for each sample."""
        return self.generator.random((self.samples, *shape), dtype=np.float32) < 0.5


@functools.cache
def _least_sum_of_squares(dtype: np.dtype[Any]) -> float:
    """The sum above which no square of it has underflowed by a digit."""
    info = np.finfo(dtype)
    return float(info.tiny) / float(info.eps)


def root_mean_square_of_samples(samples: Array) -> Array:
    """The root of the mean over the samples of their squares, float64; no square underflows or overflows."""
    squares = np.asarray(np.einsum("k...,k...->...", samples, samples))
    safe = (squares > _least_sum_of_squares(squares.dtype)) & np.isfinite(squares)
    root = np.sqrt(squares.astype(float) / len(samples))
    if not safe.all():
        few = samples[:, ~safe].astype(float)
        largest = abs(few).max(axis=0)
        share = np.divide(few, largest, out=np.zeros_like(few), where=largest > 0)
        root[~safe] = largest * np.sqrt(np.einsum("ki,ki->i", share, share) / len(samples))
    return root


def line_up_samples(samples: Array, ndim: int) -> Array:
    """Samples of an operand with fewer axes than the result, so that they broadcast as its value does."""
    lacking = ndim - (samples.ndim - 1)
    return samples.reshape(len(samples), *[1] * lacking, *samples.shape[1:]) if lacking else samples
