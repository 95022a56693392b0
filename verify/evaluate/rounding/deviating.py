"""A value together with samples of how far another evaluation may lie from it."""

from __future__ import annotations

import numpy as np

from verify.evaluate.array import Array
from verify.evaluate.bounds.arithmetic import EXACT, Pair
from verify.evaluate.rounding.sampling import Sampling, root_mean_square_of_samples

# Shapes: a value is (*shape), its samples (K, *shape).


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
        return zero if self.deviation is None else root_mean_square_of_samples(self.deviation)

    def excursion(self, sampling: Sampling) -> Pair:
        """The value with the error that its band reaches, for the rules of the worst case."""
        samples = self.drawn(sampling)
        if samples is None:
            return self.value, EXACT
        if samples.dtype == bool:
            return self.value, np.asarray(samples.any(axis=0))
        return self.value, sampling.reach * sampling.at.u * root_mean_square_of_samples(samples)
