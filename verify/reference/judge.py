"""Compare a gradient with the truth: the verdict of one comparison.

There is no tolerance here: `verify.evaluate.bounds` says how far a result may lie from the reference, entry by
entry, and a result lies within that, or it does not.
"""

from __future__ import annotations

import functools
import itertools
import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from verify.evaluate import bounds
from verify.evaluate.array import Array
from verify.evaluate.formats import limits, widened
from verify.reference.tensors import LOSS, Tensor, tensor_names

VERDICTS = ("verified", "inconclusive", "imprecise", "wrong", "crashed")
"""From best to worst; see `Judgement`."""


class JudgedEntries(NamedTuple):
    """Every entry of a comparison, tensor after tensor in one vector each.

    ``names`` and ``shapes`` are those of the tensors; ``got``, ``expected`` and ``bound`` their entries, and
    ``ratios`` the errors in units of the bounds, 0 where a bound is infinite.
    """

    names: Sequence[Tensor]
    shapes: Sequence[tuple[int, ...]]
    got: Array
    expected: Array
    bound: Array
    ratios: Array


@dataclass(frozen=True)
class BandedJudgement:
    """The place of an answer in its band under random rounding: see `verify.checks.random_rounding`.

    Attributes
    ----------
    verdict
        ``within``: every entry within its band. ``in doubt``: within it where choices in doubt may fall on either
        side. ``beyond``: outside. ``rounding``: outside, but the error shrinks at a higher precision.
    tensor, index, sigmas
        Where the error is largest in units of its band, and its error in units of sigma.
    quantile
        How many sigma a band reaches.
    widths
        For each tensor, its widest band, in units of its largest entry.
    """

    verdict: str
    tensor: Tensor
    index: tuple[int, ...]
    sigmas: float
    quantile: float
    widths: tuple[float, ...]


@dataclass(frozen=True)
class Judgement:
    """The judgement of a gradient: the result of a comparison with the reference.

    Attributes
    ----------
    verdict
        ``verified``: every entry within its bound. ``inconclusive``: within, but some entry is off by more than
        sqrt(u) of its tensor, as its bound allows. ``imprecise``: outside, and the error shrinks with the unit
        roundoff. ``wrong``: outside, and it does not. ``crashed``: no result to compare.
    tensor, index
        Where the error is largest in units of its bound, and (when outside) in the tensor nearest the output,
        since what is wrong there is wrong first.
    error, bound, ratio
        Its error, its bound, and the error in units of the bound.
    got, expected
        The entry, and the reference's value of it.
    right_to
        For each tensor, the precision to which it was shown right: how far its entries lie at most from the exact
        gradient, in units of its largest entry.
    scale
        The largest entry of the tensor, in the reference.
    allows
        For each tensor, its largest bound, in units of its largest entry.
    banded
        What random rounding says of it; None where it was not asked.
    entries
        All entries, for pictures; None where they were not kept.
    note
        What could not be settled, and why; usually nothing.
    choice
        The choice of a derivative at ties that was made; empty where it is JAX's.
    left
        What was left undone, and why; usually nothing.
    """

    verdict: str
    tensor: Tensor
    index: tuple[int, ...]
    error: float
    bound: float
    got: float
    expected: float
    ratio: float
    right_to: tuple[float, ...] = ()
    scale: float = math.nan
    entries: JudgedEntries | None = field(default=None, repr=False, compare=False)
    allows: tuple[float, ...] = ()
    banded: BandedJudgement | None = None
    note: str = ""
    choice: str = ""
    left: str = ""


class _Exact(Protocol):
    """A reference that knows of the exact gradient: `verify.reference.truth.Truth`, and that of any layer."""

    @property
    def own(self) -> list[Array]:
        """Return how far each tensor of the reference may lie from the exact one."""

    def certified(self, tensors: list[Array], enough: float, least_scale: float) -> list[float]:
        """Return how far each of some tensors lies at most from the exact one, in units of the exact one's
        largest entry.
        """


