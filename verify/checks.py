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
from verify.spec import Spec

Array = npt.NDArray[Any]

CHECKS = {
    "runs": "returns without raising",
    "result": "returns one (dweight, dbias) a layer, of the shapes of the parameters",
    "dtype": "returns the dtype of the parameters",
    "gradient": "equals JAX's gradient, every entry within its bound",
    "loss": "the loss value equals JAX's, within its bound",
    "inputs": "leaves params, x and y as they were",
    "aliasing": "returns arrays that share no memory with its inputs or with each other",
    "repeat": "answers the same call again with the same gradient",
    "second_call": "answers a second call, same shapes and other values, rightly; the first answer stays as it was",
    "batch_order": "does not depend on the order of the rows",
    "split_batch": "is right for a part of the batch, after the whole",
}
"""Every check, with what it asks."""

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
    """

    gradient: GradientFunction
    loss: Callable[[list[Layer], Array, Array], Any] | None = None
    name: str = "gradient"
    source: str = ""


class Failed(Exception):
    """A case that a gradient did not pass: the check, a verdict, one sentence, and the numbers if there are any."""

    def __init__(self, check: str, verdict: str, detail: str, judgement: Judgement | None = None) -> None:
        super().__init__(check, verdict, detail, judgement)
        self.check, self.verdict, self.detail, self.judgement = check, verdict, detail, judgement


def called(function: Callable[..., Any], arrays: Arrays, what: str = "gradient") -> Any:
    """The result of a user's function; what it raises becomes a Failed with verdict ``crashed``."""
    try:
        with np.errstate(all="ignore"):
            return function(*arrays)
    except Exception as error:
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        where = f" (line {trace.tb_lineno} of {trace.tb_frame.f_code.co_filename})" if trace else ""
        detail = f"the {what} raised {type(error).__name__}: {error}{where}"
        raise Failed("runs", "crashed", detail) from error


def as_gradient(result: Any, params: Sequence[Layer]) -> Gradient:
    """A user's result as layers of arrays, once its structure, shapes and dtypes are found to be right."""
    if result is None:
        raise Failed(
            "result", "crashed", "the gradient returned None; it must return [(dweight, dbias), ...]"
        )
    try:
        layers = [tuple(layer) for layer in result]
    except TypeError:
        kind = type(result).__name__
        raise Failed(
            "result", "crashed", f"the gradient returned {kind}, not [(dweight, dbias), ...]"
        ) from None
    if len(layers) != len(params):
        raise Failed(
            "result", "crashed", f"the gradient returned {len(layers)} layers; the network has {len(params)}"
        )
    gradient = []
    for number, (layer, expected) in enumerate(zip(layers, params, strict=True), start=1):
        if len(layer) != 2:
            raise Failed(
                "result",
                "crashed",
                f"layer {number} of the gradient has {len(layer)} items, not (dweight, dbias)",
            )
        tensors = []
        for name, tensor, parameter in zip(("weight", "bias"), layer, expected, strict=True):
            try:
                array = np.asarray(tensor)
            except Exception as error:
                raise Failed(
                    "result", "crashed", f"the d{name} of layer {number} is no array: {error}"
                ) from error
            where = f"the d{name} of layer {number}"
            if array.dtype.kind not in "fiub":
                raise Failed(
                    "result", "crashed", f"{where} has dtype {array.dtype}; it must be {parameter.dtype}"
                )
            if array.shape != parameter.shape:
                detail = f"{where} has shape {array.shape}; the parameter has {parameter.shape}"
                raise Failed("result", "wrong", detail)
            if array.dtype != parameter.dtype:
                raise Failed(
                    "dtype", "wrong", f"{where} is {array.dtype}; the parameters are {parameter.dtype}"
                )
            tensors.append(array)
        gradient.append(Layer(*tensors))
    return gradient


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
    arrays, untouched = case.arrays(), case.arrays()
    gradient = as_gradient(called(target.gradient, arrays), arrays.params)
    _require_unchanged(arrays, untouched)
    _require_own_memory(gradient, arrays)
    truth = Truth.of(spec, case.inputs(), case.dtype)
    judgement = _require_right(gradient, truth, case.dtype, "gradient", CHECKS["gradient"])
    if target.loss is not None:
        _require_right_loss(target, truth, case)
    if follow_up != "gradient":
        _FOLLOW_UPS[follow_up](target, spec, case, gradient, truth)
    return judgement


def _require_unchanged(arrays: Arrays, untouched: Arrays) -> None:
    names = [*tensor_names(len(arrays.params)), "x", "y"]
    for name, now, before in zip(names, _all(arrays), _all(untouched), strict=True):
        if now.tobytes() != before.tobytes():
            raise Failed(
                "inputs", "wrong", f"the call changed {'the ' if ' ' in name else ''}{name} that it was given"
            )


