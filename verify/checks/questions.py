"""The questions asked of every answer: its inputs, its memory, its numbers; and of the user's loss and outputs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from verify.case.arrays import Arrays, WeightedArrays
from verify.evaluate.array import Array
from verify.evaluate.bounds import Pair
from verify.evaluate.formats import is_numeric_format
from verify.reference.judge import Judgement, judge, small
from verify.reference.outputs import outputs
from verify.reference.spec import Spec
from verify.reference.tensors import LOSS, OUTPUTS, Tensor, tensor_names
from verify.reference.truth import Truth, tensors_of
from verify.subject.call import AnsweredCall, Failed, Recovered, call_function, widen_by_recovery


def ask_inputs(answer: AnsweredCall) -> None:
    """Ask if params, x, y and the weights of the rows are, to the bit, what they were before the call."""
    _require_unchanged(answer.arrays, answer.call.arrays(), "call")


def _require_unchanged(
    arrays: Arrays | WeightedArrays, untouched: Arrays | WeightedArrays, what: str
) -> None:
    for i, (now, before) in enumerate(zip(_all(arrays), _all(untouched), strict=True)):
        if now.tobytes() != before.tobytes():
            names = [*(f"the {name}" for name in tensor_names(len(arrays.params))), *arrays._fields[1:]]
            raise Failed("inputs", "wrong", f"the {what} changed {names[i]} that it was given")


def _all(arrays: Arrays | WeightedArrays) -> list[Array]:
    params, *rows = arrays
    return [*tensors_of(params), *rows]


def ask_aliasing(answer: AnsweredCall) -> None:
    """Ask if each tensor of the gradient has memory of its own."""
    names, results = tensor_names(len(answer.gradient)), tensors_of(answer.gradient)
    for i, (name, tensor) in enumerate(zip(names, results, strict=True)):
        for other, array in zip([*names, *answer.arrays._fields[1:]], _all(answer.arrays), strict=True):
            if share_memory(tensor, array):
                raise Failed(
                    "aliasing", "wrong", f"the gradient of the {name} shares memory with the input {other}"
                )
        for other, array in zip(names[:i], results[:i], strict=True):
            if share_memory(tensor, array):
                detail = f"the gradients of the {other} and of the {name} share memory"
                raise Failed("aliasing", "wrong", detail)


def ask_learning_rate(answer: AnsweredCall) -> None:
    """Ask if steps with two learning rates show one gradient: each within its bound of the same number."""
    gradient = answer.gradient
    if not isinstance(gradient, Recovered) or gradient.other is None:
        return
    bounds = zip(answer.pairs, widen_by_recovery(answer.truth, gradient.other), strict=True)
    pairs = [
        (np.asarray(other, dtype=np.float64), bound + other_bound)
        for other, ((_, bound), (_, other_bound)) in zip(tensors_of(gradient.other), bounds, strict=True)
    ]
    judgement = judge(pairs, tensors_of(gradient), answer.dtype)
    if judgement.verdict == "wrong":
        rates = " and ".join(f"{rate:g}" for rate in gradient.rates)
        detail = (
            f"the update is not linear in the learning rate: steps at {rates} show different gradients "
            "(decay outside the rate? parameters updated before they are used?)"
        )
        raise Failed("learning_rate", "wrong", detail, judgement)


def ask_gradient(answer: AnsweredCall) -> Judgement:
    """Ask if every entry of the gradient is within its bound of JAX's."""
    return require_within_bounds(
        "gradient", answer.pairs, tensors_of(answer.gradient), answer.dtype, reference=answer.truth
    )


def ask_loss(answer: AnsweredCall) -> None:
    """Ask if the user's own loss gives JAX's value, and leaves its inputs as they were."""
    function = answer.target.loss
    if function is None:
        return
    arrays = answer.call.arrays()
    value = call_function(function, arrays, "loss")
    _require_unchanged(arrays, answer.call.arrays(), "loss")
    number = np.asarray(value)
    if not is_numeric_format(number.dtype):
        raise Failed("loss", "crashed", f"the loss returned {type(value).__name__}, not a number")
    if number.size != 1:
        raise Failed("loss", "wrong", f"the loss has shape {number.shape}; it must be one number")
    require_within_bounds("loss", [answer.truth.loss], [number.reshape(())], answer.dtype, [LOSS])


def ask_forward(answer: AnsweredCall) -> None:
    """Ask if the user's own forward pass gives the outputs of JAX's, and leaves its inputs as they were."""
    function, case = answer.target.forward, answer.call.case
    if function is None:
        return
    if not isinstance(answer.spec, Spec):
        raise TypeError(
            "forward= can be judged only where spec is a Spec: a JAX loss does not say its outputs"
        )
    arrays = answer.call.arrays()
    result = call_function(function, (arrays.params, arrays.x), "forward pass")
    _require_unchanged(arrays, answer.call.arrays(), "forward pass")
    found = np.asarray(result)
    expected = (case.batch, case.layer_sizes[-1])
    if not is_numeric_format(found.dtype):
        raise Failed("forward", "crashed", f"the forward pass returned {type(result).__name__}, not an array")
    if found.shape != expected:
        raise Failed("forward", "wrong", f"the outputs have shape {found.shape}; they must have {expected}")
    pair = outputs(answer.spec, answer.call.inputs(), answer.dtype)
    require_within_bounds("forward", [pair], [found], answer.dtype, [OUTPUTS])


def require_within_bounds(
    check: str,
    pairs: Sequence[Pair],
    tensors: Sequence[Array],
    dtype: str,
    names: Sequence[Tensor] | None = None,
    detail: str = "",
    reference: Truth | None = None,
) -> Judgement:
    """Judge results; raise Failed, with the verdict that the numbers allow, where one is outside its bound."""
    judgement = judge(list(pairs), list(tensors), dtype, reference, names)
    if judgement.verdict == "wrong":
        raise failure_of(check, judgement, dtype, detail)
    return judgement


def failure_of(check: str, judgement: Judgement, dtype: str, detail: str = "") -> Failed:
    """Return what is raised where a judgement is "wrong".

    An error under sqrt(u) of its tensor's scale is called imprecise until `verify.checks.adjudicate` knows better.
    """
    return Failed(check, "imprecise" if small(judgement, dtype) else "wrong", detail, judgement)


def share_memory(a: Array, b: Array) -> bool:
    """Tell if two arrays have an element in common."""
    return np.may_share_memory(a, b) and np.shares_memory(a, b)