def judge(
    truth: list[bounds.Pair],
    tensors: list[Array],
    dtype: npt.DTypeLike,
    reference: _Exact | None = None,
    names: Sequence[Tensor] | None = None,
) -> Judgement:
    """Compare results with (value, bound) pairs; the verdict is verified, inconclusive or wrong.

    Telling wrong from imprecise needs more calls of the judged function: `verify.checks.adjudicate`.

    Parameters
    ----------
    truth
        (value, bound) pairs.
    tensors
        The results, of the shapes of the values.
    dtype
        The dtype of the results.
    reference
        Knows how far the values themselves lie from the exact ones. Not given: only the bounds hold that too.
    names
        Their names. Not given: those of a network's gradient, after the loss where the number of tensors is odd.
    """
    if names is None:
        names = (LOSS,)[: len(tensors) % 2] + tensor_names(len(tensors) // 2)
    ends = [0, *itertools.accumulate(value.size for value, _ in truth)]
    # All entries in one array: each operation of NumPy takes as long for one of these tensors as for all of them.
    value, bound = (_joined(parts) for parts in zip(*truth, strict=True))
    found = _joined(tensors)
    if found.dtype.itemsize == 2:
        found = widened(found)
    error = _distance(found, value)
    scores = judged_ratios(error, bound)
    worst = _largest_of_each(scores, ends)
    outside = [i for i, ratio in enumerate(worst) if not ratio <= 1]
    right_to: tuple[float, ...] = ()
    allows: tuple[float, ...] = ()
    if outside:
        verdict, i = "wrong", min(outside, key=lambda i: _from_output(names[i]))
    else:
        own = bound if reference is None else _joined(reference.own)
        farthest, magnitudes, widths = (
            _largest_of_each(entries, ends) for entries in (error + own, abs(value), bound)
        )
        vague, right_to, allows = _shown(tensors, dtype, farthest, magnitudes, widths, reference)
        verdict, i = "inconclusive" if vague else "verified", worst.index(max(worst))
    index = np.unravel_index(int(np.argmax(scores[ends[i] : ends[i + 1]])), tensors[i].shape)
    got, expected, allowed = (float(part[index]) for part in (tensors[i], *truth[i]))
    entries = JudgedEntries(names, [tensor.shape for tensor in tensors], found, value, bound, scores)
    return Judgement(
        verdict,
        names[i],
        tuple(map(int, index)),
        abs(got - expected),
        allowed,
        got,
        expected,
        worst[i],
        right_to,
        float(abs(truth[i][0]).max(initial=0.0)),
        entries,
        allows,
    )


def _shown(
    tensors: list[Array],
    dtype: npt.DTypeLike,
    farthest: list[float],
    magnitudes: list[float],
    widths: list[float],
    reference: _Exact | None,
) -> tuple[bool, tuple[float, ...], tuple[float, ...]]:
    """Tell whether results within their bounds show nothing; to what precision each tensor was shown right;
    what is allowed.

    ``farthest``: how far each may lie from the exact one, as far as the reference knows; ``magnitudes`` and
    ``widths``: the largest value and the largest bound of each. Where the first is too far, the certified balls are
    the truth.
    """
    share, least_scale = roots(np.dtype(dtype))
    scales = [max(magnitude, least_scale) for magnitude in magnitudes]
    shown = [far / scale if np.isfinite(far) else np.inf for far, scale in zip(farthest, scales, strict=True)]
    allows = [width / scale for width, scale in zip(widths, scales, strict=True)]
    vague = [
        not precision <= share and not allowed <= share
        for precision, allowed in zip(shown, allows, strict=True)
    ]
    if any(vague) and reference is not None:
        unsure = [not own.max(initial=0.0) <= share * s for own, s in zip(reference.own, scales, strict=True)]
        if any(map(operator.and_, vague, unsure)):
            certain = reference.certified(tensors, share, least_scale)
            shown = [c if v and u else s for c, s, v, u in zip(certain, shown, vague, unsure, strict=True)]
            vague = [v and not precision <= share for v, precision in zip(vague, shown, strict=True)]
    return any(vague), tuple(shown), tuple(allows)


def _largest_of_each(entries: Array, ends: Sequence[int]) -> list[float]:
    """Return the largest entry of each tensor, of entries that are not negative; 0 where a tensor has none."""
    if all(map(operator.lt, ends, ends[1:])):  # each has some: all of them in one operation of NumPy
        largest: list[float] = np.maximum.reduceat(entries, ends[:-1]).tolist()
        return largest
    return [float(entries[start:end].max(initial=0.0)) for start, end in itertools.pairwise(ends)]


def _joined(tensors: Sequence[Array]) -> Array:
    return np.concatenate([tensor.ravel() for tensor in tensors])


def judged_ratios(error: Array, bound: Array) -> Array:
    """Errors in units of their bounds; infinite for NaN; 0 where the bound is infinite."""
    with np.errstate(all="ignore"):  # a quotient rounds to at most 1 where error <= bound, and else to more
        score = np.where(error == 0, 0.0, error / bound)
    return np.where(np.isfinite(bound), np.where(np.isnan(score), np.inf, score), 0.0)


def _distance(a: Array, b: Array) -> Array:
    with np.errstate(all="ignore"):
        return np.asarray(abs(a - b))


def _from_output(tensor: Tensor) -> tuple[int, bool]:
    """A sort key: the last layer first, of each layer its weight before its bias."""
    return -tensor.layer, tensor.kind == "bias"


def vacuous(value: Array, bound: Array, dtype: npt.DTypeLike) -> bool:
    """Tell whether a bound is too wide to show anything: somewhere it exceeds sqrt(u) of the tensor's largest entry.

    A tensor of zeros has no scale of its own; a bound below sqrt(eta), whose square underflows, still speaks.
    """
    share, least_scale = roots(np.dtype(dtype))
    scale = max(float(abs(value).max(initial=0.0)), least_scale)
    return not bool(bound.max(initial=0.0) <= share * scale)


@functools.cache
def roots(dtype: np.dtype[Any]) -> tuple[float, float]:
    """sqrt(u) and sqrt(eta) of a format."""
    return math.sqrt(limits(dtype).eps / 2), math.sqrt(limits(dtype).tiny)


def small(judgement: Judgement, dtype: npt.DTypeLike) -> bool:
    """Tell if an error outside its bound is under sqrt(u) of its tensor's scale: a hint of mere imprecision."""
    return bool(judgement.error <= roots(np.dtype(dtype))[0] * judgement.scale)
