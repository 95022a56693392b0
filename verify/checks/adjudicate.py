"""Tell a mistake from a rounding error, by making the same calls at a higher precision."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from verify.case.case import Call
from verify.checks.examine import function_to_examine
from verify.checks.further_calls import FURTHER_CALLS
from verify.evaluate import balls, bounds
from verify.evaluate.array import Array
from verify.evaluate.budget import Budget
from verify.evaluate.formats import NARROW, limits
from verify.evaluate.program import Program
from verify.reference.derivative import traced_derivative
from verify.reference.judge import Judgement, small
from verify.reference.outputs import traced_outputs
from verify.reference.spec import Spec
from verify.reference.tensors import tensor_names
from verify.reference.truth import SpecLike, tensors_of, within_reach_of_balls
from verify.subject.target import Target

UNSETTLED = "not settled at a higher precision, whose certified enclosure would take too long"
"""What a judgement notes where its verdict is by size for want of time."""


class _OutOfTime(Exception):
    """An enclosure is not narrow yet, and there is no time for a narrower one."""


def adjudicate(
    target: Target,
    spec: SpecLike,
    call: Call,
    check: str,
    judgement: Judgement,
    budget: Budget | None = None,
) -> Judgement:
    """Return a judgement of "wrong", or "imprecise" where the error shrinks with the unit roundoff.

    The same calls are made at the next higher precision with the same numbers; the truth is the certified one.
    A mistake stays as it is; a rounding error shrinks by the ratio of the unit roundoffs, and anything better
    than the square root of that ratio counts. Where the code cannot run at the higher precision, an error
    under sqrt(u) of the tensor's scale is called imprecise.

    Code that errs on some calls only must not pass for imprecise: an error that a second call at the same
    precision does not repeat is no rounding error, and the worse of two calls at the higher one counts.

    An enclosure that would take longer than ``budget`` (thousands of digits) is not made: the size of the error
    decides then too, and the judgement's note says so.
    """
    result = _Result.of(target, spec, call, check, judgement)
    if budget is not None:
        try:
            return adjudicate_calls(
                judgement,
                call.case.dtype,
                result.again,
                lambda dtype: result.narrow(dtype, judgement, budget),
            )
        except _OutOfTime:
            verdict = "imprecise" if small(judgement, np.dtype(call.case.dtype)) else "wrong"
            return replace(judgement, verdict=verdict, note=UNSETTLED)
    return adjudicate_calls(judgement, call.case.dtype, result.again, result.certified)


def adjudicate_calls(
    judgement: Judgement,
    dtype: str,
    again: Callable[[np.dtype[Any]], Array | None],
    certified: Callable[[np.dtype[Any]], Any],
) -> Judgement:
    """Return a judgement of "wrong", or "imprecise" where the error shrinks with the unit roundoff: see `adjudicate`.

    Parameters
    ----------
    judgement, dtype
        A judgement of results in this dtype.
    again
        Computes the judged array again, from the same numbers in another dtype; None where that fails.
    certified
        Certified balls of it, narrow enough for results in a dtype.
    """

    def distances(arrays: list[Array], high_dtype: np.dtype[Any]) -> list[float]:
        truth = certified(high_dtype)
        return [float(balls.distance(truth, array).max(initial=0.0)) for array in arrays]

    shrunk = shrinking(judgement, dtype, again, distances)
    if shrunk and not small(judgement, dtype):
        return replace(judgement, verdict="imprecise", note=_large(judgement, dtype))
    if shrunk is None:
        shrunk = small(judgement, dtype)
    return replace(judgement, verdict="imprecise" if shrunk else "wrong")


def _large(judgement: Judgement, dtype: str) -> str:
    """Return what is said of an error that shrinks at a higher precision, and is too large for mere rounding."""
    if not (np.isfinite(judgement.error) and judgement.scale > 0):
        return ""
    error, bound = (f"{number / judgement.scale:.2g}" for number in (judgement.error, judgement.bound))
    higher = _next_higher(np.dtype(dtype))
    return (
        f"large for rounding: {error} of the tensor's largest entry, where the reference's formula loses {bound} in "
        f"{dtype} at most; in {higher} the error shrinks, so look for what {dtype} alone does: a cast, a limit, an "
        "overflow, digits that cancel"
    )


def error_shrinks(
    target: Target, spec: SpecLike, call: Call, check: str, judgement: Judgement
) -> bool | None:
    """Tell if an error shrinks with the unit roundoff, as `adjudicate` describes.

    None where that cannot be told: the code cannot run at a higher precision, or the network is too large for a truth
    that is certified beyond float64.
    """
    result = _Result.of(target, spec, call, check, judgement)
    if call.case.dtype == "float64" and not within_reach_of_balls(result.sizes):
        return None
    return shrinking(judgement, call.case.dtype, result.again, result.distances)


def shrinking(
    judgement: Judgement,
    dtype: str,
    again: Callable[[np.dtype[Any]], Array | None],
    distances: Callable[[list[Array], np.dtype[Any]], list[float]],
) -> bool | None:
    """Tell if an error shrinks with the unit roundoff, as `adjudicate` describes; None where that cannot be told.

    ``distances`` of arrays from the exact one, narrowly enough for results in a dtype; the others as for `decided`.
    """
    low_dtype = np.dtype(dtype)
    high_dtype = _next_higher(low_dtype)
    enough = np.sqrt(limits(high_dtype).eps / limits(low_dtype).eps)
    finer = enough < 1  # a long double may be a double
    low = again(low_dtype)
    if low is None:
        return False
    repeated = abs(float(low[judgement.index]) - judgement.expected)
    if finer and not repeated >= enough * judgement.error:  # NaN is wrong too
        return False
    high = [array for array in (again(high_dtype), again(high_dtype)) if array is not None]
    if not finer or len(high) < 2:
        return None
    before, *after = distances([low, *high], high_dtype)
    return bool(
        np.isfinite(after).all() and np.max(after) <= enough * before
    )  # NaN and infinity do not shrink


def _next_higher(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the format in which the calls are made again."""
    if dtype.name in NARROW:
        return np.dtype(np.float32)
    return np.dtype(np.float64) if dtype == np.float32 else np.dtype(np.longdouble)


