"""From a gradient and its bounds to a verdict.

There is no tolerance here: `verify.evaluate.bounds` says how far a result may lie from the reference, entry by
entry, and a result lies within that, or it does not.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from mlp_ref.params import Layer
from verify.case import Case
from verify.evaluate import balls, bounds
from verify.evaluate.program import traced
from verify.spec import Spec

Array = npt.NDArray[Any]
Gradient = list[Layer]
GradientFunction = Callable[[list[Layer], Array, Array], Any]
SpecLike = Spec | Callable[..., Any]

VERDICTS = ("verified", "inconclusive", "imprecise", "wrong", "crashed")
"""From best to worst; see `Judgement`."""


def tensor_names(depth: int) -> list[str]:
    """``["weight of layer 1", "bias of layer 1", ...]``, in the order of the gradient's tensors."""
    return [f"{kind} of layer {i + 1}" for i in range(depth) for kind in ("weight", "bias")]


def sizes_of(inputs: list[Array]) -> dict[str, int]:
    """The batch ``b`` and the widths ``n0, n1, ...`` of weight, bias, ..., x, y."""
    *params, x, _ = inputs
    return {"b": len(x), "n0": x.shape[1], **{f"n{i + 1}": len(bias) for i, bias in enumerate(params[1::2])}}


@dataclass(frozen=True)
class Truth:
    """The reference's loss and gradient for one case, as (value, bound) pairs."""

    loss: bounds.Pair
    tensors: list[bounds.Pair]

    @classmethod
    def of(cls, spec: SpecLike, inputs: list[Array], dtype: npt.DTypeLike) -> Truth:
        """JAX's derivative evaluated in NumPy, with bounds for results in ``dtype``.

        ``inputs`` are weight, bias, weight, bias, ..., x, y, in float64: `Case.inputs`.
        """
        sizes = sizes_of(inputs)
        at = bounds.Arithmetic.judging(dtype, sizes)
        loss, *tensors = bounds.evaluate(traced(spec, sizes), inputs, at)
        return cls(loss, tensors)

    @property
    def gradient(self) -> Gradient:
        """The reference's values, float64, as layers."""
        values = [value for value, _ in self.tensors]
        return [Layer(*pair) for pair in zip(values[::2], values[1::2], strict=True)]


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


def flat(gradient: Gradient) -> list[Array]:
    """The gradient's tensors: weight, bias, weight, bias, ..."""
    return [tensor for layer in gradient for tensor in layer]


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


def adjudicated(gradient: GradientFunction, spec: SpecLike, case: Case, judgement: Judgement) -> Judgement:
    """A judgement of "wrong", turned into "imprecise" where the error shrinks with the unit roundoff.

    The same code is called at the next higher precision with the same numbers; the truth is the certified one.
    A mistake stays as it is; a rounding error shrinks by the ratio of the unit roundoffs, and anything better
    than the square root of that ratio counts. Where the code cannot run at the higher precision, an error
    under sqrt(u) of the tensor's scale is called imprecise.

    Code that errs on some calls only must not pass for imprecise: an error that a second call at the same
    precision does not repeat is no rounding error, and the worse of two calls at the higher one counts.
    """
    params, x, y = case.arrays()
    i = tensor_names(len(params)).index(judgement.tensor)
    low_dtype = np.dtype(case.dtype)
    high_dtype = np.dtype(np.float64) if case.dtype == "float32" else np.dtype(np.longdouble)
    shrinks = np.sqrt(float(np.finfo(high_dtype.type).eps / np.finfo(low_dtype.type).eps))
    finer = shrinks < 1  # a long double may be a double
    wrong, imprecise = replace(judgement, verdict="wrong"), replace(judgement, verdict="imprecise")

    def called_in(dtype: np.dtype[Any]) -> Array | None:
        """The tensor in question, of another call; None where that fails, or gives another dtype or shape."""
        layers = [Layer(weight.astype(dtype), bias.astype(dtype)) for weight, bias in params]
        labels = y.copy() if y.dtype.kind in "iu" else y.astype(dtype)
        try:
            with np.errstate(all="ignore"):
                tensor = np.array(flat(gradient(layers, x.astype(dtype), labels))[i])
        except Exception:  # whatever it raises, it cannot run like this
            return None
        return tensor if tensor.dtype == dtype and tensor.shape == flat(params)[i].shape else None

    low = called_in(low_dtype)
    if low is None:
        return wrong
    repeated = abs(float(low[judgement.index]) - judgement.expected)
    if finer and not repeated >= shrinks * judgement.error:  # NaN is wrong too
        return wrong
    high = [tensor for tensor in (called_in(high_dtype), called_in(high_dtype)) if tensor is not None]
    if not finer or len(high) < 2:
        return imprecise if small(judgement, Truth.of(spec, case.inputs(), case.dtype), case.dtype) else wrong
    truth = balls.certified(traced(spec, case.sizes), case.inputs(), case.sizes, high_dtype)[i + 1]
    left = np.max([balls.distance(truth, tensor) for tensor in high])
    return imprecise if left <= shrinks * balls.distance(truth, low).max() else wrong
