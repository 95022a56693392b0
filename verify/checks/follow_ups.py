"""The checks that need a call of their own: each case is given one of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from mlp_ref.params import Layer
from verify.case.recipe import Case
from verify.checks.requirements import CHECKS, require_apart, require_right, require_unchanged
from verify.reference.judge import judge
from verify.reference.outputs import outputs
from verify.reference.spec import Spec
from verify.reference.truth import Gradient, GradientFunction, SpecLike, Truth, flat, tensor_names
from verify.subject.call import Failed, as_gradient, called, widened

Array = npt.NDArray[Any]

FollowUp = Callable[[GradientFunction, SpecLike, Case, Gradient, Truth], None]
"""``follow_up(call, spec, case, first, truth)``: further calls, after ``first``, whose truth is ``truth``."""


def _answer(call: GradientFunction, params: Sequence[Layer], x: Array, y: Array) -> Gradient:
    return as_gradient(called(call, (params, x, y)), params)


def _repeat(call: GradientFunction, _: SpecLike, case: Case, first: Gradient, truth: Truth) -> None:
    kept = [tensor.copy() for tensor in flat(first)]
    second = _answer(call, *case.arrays())

    def detail() -> str:
        accumulates = _adds_up(second, kept, truth, case.dtype)
        return "it accumulates: the second answer is the sum of both" if accumulates else CHECKS["repeat"]

    # Not bit by bit: a library may sum in another order when the same numbers lie elsewhere in memory.
    require_right(second, truth, case.dtype, "repeat", detail)
    require_apart(first, second)


def _second_call(call: GradientFunction, spec: SpecLike, case: Case, first: Gradient, _: Truth) -> None:
    other = replace(case, seed=case.seed + 1)
    kept = [tensor.copy() for tensor in flat(first)]
    second = _answer(call, *other.arrays())
    truth = Truth.of(spec, other.inputs(), case.dtype)

    def detail() -> str:
        if all(np.array_equal(now, before) for now, before in zip(flat(second), kept, strict=True)):
            return "it answers a second call, with other values, as it answered the first: a stale cache"
        if _adds_up(second, kept, truth, case.dtype):
            return "it accumulates: the second call's answer is the sum of both"
        return CHECKS["second_call"]

    require_right(second, truth, case.dtype, "second_call", detail)
    for name, before, now in zip(tensor_names(len(first)), kept, flat(first), strict=True):
        if before.tobytes() != now.tobytes():
            raise Failed(
                "second_call", "wrong", f"a second call overwrote the first call's gradient of the {name}"
            )
    require_apart(first, second)


def _adds_up(second: Gradient, first: list[Array], truth: Truth, dtype: str) -> bool:
    """Whether a second answer is the first plus its own truth: within the bound, and two roundings of the sum."""
    if not any(tensor.any() for tensor in first):
        return False
    sums = [np.asarray(tensor, dtype=np.float64) for tensor in flat(second)]
    u = float(np.finfo(np.dtype(dtype).type).eps)
    pairs = [
        (value, bound + u * abs(total))
        for (value, bound), total in zip(widened(truth, second), sums, strict=True)
    ]
    added = [total - before for total, before in zip(sums, first, strict=True)]
    return judge(pairs, added, dtype).verdict == "verified"


def _batch_order(call: GradientFunction, spec: SpecLike, case: Case, _: Gradient, truth: Truth) -> None:
    params, x, y = case.arrays()
    gradient = _answer(call, params, x[::-1], y[::-1])
    if not isinstance(spec, Spec):  # a user's own loss may well depend on the order
        *weights, x64, y64 = case.inputs()
        truth = Truth.of(spec, [*weights, x64[::-1], y64[::-1]], case.dtype)
    require_right(gradient, truth, case.dtype, "batch_order")


def _split_batch(call: GradientFunction, spec: SpecLike, case: Case, _: Gradient, __: Truth) -> None:
    """The loss of every batch is that of its parts together, so parts and whole that are right add up."""
    part = (case.batch + 1) // 2
    params, x, y = case.arrays()
    gradient = _answer(call, params, x[:part], y[:part])
    *weights, x64, y64 = case.inputs()
    truth = Truth.of(spec, [*weights, x64[:part], y64[:part]], case.dtype)
    require_right(gradient, truth, case.dtype, "split_batch")


FURTHER_CALLS: dict[str, FollowUp] = {
    "repeat": _repeat,
    "second_call": _second_call,
    "batch_order": _batch_order,
    "split_batch": _split_batch,
}


def require_right_loss(loss: Callable[..., Any], truth: Truth, case: Case) -> None:
    """The user's own loss gives JAX's value, and leaves its inputs as they were."""
    arrays, untouched = case.arrays(), case.arrays()
    value = called(loss, arrays, "loss")
    require_unchanged(arrays, untouched, "loss")
    number = np.asarray(value)
    if number.dtype.kind not in "fiub":
        raise Failed("loss", "crashed", f"the loss returned {type(value).__name__}, not a number")
    if number.size != 1:
        raise Failed("loss", "wrong", f"the loss has shape {number.shape}; it must be one number")
    judgement = judge([truth.loss], [number.reshape(())], case.dtype)
    if judgement.verdict == "wrong":
        raise Failed("loss", "wrong", CHECKS["loss"], judgement)


def require_right_outputs(forward: Callable[..., Any], spec: SpecLike, case: Case) -> None:
    """The user's own forward pass gives the outputs of JAX's, and leaves its inputs as they were."""
    if not isinstance(spec, Spec):
        raise TypeError(
            "forward= can be judged only where spec is a Spec: a JAX loss does not say its outputs"
        )
    arrays, untouched = case.arrays(), case.arrays()
    result = called(forward, (arrays.params, arrays.x), "forward pass")
    require_unchanged(arrays, untouched, "forward pass")
    found = np.asarray(result)
    expected = (case.batch, case.layer_sizes[-1])
    if found.dtype.kind not in "fiub":
        raise Failed("forward", "crashed", f"the forward pass returned {type(result).__name__}, not an array")
    if found.shape != expected:
        raise Failed("forward", "wrong", f"the outputs have shape {found.shape}; they must have {expected}")
    judgement = judge([outputs(spec, case.inputs(), case.dtype)], [found], case.dtype)
    if judgement.verdict == "wrong":
        raise Failed("forward", "wrong", CHECKS["forward"], replace(judgement, tensor="outputs"))
