"""An answer: one call of a gradient function, with what it returned and what it should have."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from verify.case.arrays import Arrays, WeightedArrays
from verify.case.case import Call
from verify.evaluate.bounds import Pair
from verify.reference.judge import Judgement, judge, small
from verify.reference.tensor import Tensor
from verify.reference.truth import Array, Gradient, GradientFunction, SpecLike, Truth
from verify.subject.call import Failed, as_gradient, call_function, widen_by_recovery
from verify.subject.target import Target


@dataclass(frozen=True, eq=False)
class Answer:
    """The answer of a target to one call.

    Parameters
    ----------
    target, spec
        The target under test, and what it is judged as the gradient of.
    function
        The gradient function that was called: of the target, or of a session of its own.
    call
        The arrays that it was called with.
    arrays
        These arrays, as the call left them.
    gradient
        The gradient that it returned.
    """

    target: Target
    spec: SpecLike
    function: GradientFunction
    call: Call
    arrays: Arrays | WeightedArrays
    gradient: Gradient

    @classmethod
    def of(cls, target: Target, spec: SpecLike, function: GradientFunction, call: Call) -> Answer:
        """Make the call; raise Failed where it raises, or returns no gradient."""
        arrays = call.arrays()
        return cls(
            target, spec, function, call, arrays, as_gradient(call_function(function, arrays), arrays.params)
        )

    @property
    def dtype(self) -> str:
        """The dtype of the parameters."""
        return self.call.case.dtype

    @functools.cached_property
    def truth(self) -> Truth:
        """The reference's loss and gradient for this call."""
        return _truth(self.spec, self.call)

    @functools.cached_property
    def pairs(self) -> list[Pair]:
        """The gradient's (value, bound) pairs, with what recovering it from a step may have cost in the bounds."""
        return widen_by_recovery(self.truth, self.gradient)


@functools.lru_cache(maxsize=2)
def _truth(spec: SpecLike, call: Call) -> Truth:
    """The truth about a call; kept, since the next answer is often to the same call."""
    return Truth.of(spec, call.inputs(), call.case.dtype)


def require_within_bounds(
    check: str,
    pairs: Sequence[Pair],
    tensors: Sequence[Array],
    dtype: str,
    names: Sequence[Tensor] | None = None,
    detail: str = "",
    reference: Truth | None = None,
) -> Judgement:
    """Judge results; raise Failed, with the verdict that the numbers allow, where one is outside its bound.

    An error under sqrt(u) of its tensor's scale is called imprecise until `verify.checks.adjudicate` knows better.
    """
    judgement = judge(list(pairs), list(tensors), dtype, reference, names)
    if judgement.verdict == "wrong":
        raise Failed(check, "imprecise" if small(judgement, dtype) else "wrong", detail, judgement)
    return judgement


def share_memory(a: Array, b: Array) -> bool:
    """Tell if two arrays have an element in common."""
    return np.may_share_memory(a, b) and np.shares_memory(a, b)