@dataclass(frozen=True)
class _Result:
    """One array that a check judged: how it is computed again, and where the truth about it is."""

    compute: Callable[[Any], Any]
    shape: tuple[int, ...]
    program: Program
    inputs: list[Array]
    sizes: dict[str, int]
    output: int

    @classmethod
    def of(cls, target: Target, spec: SpecLike, call: Call, check: str, judgement: Judgement) -> _Result:
        last = FURTHER_CALLS[check](call) if check in FURTHER_CALLS else call
        inputs, sizes = last.inputs(), {**call.case.sizes, "b": len(last.arrays().x)}
        if check == "forward":
            assert isinstance(spec, Spec)
            program = traced_outputs(spec, len(call.case.layer_sizes) - 1)
            shape: tuple[int, ...] = (sizes["b"], call.case.layer_sizes[-1])
            return cls(_forward(target, call), shape, program, inputs[: len(program.inputs)], sizes, 0)
        program = traced_derivative(spec, sizes)
        if check == "loss":
            return cls(_loss(target, call), (), program, inputs, sizes, 0)
        i = tensor_names(len(call.case.layer_sizes) - 1).index(judgement.tensor)
        shape = tensors_of(call.arrays().params)[i].shape
        return cls(_tensor(target, call, last, check, i), shape, program, inputs, sizes, i + 1)

    def again(self, dtype: np.dtype[Any]) -> Array | None:
        """Compute it again; None where that fails, or gives another dtype or shape."""
        try:
            with np.errstate(all="ignore"):
                array = np.array(self.compute(dtype))
        except Exception:  # whatever it raises, it cannot run like this
            return None
        return array if array.dtype == dtype and array.shape == self.shape else None

    def certified(self, dtype: np.dtype[Any]) -> Any:
        """Return certified balls of it, narrow enough for results in ``dtype``."""
        return balls.evaluate_certified(self.program, self.inputs, self.sizes, dtype)[self.output]

    def narrow(self, dtype: np.dtype[Any], judgement: Judgement, budget: Budget) -> Any:
        """Return certified balls of it, narrow beside the error that was judged, within a budget."""

        def enough(made: list[Any]) -> bool:
            room = float(np.finfo(dtype).eps) ** 0.5 * judgement.error
            return not room >= 0 or bool(1024 * balls.radius(made[self.output]).max(initial=0.0) <= room)

        if balls.ball_evaluation_seconds(self.sizes) > budget.left:
            raise _OutOfTime
        made = balls.evaluate_certified(
            self.program, self.inputs, self.sizes, dtype, enough=enough, budget=budget
        )
        if not enough(made):
            raise _OutOfTime
        return made[self.output]

    def distances(self, arrays: list[Array], dtype: np.dtype[Any]) -> list[float]:
        """Return how far each array is at most from the exact one, narrowly enough for results in ``dtype``.

        By certified balls; by float64 and its bounds where the network is too large for them. That is narrow enough to
        see an error of a float32 result shrink.
        """
        if within_reach_of_balls(self.sizes):
            truth = self.certified(dtype)
            return [float(balls.distance(truth, array).max(initial=0.0)) for array in arrays]
        at = bounds.Arithmetic.judging(np.float64, self.sizes)
        value, bound = bounds.evaluate_with_bounds(self.program, self.inputs, at)[self.output]
        return [float((abs(array - value) + bound).max(initial=0.0)) for array in arrays]


def _tensor(target: Target, call: Call, last: Call, check: str, i: int) -> Callable[[Any], Any]:
    def compute(dtype: Any) -> Any:
        function = function_to_examine(target, check)
        if last is not call or check in FURTHER_CALLS:
            function(*call.arrays(dtype))
        return tensors_of(function(*last.arrays(dtype)))[i]

    return compute


def _loss(target: Target, call: Call) -> Callable[[Any], Any]:
    def compute(dtype: Any) -> Any:
        assert target.loss is not None
        value = np.asarray(target.loss(*call.arrays(dtype)), dtype=dtype)  # a loss may be a Python float
        return value.reshape(()) if value.size == 1 else value

    return compute


def _forward(target: Target, call: Call) -> Callable[[Any], Any]:
    def compute(dtype: Any) -> Any:
        assert target.forward is not None
        arrays = call.arrays(dtype)
        return target.forward(arrays.params, arrays.x)

    return compute
