"""The questions that need another call: repeated, with other values, in another order, with part of the batch.

Each is one more call of the same function; the answer is right if it is within its bound, as the first is. What the
two answers have in common tells more: a stale cache, an accumulation, memory that both share.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from verify.case.arrays import arrays_share_memory
from verify.case.case import Call
from verify.checks.questions import ask_inputs, beside_truth
from verify.evaluate.array import Array
from verify.evaluate.formats import limits, widened
from verify.reference.judge import judge
from verify.reference.spec import Spec
from verify.subject.failed import Failed
from verify.subject.layers.answer import Answer

FURTHER_CALLS: dict[str, Callable[[Any], Any]] = {
    "repeat": lambda call: call,
    "second_call": lambda call: replace(call, case=replace(call.case, seed=call.case.seed + 1)),
    "batch_order": lambda call: Call(call.case, reverse=True),
    "split_batch": lambda call: Call(call.case, rows=(call.case.batch + 1) // 2),
}
"""For each check, the call that is made after the first."""


def require_further_call(check: str, first: Answer) -> None:
    """Make the further call of a check, and judge its answer.

    Parameters
    ----------
    check
        A name from ``FURTHER_CALLS``.
    first
        The answer to the first call.
    """
    call = FURTHER_CALLS[check](first.call)
    kept = [tensor.copy() for tensor in first.tensors]
    passed = first.second_pass() if check == "repeat" else None
    if passed is not None:
        said = "a second backward pass on the same cache gives another gradient"
        beside_truth(check, passed, lambda: second_from_first(kept, passed, same=True) or said)
    kind: Any = type(first)
    second: Answer = kind.of(first.target, first.spec, first.function, call)
    same = call == first.call or (check == "batch_order" and isinstance(first.spec, Spec))
    if same:  # the numbers are those of the first call; a user's own loss may depend on the order of the rows
        second.__dict__["truth"] = first.truth
    ask_inputs(second)
    # Not bit by bit: a library may sum in another order when the same numbers lie elsewhere in memory.
    beside_truth(check, second, lambda: second_from_first(kept, second, same))
    for subject, before, now in zip(first.subjects, kept, first.tensors, strict=True):
        if before.tobytes() != now.tobytes():
            raise Failed(check, "wrong", f"a second call overwrote the first call's gradient of {subject}")
    for subject, before, now in zip(first.subjects, first.tensors, second.tensors, strict=True):
        if arrays_share_memory(before, now):
            said = f"two calls return the same memory as the gradient of {subject}"
            raise Failed("aliasing", "wrong", said)


def second_from_first(kept: list[Array], answer: Answer, same: bool) -> str:
    """Say how a wrong second answer comes from the first, whose tensors were kept; empty where it does not.

    ``same`` says that its call was that of the first.
    """
    second, dtype = answer.tensors, answer.dtype
    if not any(tensor.any() for tensor in kept):  # zeros may be right for both
        return ""
    if not same and all(np.array_equal(a, b) for a, b in zip(second, kept, strict=True)):
        return "it answers a second call, with other values, as it answered the first: a stale cache"
    # The first plus its own truth: within the bound, and two roundings of the sum.
    sums = [np.asarray(tensor, dtype=np.float64) for tensor in second]
    u = limits(dtype).eps
    around = [(value, bound + u * abs(t)) for (value, bound), t in zip(answer.pairs, sums, strict=True)]
    added = [total - widened(before) for total, before in zip(sums, kept, strict=True)]
    if judge(around, added, dtype, names=answer.names).verdict != "verified":
        return ""
    which = "the second answer" if same else "the second call's answer"
    return f"it accumulates: {which} is the sum of both"
