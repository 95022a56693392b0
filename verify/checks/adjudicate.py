"""Tell a mistake from a rounding error, by making the same calls at a higher precision."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from verify.case.case import Call
from verify.case.layers.case import LayerCall
from verify.checks.examine import AnyTarget, function_to_examine, kind_of
from verify.checks.further_calls import FURTHER_CALLS
from verify.evaluate import balls
from verify.evaluate.array import Array
from verify.evaluate.budget import Budget
from verify.evaluate.formats import NARROW, limits
from verify.reference.judge import Judgement, small
from verify.reference.truth import Truth

UNSETTLED = "not settled at a higher precision, whose certified enclosure would take too long"
"""What a judgement notes where its verdict is by size for want of time."""


class _OutOfTime(Exception):
    """An enclosure is not narrow yet, and there is no time for a narrower one."""


def adjudicate(
    target: AnyTarget,
    spec: Any,
    call: Call | LayerCall,
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
    dtype = call.case.dtype

    def distances(arrays: list[Array], high_dtype: np.dtype[Any]) -> list[float]:
        exact = result.certified(high_dtype) if budget is None else result.narrow(high_dtype, budget)
        return [float(balls.ball_distance(exact, array).max(initial=0.0)) for array in arrays]

    try:
        shrunk = _shrinking(result, dtype, distances)
    except _OutOfTime:
        verdict = "imprecise" if small(judgement, dtype) else "wrong"
        return replace(judgement, verdict=verdict, note=UNSETTLED)
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
    target: AnyTarget, spec: Any, call: Call | LayerCall, judgement: Judgement, truth: Truth
) -> bool | None:
    """Tell if an error of a gradient, beside this truth, shrinks with the unit roundoff, as `adjudicate` describes.

    None where that cannot be told: the code cannot run at a higher precision, or the case is too large for a truth that
    is certified beyond float64.
    """
    if call.case.dtype == "float64" and not truth.within_reach_of_balls:
        return None
    result = _Result.of(target, spec, call, "gradient", judgement, truth)
    return _shrinking(result, call.case.dtype, result.distances)


def _shrinking(
    result: _Result, dtype: str, distances: Callable[[list[Array], np.dtype[Any]], list[float]]
) -> bool | None:
    """Tell if an error shrinks with the unit roundoff, as `adjudicate` describes; None where that cannot be told.

    ``distances`` of arrays from the exact one, narrowly enough for results in a dtype.
    """
    judgement, again = result.judgement, result.again
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
    """One array that a check judged: the calls that give it, the truth about it, and its place there."""

    target: AnyTarget
    calls: tuple[Any, ...]
    check: str
    judgement: Judgement
    truth: Truth
    place: int

    @classmethod
    def of(
        cls,
        target: AnyTarget,
        spec: Any,
        call: Call | LayerCall,
        check: str,
        judgement: Judgement,
        truth: Truth | None = None,
    ) -> _Result:
        calls = (call, FURTHER_CALLS[check](call)) if check in FURTHER_CALLS else (call,)
        kind = kind_of(call)
        place = kind.names_of(call, check).index(judgement.tensor)
        return cls(target, calls, check, judgement, truth or kind.truth_of(spec, calls[-1], check), place)

    def again(self, dtype: np.dtype[Any]) -> Array | None:
        """Compute it again; None where that fails, or gives another dtype or shape.

        Of a repeated call, the result that is farther off.
        """
        try:
            with np.errstate(all="ignore"):
                function, found = function_to_examine(self.target, self.check), list[Array]()
                for call in self.calls:
                    kind = kind_of(call)
                    found += kind.recomputed(self.target, function, call, self.check, self.place, dtype)
                if self.check != "repeat":
                    found = found[-1:]
                index, expected = self.judgement.index, self.judgement.expected
                array = found[int(np.argmax([abs(float(a[index]) - expected) for a in found]))]  # NaN too
        except Exception:  # whatever it raises, it cannot run like this
            return None
        shape = self.truth.pairs[self.place][0].shape
        return array if array.dtype == dtype and array.shape == shape else None

    def certified(self, dtype: np.dtype[Any], **told: Any) -> Any:
        """Return certified balls of it: see `balls.evaluate_certified`, which is told how narrow."""
        truth = self.truth
        made = balls.evaluate_certified(truth.program, truth.inputs, truth.sizes, dtype, **told)
        return truth.chosen(made)[self.place]

    def narrow(self, dtype: np.dtype[Any], budget: Budget) -> Any:
        """Return certified balls of it, narrow beside the error that was judged, within a budget."""
        room = float(np.finfo(dtype).eps) ** 0.5 * self.judgement.error

        def enough(ball: Any) -> bool:
            return not room >= 0 or bool(1024 * balls.ball_radius(ball).max(initial=0.0) <= room)

        seconds = balls.ball_evaluation_seconds(self.truth.sizes) if self.truth.sizes else 0.0
        if seconds > budget.left:
            raise _OutOfTime
        made = self.certified(
            dtype, enough=lambda made: enough(self.truth.chosen(made)[self.place]), budget=budget
        )
        if not enough(made):
            raise _OutOfTime
        return made

    def distances(self, arrays: list[Array], dtype: np.dtype[Any]) -> list[float]:
        """Return how far each array is at most from the exact one, narrowly enough for results in ``dtype``.

        By certified balls; by float64 and its bounds where these are out of reach. That is narrow enough to see an
        error of a float32 result shrink.
        """
        if self.truth.within_reach_of_balls:
            exact = self.certified(dtype)
            return [float(balls.ball_distance(exact, array).max(initial=0.0)) for array in arrays]
        value, bound = self.truth.by(self.truth.program, np.float64).pairs[self.place]
        return [float((abs(array - value) + bound).max(initial=0.0)) for array in arrays]
