"""The questions asked of every answer: its inputs, its memory, its numbers; and of the user's loss and outputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from verify.case.arrays import arrays_share_memory
from verify.checks.choices_at_ties import judged_at_ties
from verify.evaluate.array import Array
from verify.evaluate.bounds import Pair
from verify.evaluate.formats import is_numeric_format
from verify.reference.judge import Judgement, judge, small
from verify.reference.tensors import LOSS, Tensor
from verify.reference.truth import Truth, tensors_of
from verify.subject.answered_call import AnsweredCall, call_function, require_unchanged, widen_by_recovery
from verify.subject.failed import Failed
from verify.subject.layers.answer import Answer
from verify.subject.recovered import Recovered


def ask_inputs(answer: Answer) -> None:
    """Ask if the arrays that it was given are, to the bit, what they were before the call."""
    require_unchanged(answer, answer.arrays, "call")


def ask_aliasing(answer: Answer) -> None:
    """Ask if each tensor of the gradient has memory of its own; it may be a cotangent, as that of a sum is."""
    subjects, given, lent = answer.subjects, answer.given(answer.arrays), answer.lent(answer.arrays)
    for i, (subject, tensor) in enumerate(zip(subjects, answer.tensors, strict=True)):
        for k, array in enumerate(given):
            if arrays_share_memory(tensor, array):
                other = answer.given_names[k].removeprefix("the ").removeprefix("input ")
                detail = f"the gradient of {subject} shares memory with the input {other}"
                raise Failed("aliasing", "wrong", detail)
        if any(arrays_share_memory(tensor, array) for array in lent):
            continue
        for other, array in zip(subjects[:i], answer.tensors, strict=False):
            if arrays_share_memory(tensor, array):
                detail = f"the gradients of {other} and of {subject} share memory"
                raise Failed("aliasing", "wrong", detail)


def ask_learning_rate(answer: AnsweredCall) -> None:
    """Ask if steps with two learning rates show one gradient: each within its bound of the same number."""
    gradient = answer.gradient
    if not isinstance(gradient, Recovered) or gradient.other is None:
        return
    bounds = zip(answer.pairs, widen_by_recovery(answer.truth.tensors, gradient.other), strict=True)
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


def ask_gradient(answer: Answer) -> Judgement:
    """Ask if every entry of the gradient is within its bound of JAX's; at ties, of another choice of a derivative."""
    return beside_truth("gradient", answer, reference=answer.truth)[0]


def beside_truth(
    check: str, answer: Answer, detail: Callable[[], str] = str, reference: Truth | None = None
) -> tuple[Judgement, Truth | None]:
    """Judge the gradient of an answer; raise Failed where an entry is outside its bound.

    Parameters
    ----------
    check
        The name of the check that fails.
    answer
        The answer to a call.
    detail
        Makes the sentence that says more; where it is empty, the check's question is said.
    reference
        As for `verify.reference.judge.judge`.

    Returns
    -------
    tuple of Judgement and Truth
        And the truth that the gradient lies beside; None where that is a mean of several choices at ties.
    """
    truth = answer.truth
    judgement = judge(answer.pairs, answer.tensors, answer.dtype, reference, answer.names)
    if judgement.verdict != "wrong":
        return judgement, truth
    if truth.program.differentiated:
        chosen = judged_at_ties(truth, answer.tensors, answer.names)
        if chosen is not None:
            return replace(chosen[1], choice=chosen[0]), chosen[2]
    raise failure_of(check, judgement, answer.dtype, detail())


def ask_loss(answer: AnsweredCall) -> None:
    """Ask if the user's own loss gives JAX's value, and leaves its inputs as they were."""
    function = answer.target.loss
    if function is None:
        return
    arrays = answer.call.arrays()
    value = call_function(function, arrays, "loss")
    require_unchanged(answer, arrays, "loss")
    number = np.asarray(value)
    if not is_numeric_format(number.dtype):
        raise Failed("loss", "crashed", f"the loss returned {type(value).__name__}, not a number")
    if number.size != 1:
        raise Failed("loss", "wrong", f"the loss has shape {number.shape}; it must be one number")
    require_within_bounds("loss", [answer.truth.loss], [number.reshape(())], answer.dtype, [LOSS])


def ask_forward(answer: Answer) -> None:
    """Ask if the forward pass gives the outputs of JAX's."""
    found = answer.forward()
    if found is not None:
        pairs, outputs = found
        names = answer.names_of(answer.call, "forward")[: len(outputs)]
        require_within_bounds("forward", pairs, outputs, answer.dtype, names)


def require_within_bounds(
    check: str,
    pairs: Sequence[Pair],
    tensors: Sequence[Array],
    dtype: str,
    names: Sequence[Tensor],
) -> None:
    """Judge results; raise Failed, with the verdict that the numbers allow, where one is outside its bound."""
    judgement = judge(list(pairs), list(tensors), dtype, None, names)
    if judgement.verdict == "wrong":
        raise failure_of(check, judgement, dtype)


def failure_of(check: str, judgement: Judgement, dtype: str, detail: str = "") -> Failed:
    """Return the failure that is raised where a judgement is "wrong".

    An error under sqrt(u) of its tensor's scale is called imprecise until `verify.checks.adjudicate` knows better.
    """
    return Failed(check, "imprecise" if small(judgement, dtype) else "wrong", detail, judgement)
