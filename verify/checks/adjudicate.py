"""Tell a mistake from a rounding error, by calling the same code at a higher precision."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from mlp_ref.params import Layer
from verify.case.recipe import Case
from verify.evaluate import balls
from verify.reference.derivative import traced
from verify.reference.judge import Judgement, small
from verify.reference.truth import Array, GradientFunction, SpecLike, Truth, flat, tensor_names


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