def _all(arrays: Arrays) -> list[Array]:
    return [*flat(arrays.params), arrays.x, arrays.y]


def _require_own_memory(gradient: Gradient, arrays: Arrays) -> None:
    names = tensor_names(len(gradient))
    results = flat(gradient)
    inputs = _all(arrays)
    for i, (name, tensor) in enumerate(zip(names, results, strict=True)):
        for other, array in zip([*names, "x", "y"], inputs, strict=True):
            if np.may_share_memory(tensor, array) and np.shares_memory(tensor, array):
                raise Failed(
                    "aliasing", "wrong", f"the gradient of the {name} shares memory with the input {other}"
                )
        for other, array in zip(names[:i], results[:i], strict=True):
            if np.may_share_memory(tensor, array) and np.shares_memory(tensor, array):
                detail = f"the gradients of the {other} and of the {name} share memory"
                raise Failed("aliasing", "wrong", detail)


def _require_right(gradient: Gradient, truth: Truth, dtype: str, check: str, detail: str) -> Judgement:
    judgement = judge(truth.tensors, flat(gradient), dtype)
    if judgement.verdict == "wrong":
        verdict = "imprecise" if small(judgement, truth, dtype) else "wrong"
        raise Failed(check, verdict, detail, judgement)
    return judgement


def _require_right_loss(target: Target, truth: Truth, case: Case) -> None:
    assert target.loss is not None
    value = called(target.loss, case.arrays(), "loss")
    try:
        number = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise Failed("loss", "crashed", f"the loss returned {type(value).__name__}, not a number") from None
    if number.size != 1:
        raise Failed("loss", "wrong", f"the loss has shape {number.shape}; it must be one number")
    judgement = judge([truth.loss], [number.reshape(())], case.dtype)
    if judgement.verdict == "wrong":
        raise Failed("loss", "wrong", CHECKS["loss"], judgement)


def _repeat(target: Target, _: SpecLike, case: Case, first: Gradient, truth: Truth) -> None:
    kept = [tensor.copy() for tensor in flat(first)]
    second = as_gradient(called(target.gradient, arrays := case.arrays()), arrays.params)
    # Not bit by bit: a library may sum in another order when the same numbers lie elsewhere in memory.
    accumulates = any(k.any() for k in kept) and all(map(_is_double, flat(second), kept))
    detail = "it accumulates: the second answer is twice the first" if accumulates else CHECKS["repeat"]
    _require_right(second, truth, case.dtype, "repeat", detail)


def _is_double(second: Array, first: Array) -> bool:
    return bool(np.allclose(second, 2 * first, rtol=1e-3, atol=0))


def _second_call(target: Target, spec: SpecLike, case: Case, first: Gradient, _: Truth) -> None:
    other = replace(case, seed=case.seed + 1)
    kept = [tensor.copy() for tensor in flat(first)]
    arrays = other.arrays()
    second = as_gradient(called(target.gradient, arrays), arrays.params)
    for name, before, now in zip(tensor_names(len(first)), kept, flat(first), strict=True):
        if before.tobytes() != now.tobytes():
            raise Failed(
                "second_call", "wrong", f"a second call overwrote the first call's gradient of the {name}"
            )
    truth = Truth.of(spec, other.inputs(), case.dtype)
    _require_right(second, truth, case.dtype, "second_call", CHECKS["second_call"])


def _batch_order(target: Target, spec: SpecLike, case: Case, _: Gradient, truth: Truth) -> None:
    params, x, y = case.arrays()
    gradient = as_gradient(called(target.gradient, Arrays(params, x[::-1], y[::-1])), params)
    if not isinstance(spec, Spec):  # a user's own loss may well depend on the order
        *weights, x64, y64 = case.inputs()
        truth = Truth.of(spec, [*weights, x64[::-1], y64[::-1]], case.dtype)
    _require_right(gradient, truth, case.dtype, "batch_order", CHECKS["batch_order"])


def _split_batch(target: Target, spec: SpecLike, case: Case, _: Gradient, __: Truth) -> None:
    part = (case.batch + 1) // 2
    params, x, y = case.arrays()
    gradient = as_gradient(called(target.gradient, Arrays(params, x[:part], y[:part])), params)
    *weights, x64, y64 = case.inputs()
    truth = Truth.of(spec, [*weights, x64[:part], y64[:part]], case.dtype)
    _require_right(gradient, truth, case.dtype, "split_batch", CHECKS["split_batch"])


_FOLLOW_UPS: dict[str, Callable[[Target, SpecLike, Case, Gradient, Truth], None]] = {
    "repeat": _repeat,
    "second_call": _second_call,
    "batch_order": _batch_order,
    "split_batch": _split_batch,
}
