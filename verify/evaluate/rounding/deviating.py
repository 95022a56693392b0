"""A value together with samples of how far another evaluation may lie from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from verify.evaluate.bounds.arithmetic import EXACT, Arithmetic, Array, Pair

# Shapes: a value is (*shape), its samples (K, *shape).


@dataclass(frozen=True)
class Sampling:
    """The arithmetic that rounds, how many samples there are, and how far from their middle the band reaches.

    ``reach`` is the band's quantile: the band is that many standard deviations wide on either side. ``either``:
    whether a choice in doubt may fall on either side, or falls as the reference's does.
    """

    at: Arithmetic
    samples: int
    reach: float
    generator: np.random.Generator
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
            noise = sampling.generator.standard_normal(shape, sampling.dtype)
            noise *= self.own.astype(sampling.dtype)
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
