"""What one answer must be like: rightly shaped, within its bounds, and made without harm to its inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from verify.case.arrays import Arrays
from verify.reference.judge import Judgement, judge, small
from verify.reference.truth import Gradient, Truth, flat, tensor_names
from verify.subject.call import Failed, Recovered, widened

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


def require_unchanged(arrays: Arrays, untouched: Arrays, what: str = "call") -> None:
    """The arrays that a call was given are, to the bit, what they were before."""
    names = [*tensor_names(len(arrays.params)), "x", "y"]
    for name, now, before in zip(names, _all(arrays), _all(untouched), strict=True):
        if now.tobytes() != before.tobytes():
            changed = f"{'the ' if ' ' in name else ''}{name}"
            raise Failed("inputs", "wrong", f"the {what} changed {changed} that it was given")


def _all(arrays: Arrays) -> list[Array]:
    return [*flat(arrays.params), arrays.x, arrays.y]


def require_own_memory(gradient: Gradient, arrays: Arrays) -> None:
    """No tensor of the gradient lies in the memory of an input or of another tensor."""
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


def require_linear(gradient: Gradient, truth: Truth, dtype: str) -> None:
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


def require_right(
    gradient: Gradient, truth: Truth, dtype: str, check: str, detail: Callable[[], str] | None = None
) -> Judgement:
    """Judge a gradient; where it is wrong, ``detail`` looks for what to say of it."""
    reference = (
        truth if check == "gradient" else None
    )  # what else it shows is asked of the first answer alone
    judgement = judge(widened(truth, gradient), flat(gradient), dtype, reference)
    if judgement.verdict == "wrong":
        verdict = "imprecise" if small(judgement, truth, dtype) else "wrong"
        raise Failed(check, verdict, detail() if detail else CHECKS[check], judgement)
    return judgement


def require_apart(first: Gradient, second: Gradient) -> None:
    """Two answers lie in memory of their own."""
    for name, before, now in zip(tensor_names(len(first)), flat(first), flat(second), strict=True):
        if _share(before, now):
            raise Failed(
                "aliasing", "wrong", f"two calls return the same memory as the gradient of the {name}"
            )
