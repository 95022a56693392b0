"""What is asked of a gradient function: the right numbers, and the manners that keep them right.

A gradient that is right once is wrong all the same when it changes its inputs, returns arrays that a later call
overwrites, or answers from a stale cache. Each such property is a check with a name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from mlp_ref.params import Layer
from verify.case import Arrays, Case
from verify.evaluate.bounds import Pair
from verify.judge import (
    Gradient,
    GradientFunction,
    Judgement,
    SpecLike,
    Truth,
    flat,
    judge,
    small,
    tensor_names,
)
from verify.outputs import outputs
from verify.results import Failed, Recovered, as_gradient, called
from verify.spec import Spec

__all__ = ["CHECKS", "FOLLOW_UPS", "Failed", "Target", "as_gradient", "called", "examined", "widened"]

Array = npt.NDArray[Any]

CHECKS = {
    "runs": "returns without raising",
    "result": "returns one (dweight, dbias) a layer, of the shapes of the parameters",
    "dtype": "returns the dtype of the parameters",
    "parameters": "a network keeps the parameters it is given, to the bit",
    "inputs": "leaves params, x and y as they were",
    "aliasing": "returns arrays that share no memory with its inputs, with each other or with an earlier answer",
    "learning_rate": "the update is linear in the learning rate",
    "gradient": "equals JAX's gradient, every entry within its bound",
    "loss": "the loss value equals JAX's, within its bound",
    "forward": "the outputs equal those of JAX's forward pass, every entry within its bound",
    "repeat": "answers the same call again with the same gradient",
    "second_call": "answers a second call, same shapes and other values, rightly; the first answer stays as it was",
    "batch_order": "does not depend on the order of the rows",
    "split_batch": "is right for a part of the batch, after the whole",
}
"""Every check, with what it asks, in the order in which a case is put to them."""

FOLLOW_UPS = ("gradient", "repeat", "second_call", "batch_order", "split_batch")
"""The checks that need a call of their own; each case is given one of them (the first needs none)."""


@dataclass(frozen=True)
class Target:
    """What is judged.

    Parameters
    ----------
    gradient
        ``gradient(params, x, y) -> [(dweight, dbias), ...]``.
    loss
        ``loss(params, x, y) -> float``, judged too where given.
    name
        What it is called, in reports and in the lines that reproduce a finding.
    source
        A line of Python that brings it into scope under this name.
    forward
        ``forward(params, x) -> (batch, n_out)``, the outputs after the output activation, judged too where given.
    session
        Where each call of ``gradient`` uses a network of its own: ``session()`` is a gradient function whose
        calls share one. The checks that call twice use it, since state is what they look for.
    spec
        What it is the gradient of, where nothing else is said.
    biases
        Whether its network has biases.
    layers
        The one number of layers that it can have; None where it can have any.
    labels, dtypes
        What it takes: see `verify.cases`. None: every dtype.
    notes
        What was inferred about it, for the report.
    """

    gradient: GradientFunction
    loss: Callable[[list[Layer], Array, Array], Any] | None = None
    name: str = "gradient"
    source: str = ""
    forward: Callable[[list[Layer], Array], Any] | None = None
    session: Callable[[], GradientFunction] | None = None
    spec: SpecLike | None = None
    biases: bool = True
    layers: int | None = None
    labels: str = "rows"
    dtypes: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()

    def judged_as(self, spec: SpecLike | None) -> SpecLike:
        """What it is judged as the gradient of: what is asked for, else its own spec, else the default one."""
        chosen = spec if spec is not None else self.spec if self.spec is not None else Spec()
        return replace(chosen, biases=False) if isinstance(chosen, Spec) and not self.biases else chosen


def examined(target: Target, spec: SpecLike, case: Case, follow_up: str = "gradient") -> Judgement:
    """Put one case, and one follow-up, to a gradient function.

    Returns
    -------
    Judgement
        verified or inconclusive, with the entry closest to its bound.

    Raises
    ------
    Failed
        With the check that it did not pass.
    """
    call = target.gradient if follow_up == "gradient" or target.session is None else target.session()
    arrays, untouched = case.arrays(), case.arrays()
    gradient = as_gradient(called(call, arrays), arrays.params)
    _require_unchanged(arrays, untouched)
    _require_own_memory(gradient, arrays)
    truth = Truth.of(spec, case.inputs(), case.dtype)
    _require_linear(gradient, truth, case.dtype)
    judgement = _require_right(gradient, truth, case.dtype, "gradient")
    if follow_up == "gradient":  # these are calls of their own, as the other follow-ups are
        if target.loss is not None:
            _require_right_loss(target.loss, truth, case)
        if target.forward is not None:
            _require_right_outputs(target.forward, spec, case)
    else:
        _FOLLOW_UPS[follow_up](call, spec, case, gradient, truth)
    return judgement


def _require_unchanged(arrays: Arrays, untouched: Arrays, what: str = "call") -> None:
    names = [*tensor_names(len(arrays.params)), "x", "y"]
    for name, now, before in zip(names, _all(arrays), _all(untouched), strict=True):
        if now.tobytes() != before.tobytes():
            changed = f"{'the ' if ' ' in name else ''}{name}"
            raise Failed("inputs", "wrong", f"the {what} changed {changed} that it was given")


def _all(arrays: Arrays) -> list[Array]:
    return [*flat(arrays.params), arrays.x, arrays.y]


def _require_own_memory(gradient: Gradient, arrays: Arrays) -> None:
    names = tensor_names(len(gradient))
    results = flat(gradient)
    inputs = _all(arrays)
    for i, (name, tensor) in enumerate(zip(names, results, strict=True)):
        for other, array in zip([*names, "x", "y"], inputs, strict=True):
            if _share(tensor, array):
                raise Failed(
                    "aliasing", "wrong", f"the gradient of the {name} shares memory with the input {other}"
                )
        for other, array in zip(names[:i], results[:i], strict=True):
            if _share(tensor, array):
                detail = f"the gradients of the {other} and of the {name} share memory"
                raise Failed("aliasing", "wrong", detail)


def _share(a: Array, b: Array) -> bool:
    return np.may_share_memory(a, b) and np.shares_memory(a, b)


def widened(truth: Truth, gradient: Gradient) -> list[Pair]:
    """The truth's pairs; for a Recovered gradient, with the recovery's own error in the bounds."""
    if not isinstance(gradient, Recovered):
        return truth.tensors
    errors = flat(gradient.error)
    return [(value, bound + error) for (value, bound), error in zip(truth.tensors, errors, strict=True)]


def _require_linear(gradient: Gradient, truth: Truth, dtype: str) -> None:
    """Steps with two learning rates must show one gradient: each within its bound of the same number."""
    if not isinstance(gradient, Recovered) or gradient.other is None:
        return
    room = zip(widened(truth, gradient), widened(truth, gradient.other), strict=True)
    pairs = [
        (np.asarray(other, dtype=np.float64), bound + other_bound)
        for other, ((_, bound), (_, other_bound)) in zip(flat(gradient.other), room, strict=True)
    ]
    judgement = judge(pairs, flat(gradient), dtype)
    if judgement.verdict == "wrong":
        rates = " and ".join(f"{rate:g}" for rate in gradient.rates)
        detail = (
            f"the update is not linear in the learning rate: steps at {rates} show different gradients "
            "(decay outside the rate? parameters updated before they are used?)"
        )
        raise Failed("learning_rate", "wrong", detail, judgement)


def _require_right(
    gradient: Gradient, truth: Truth, dtype: str, check: str, detail: Callable[[], str] | None = None
) -> Judgement:
    """Judge a gradient; where it is wrong, ``detail`` looks for what to say of it."""
    judgement = judge(widened(truth, gradient), flat(gradient), dtype)
    if judgement.verdict == "wrong":
        verdict = "imprecise" if small(judgement, truth, dtype) else "wrong"
        raise Failed(check, verdict, detail() if detail else CHECKS[check], judgement)
    return judgement


def _require_right_loss(loss: Callable[..., Any], truth: Truth, case: Case) -> None:
    arrays, untouched = case.arrays(), case.arrays()
    value = called(loss, arrays, "loss")
    _require_unchanged(arrays, untouched, "loss")
    number = np.asarray(value)
    if number.dtype.kind not in "fiub":
        raise Failed("loss", "crashed", f"the loss returned {type(value).__name__}, not a number")
    if number.size != 1:
        raise Failed("loss", "wrong", f"the loss has shape {number.shape}; it must be one number")
    judgement = judge([truth.loss], [number.reshape(())], case.dtype)
    if judgement.verdict == "wrong":
        raise Failed("loss", "wrong", CHECKS["loss"], judgement)


def _require_right_outputs(forward: Callable[..., Any], spec: SpecLike, case: Case) -> None:
    if not isinstance(spec, Spec):
        raise TypeError(
            "forward= can be judged only where spec is a Spec: a JAX loss does not say its outputs"
        )
    arrays, untouched = case.arrays(), case.arrays()
    result = called(forward, (arrays.params, arrays.x), "forward pass")
    _require_unchanged(arrays, untouched, "forward pass")
    found = np.asarray(result)
    expected = (case.batch, case.layer_sizes[-1])
    if found.dtype.kind not in "fiub":
        raise Failed("forward", "crashed", f"the forward pass returned {type(result).__name__}, not an array")
    if found.shape != expected:
        raise Failed("forward", "wrong", f"the outputs have shape {found.shape}; they must have {expected}")
    judgement = judge([outputs(spec, case.inputs(), case.dtype)], [found], case.dtype)
    if judgement.verdict == "wrong":
        raise Failed("forward", "wrong", CHECKS["forward"], replace(judgement, tensor="outputs"))


FollowUp = Callable[[GradientFunction, SpecLike, Case, Gradient, Truth], None]
"""``follow_up(call, spec, case, first, truth)``: further calls, after ``first``, whose truth is ``truth``."""


def _answer(call: GradientFunction, params: Sequence[Layer], x: Array, y: Array) -> Gradient:
    return as_gradient(called(call, (params, x, y)), params)


def _repeat(call: GradientFunction, _: SpecLike, case: Case, first: Gradient, truth: Truth) -> None:
    kept = [tensor.copy() for tensor in flat(first)]
    second = _answer(call, *case.arrays())
    # Not bit by bit: a library may sum in another order when the same numbers lie elsewhere in memory.

    def detail() -> str:
        accumulates = _adds_up(second, kept, truth, case.dtype)
        return "it accumulates: the second answer is the sum of both" if accumulates else CHECKS["repeat"]

    _require_right(second, truth, case.dtype, "repeat", detail)
    _require_apart(first, second)


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

    _require_right(second, truth, case.dtype, "second_call", detail)
    for name, before, now in zip(tensor_names(len(first)), kept, flat(first), strict=True):
        if before.tobytes() != now.tobytes():
            raise Failed(
                "second_call", "wrong", f"a second call overwrote the first call's gradient of the {name}"
            )
    _require_apart(first, second)


def _require_apart(first: Gradient, second: Gradient) -> None:
    for name, before, now in zip(tensor_names(len(first)), flat(first), flat(second), strict=True):
        if _share(before, now):
            raise Failed(
                "aliasing", "wrong", f"two calls return the same memory as the gradient of the {name}"
            )


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
    _require_right(gradient, truth, case.dtype, "batch_order")


def _split_batch(call: GradientFunction, spec: SpecLike, case: Case, _: Gradient, __: Truth) -> None:
    """The loss of every batch is that of its parts together, so parts and whole that are right add up."""
    part = (case.batch + 1) // 2
    params, x, y = case.arrays()
    gradient = _answer(call, params, x[:part], y[:part])
    *weights, x64, y64 = case.inputs()
    truth = Truth.of(spec, [*weights, x64[:part], y64[:part]], case.dtype)
    _require_right(gradient, truth, case.dtype, "split_batch")


_FOLLOW_UPS: dict[str, FollowUp] = {
    "repeat": _repeat,
    "second_call": _second_call,
    "batch_order": _batch_order,
    "split_batch": _split_batch,
}
