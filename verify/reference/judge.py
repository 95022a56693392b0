"""Compare a gradient with the truth: the verdict of one comparison.

There is no tolerance here: `verify.evaluate.bounds` says how far a result may lie from the reference, entry by
entry, and a result lies within that, or it does not.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from verify.evaluate import bounds
from verify.reference.truth import Array, Truth, tensor_names

VERDICTS = ("verified", "inconclusive", "imprecise", "wrong", "crashed")
"""From best to worst; see `Judgement`."""


@dataclass(frozen=True)
class Judgement:
    """What a comparison found.

    Attributes
    ----------
    verdict
        ``verified``: every entry within its bound. ``inconclusive``: within, but some bound says nothing.
        ``imprecise``: outside, and the error shrinks with the unit roundoff. ``wrong``: outside, and it does
        not. ``crashed``: no result to compare.
    tensor, index
        Where the error is largest in units of its bound, and (when outside) in the tensor nearest the output,
        since what is wrong there is wrong first.
    error, bound, ratio
        Its error, its bound, and the error in units of the bound.
    got, expected
        The entry, and the reference's value of it.
    """

    verdict: str
    tensor: str
    index: tuple[int, ...]
    error: float
    bound: float
    got: float
    expected: float
    ratio: float


def judge(truth: list[bounds.Pair], tensors: list[Array], dtype: npt.DTypeLike) -> Judgement:
    """Compare results with (value, bound) pairs; the verdict is verified, inconclusive or wrong.

    Whether wrong is only imprecise needs more calls of the judged function: `adjudicated`.
    """
    names = (["loss"] if len(tensors) % 2 else []) + tensor_names(len(tensors) // 2)
    ends = [0, *itertools.accumulate(value.size for value, _ in truth)]
    # All entries in one array: each operation of NumPy takes as long for one of these tensors as for all of them.
    value, bound = (_joined(parts) for parts in zip(*truth, strict=True))
    scores = ratios(_distance(_joined(tensors), value), bound)
    of_tensor = list(map(slice, ends, ends[1:]))
    worst = [float(scores[entries].max(initial=0.0)) for entries in of_tensor]
    outside = [i for i, ratio in enumerate(worst) if not ratio <= 1]
    if outside:
        verdict, i = "wrong", _nearest_output(outside)
    else:
        vague = any(vacuous(*pair, dtype) for pair in truth)
        verdict, i = "inconclusive" if vague else "verified", worst.index(max(worst))
    index = np.unravel_index(int(np.argmax(scores[of_tensor[i]])), tensors[i].shape)
    got, expected, allowed = (float(part[index]) for part in (tensors[i], *truth[i]))
    return Judgement(
        verdict, names[i], tuple(map(int, index)), abs(got - expected), allowed, got, expected, worst[i]
    )


def _joined(tensors: Sequence[Array]) -> Array:
    return np.concatenate([tensor.ravel() for tensor in tensors])


def ratios(error: Array, bound: Array) -> Array:
    """Errors in units of their bounds; infinite for NaN; 0 where the bound is infinite and says nothing."""
    with np.errstate(all="ignore"):  # a quotient rounds to at most 1 where error <= bound, and else to more
        score = np.where(error == 0, 0.0, error / bound)
    return np.where(np.isfinite(bound), np.where(np.isnan(score), np.inf, score), 0.0)


def _distance(a: Array, b: Array) -> Array:
    with np.errstate(all="ignore"):
        return np.asarray(abs(a - b))


def _nearest_output(outside: list[int]) -> int:
    """The tensor to report: in the last layer that is wrong, its weight if that is wrong."""
    return min(outside, key=lambda i: (-(i // 2), i % 2))


def vacuous(value: Array, bound: Array, dtype: npt.DTypeLike) -> bool:
    """Whether a bound says nothing: somewhere it exceeds sqrt(u) of the tensor's largest entry.

    A tensor of zeros has no scale of its own; a bound below sqrt(eta), whose square underflows, still speaks.
    """
    share, least_scale = _roots(np.dtype(dtype))
    scale = max(float(abs(value).max(initial=0.0)), least_scale)
    return not bool(bound.max(initial=0.0) <= share * scale)


@functools.cache
def _roots(dtype: np.dtype[Any]) -> tuple[float, float]:
    """sqrt(u) and sqrt(eta) of a format."""
    info = np.finfo(np.dtype(dtype).type)
    return float(np.sqrt(float(info.eps) / 2)), float(np.sqrt(info.tiny))


def small(judgement: Judgement, truth: Truth, dtype: npt.DTypeLike) -> bool:
    """Whether an error outside its bound is under sqrt(u) of its tensor's scale: a hint of mere imprecision."""
    names = ["loss", *tensor_names(len(truth.tensors) // 2)]
    value, _ = dict(zip(names, [truth.loss, *truth.tensors], strict=True))[judgement.tensor]
    scale = float(np.max(abs(value), initial=0.0))
    return bool(judgement.error <= np.sqrt(float(np.finfo(np.dtype(dtype).type).eps) / 2) * scale)
