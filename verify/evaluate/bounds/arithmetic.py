"""The arithmetic that bounds are made of: what one rounding, or one call of a library, may cost.

A pair ``(v, e)`` says: v is the float64 value computed here, and any other evaluation of the same formula, at the
unit roundoff it was declared for and with sums in any order, lies within e of v. Nothing in e is chosen: it is
what the standard model of floating-point arithmetic allows (Higham, Accuracy and Stability of Numerical
Algorithms, 2nd ed., SIAM 2002, section 2.2 and, for underflow, 2.8):

    fl(x op y) = (x op y) (1 + d) + t,    abs(d) <= u,    abs(t) <= eta,

with eta no less than the smallest normal number, since some libraries flush what lies below it to zero. Here it is
twice that number: each of the two evaluations may underflow, and a shift that cancels (`bounds`) may scale an
underflow by up to e**0.5. Where the judged format overflows there is no bound: the error is infinite.

Both evaluations round: the other one at u_c, this one at u_r = 2**-53. If their operands differ by at most ea and
eb, their results differ by at most what the exact operation makes of ea and eb (the first part of each rule), plus
u_c times the other's exact result and u_r times ours. With v' = v + e for the largest result of the other, that
sum is at most (u_c + u_r) v' / (1 - u_r): so u = (u_c + u_r) / (1 - u_r) serves both at once, and a float64
result, judged by a float64 reference, gets its factor of two from here and not from a choice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from verify.evaluate.array import Array
from verify.evaluate.formats import limits

Pair = tuple[Array, Array]

EXACT: Array = np.zeros(())
"""The bound of what carries no error, such as the inputs."""

LIBRARY_ULPS = 4
"""Worst error, in units in the last place, of exp, log, tanh and their kin in any library that is judged.

NumPy states "less than 4 ULP" for its vectorised functions (release notes of 1.20 and 1.22); PyTorch's (SLEEF, 1
ULP) and XLA's are closer. An ulp of v is at most 2 u abs(v)."""

SIGMOID_ULPS = LIBRARY_ULPS + 1.5
"""The same for 1 / (1 + exp(-z)): that of exp, and three roundings more in the form that suits every sign."""

REFERENCE_ROUNDOFF = 2.0**-53
SMALLEST = float(np.finfo(np.float64).tiny)
"""The smallest normal number of the format that pairs are held in."""


@dataclass(frozen=True)
class Arithmetic:
    """The arithmetic that bounds are computed for, and the sizes of the case at hand.

    ``u`` is the sum of both unit roundoffs, ``eta`` what underflow may cost; ``dtype`` is the format that is
    judged. ``headroom`` is what takes numbers too large for that format beyond float64 as well: a power of two.
    ``largest`` is the format's largest number where it is far below that power of two: in a format of 16 bits.
    """

    dtype: np.dtype[Any]
    u: float
    eta: float
    sizes: Mapping[str, int] = field(compare=False)
    headroom: float
    largest: float = np.inf

    @classmethod
    def judging(cls, dtype: npt.DTypeLike, sizes: Mapping[str, int]) -> Arithmetic:
        """Bounds on the distance between our float64 value and any evaluation in ``dtype``."""
        return cls.of(dtype, sizes, REFERENCE_ROUNDOFF)

    @classmethod
    def alone(cls, dtype: npt.DTypeLike, sizes: Mapping[str, int]) -> Arithmetic:
        """Bounds on the distance between the exact value and any evaluation in ``dtype``.

        The value that the bounds are computed from is rounded itself; that is neglected, as a term of order u**2.
        What judges is `judging`, which neglects nothing.
        """
        return cls.of(dtype, sizes, 0.0)

    @classmethod
    def of(cls, dtype: npt.DTypeLike, sizes: Mapping[str, int], reference_roundoff: float) -> Arithmetic:
        """Bounds for a result in ``dtype`` against a reference with the unit roundoff given."""
        info = limits(np.dtype(dtype))
        u = (info.eps / 2 + reference_roundoff) / (1 - reference_roundoff)
        headroom = 2.0 ** (np.finfo(np.float64).maxexp - info.maxexp)
        largest = info.max if np.dtype(dtype).itemsize == 2 else np.inf
        return cls(np.dtype(dtype), u, 2 * info.tiny, sizes, headroom, largest)

    def share(self, magnitude: Array, factor: float | Array) -> Array:
        """A factor times a magnitude (whose array is used up); infinite where the judged format overflows."""
        if self.largest != np.inf:
            magnitude = np.where(magnitude > self.largest, np.inf, magnitude)
        if self.headroom != 1:
            magnitude *= self.headroom
        magnitude *= factor / self.headroom
        return magnitude

    def overflows(self, magnitude: Array) -> Array:
        """Tell where a partial sum of terms of this magnitude in all may be beyond the judged format."""
        return ~np.isfinite(self.share(np.array(magnitude), 1.0))

    def sums_exactly(self, magnitude: Array, *operands: Pair) -> bool:
        """Tell whether no sum of these numbers rounds, in any order: they are exact, multiples of 1/4, and small.

        Every partial sum is then a multiple of 1/4, and at most the sum of the magnitudes. A format of t bits holds
        all such numbers up to 2**t / 4. Numbers that are drawn to tie are among them: what sums of these tie with
        is told apart from what is merely close.
        """
        if any(e is not EXACT and e.any() for _, e in operands):
            return False
        largest = 0.5 / limits(self.dtype).eps  # 2**t is 2 / eps
        return bool(magnitude.max(initial=0.0) <= largest) and all(
            (4 * v == np.rint(4 * v)).all() for v, _ in operands
        )

    def rounded(self, v: Array, e: Array, ulps: float = 0.5) -> Pair:
        """The pair (v, e) after one rounding of at most ``ulps`` units in the last place."""
        rounding = self.share(abs(v) + e, 2 * ulps * self.u)
        rounding += self.eta
        return v, rounding + e


# --- the parts of a table of rules: a rule takes operands as pairs, and returns the pair of its result


def full_errors(v: Array, e: Array) -> Array:
    """The errors in the shape of the values."""
    return e if e.shape == v.shape else np.broadcast_to(e, v.shape)


def with_own_rounding(e: Array) -> Array:
    """An error with what its own arithmetic may have rounded off, for where it is subtracted or compared.

    Elsewhere every term is positive and the slack in `verify.evaluate.bounds.evaluate_with_bounds` covers that: some
    thousands of 2**-53.
    """
    return e * (1 + 2.0**-30)


def interval_ends(v: Array, e: Array) -> tuple[Array, Array]:
    """Numbers below and above all of an interval: v itself where the error is 0, also where it is less than an ulp."""
    inexact = e != 0
    low, high = (
        np.nextafter(v - with_own_rounding(e), -np.inf),
        np.nextafter(v + with_own_rounding(e), np.inf),
    )
    return np.where(inexact, low, v), np.where(inexact, high, v)
