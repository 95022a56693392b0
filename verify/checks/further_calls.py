"""The questions that need another call: repeated, with other values, in another order, with part of the batch.

Each is one more call of the same function; the answer is right if it is within its bound, as the first is. What the
two answers have in common tells more: a stale cache, an accumulation, memory that both share.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from verify.case.case import Call
from verify.checks.questions import require_within_bounds, share_memory
from verify.evaluate.array import Array
from verify.evaluate.bounds import Pair
from verify.evaluate.formats import limits, widened
from verify.reference.judge import judge
from verify.reference.spec import Spec
from verify.reference.tensors import Tensor, tensor_names
from verify.reference.truth import tensors_of
from verify.subject.call import AnsweredCall, Failed

FURTHER_CALLS: dict[str, Callable[[Call], Call]] = {
    "repeat": lambda call: call,
    "second_call": lambda call: Call(replace(call.case, seed=call.case.seed + 1)),
    "batch_order": lambda call: Call(call.case, reverse=True),
    "split_batch": lambda call: Call(call.case, rows=(call.case.batch + 1) // 2),
}
"""For each check, the call that is made after the first."""


def require_further_call(check: str, first: AnsweredCall) -> None:
    """Make the further call of a check, and judge its answer.

    Parameters
    ----------
    check
        A name from ``FURTHER_CALLS``.
    first
        The answer to the first call.
    """
    call = FURTHER_CALLS[check](first.call)
    kept = [tensor.copy() for tensor in tensors_of(first.gradient)]
    second = AnsweredCall.of(first.target, first.spec, first.function, call)
    same = call == first.call or (call.reverse and isinstance(first.spec, Spec))
    if same:  # the numbers are those of the first call; a user's own loss may depend on the order of the rows
        second.__dict__["truth"] = first.truth
    # Not bit by bit: a library may sum in another order when the same numbers lie elsewhere in memory.
    pairs, tensors = second.pairs, tensors_of(second.gradient)
    if judge(pairs, tensors, second.dtype).verdict == "wrong":
        require_within_bounds(
            check,
            pairs,
            tensors,
            second.dtype,
            detail=second_from_first(kept, tensors, pairs, second.dtype, same),
        )
    for name, before, now in zip(tensor_names(len(kept) // 2), kept, tensors_of(first.gradient), strict=True):
        if before.tobytes() != now.tobytes():
            raise Failed(check, "wrong", f"a second call overwrote the first call's gradient of the {name}")
    _require_apart(first, second)


def second_from_first(
    first: list[Array],
    second: list[Array],
    pairs: list[Pair],
    dtype: str,
    same: bool,
    names: Sequence[Tensor] | None = None,
) -> str:
    """Say how a wrong second answer comes from the first, where it does; empty where it does not.

    ``pairs`` are the (value, bound) pairs of the second answer; ``same`` says that its call was that of the first.
    """
    if not any(tensor.any() for tensor in first):  # zeros may be right for both
        return ""
    if not same and all(np.array_equal(a, b) for a, b in zip(second, first, strict=True)):
        return "it answers a second call, with other values, as it answered the first: a stale cache"
    # The first plus its own truth: within the bound, and two roundings of the sum.
    sums = [np.asarray(tensor, dtype=np.float64) for tensor in second]
    u = limits(dtype).eps
    around = [(value, bound + u * abs(total)) for (value, bound), total in zip(pairs, sums, strict=True)]
    added = [total - widened(before) for total, before in zip(sums, first, strict=True)]
    if judge(around, added, dtype, names=names).verdict != "verified":
        return ""
    which = "the second answer" if same else "the second call's answer"
    return f"it accumulates: {which} is the sum of both"


def _require_apart(first: AnsweredCall, second: AnsweredCall) -> None:
    tensors = zip(
        tensor_names(len(first.gradient)),
        tensors_of(first.gradient),
        tensors_of(second.gradient),
        strict=True,
    )
    for name, before, now in tensors:
        if share_memory(before, now):
            raise Failed(
                "aliasing", "wrong", f"two calls return the same memory as the gradient of the {name}"
            )
