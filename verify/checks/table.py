"""The table of checks: what is asked of a target, in the order in which a case is put to it.

A gradient that is right once is wrong all the same when it changes its inputs, returns arrays that a later call
overwrites, or answers from a stale cache. Each such property is a check with a name. To add one, write its function in
`questions` (or its call in `further_calls`), and a line here.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from verify.checks import questions
from verify.checks.further_calls import FURTHER_CALLS, require_further_call
from verify.reference.judge import Judgement


@dataclass(frozen=True)
class Check:
    """A row of the table of checks: one property of a gradient function.

    Parameters
    ----------
    question
        The property, in words.
    ask
        Raises Failed where the property does not hold. None: `verify.subject` asks, as it makes the call.
    turn
        The turn of a case in which it is asked, where that takes a call of its own: one from ``FOLLOW_UPS``.
        Empty: at every case.
    needs
        The field of a Target that must be given, if any.
    of_gradient
        Whether a mistake in the gradient can make it fail, so that a diagnosis is worth trying.
    of_network
        Whether it is asked of networks alone.
    with_layer
        Whether a layer's own call has what it asks for, so that it is asked at every case.
    """

    question: str
    ask: Callable[[Any], Judgement | None] | None = None
    turn: str = ""
    needs: str = ""
    of_gradient: bool = True
    of_network: bool = False
    with_layer: bool = False


def _further(name: str, question: str, of_network: bool = False) -> Check:
    return Check(question, functools.partial(require_further_call, name), turn=name, of_network=of_network)


CHECKS: dict[str, Check] = {
    "runs": Check("returns without raising"),
    "result": Check(
        "returns one gradient for each parameter, or for each differentiated input, of its shape"
    ),
    "dtype": Check("returns the dtype of what it differentiates"),
    "parameters": Check(
        "a network keeps the parameters it is given, to the bit",
        needs="session",
        of_gradient=False,
        of_network=True,
    ),
    "inputs": Check("leaves the arrays that it is given as they were", questions.ask_inputs),
    "aliasing": Check(
        "returns arrays that share no memory with its inputs, with each other or with an earlier answer",
        questions.ask_aliasing,
    ),
    "learning_rate": Check(
        "the update is linear in the learning rate",
        questions.ask_learning_rate,
        needs="session",
        of_network=True,
    ),
    "gradient": Check("equals JAX's gradient, every entry within its bound", questions.ask_gradient),
    "rounding": Check(
        "lies within its band under random rounding, or comes closer to JAX's gradient at a higher precision"
    ),
    "loss": Check(
        "the loss value equals JAX's, within its bound",
        questions.ask_loss,
        turn="gradient",
        needs="loss",
        of_gradient=False,
        of_network=True,
    ),
    "forward": Check(
        "the outputs equal those of JAX's forward pass, every entry within its bound",
        questions.ask_forward,
        turn="gradient",
        needs="forward",
        of_gradient=False,
        with_layer=True,
    ),
    "repeat": _further("repeat", "answers the same call again with the same gradient"),
    "second_call": _further(
        "second_call",
        "answers a second call, same shapes and other values, correctly; the first answer stays as it was",
    ),
    "batch_order": _further("batch_order", "does not depend on the order of the rows", of_network=True),
    "split_batch": _further(
        "split_batch", "is right for a part of the batch, after the whole", of_network=True
    ),
}
"""Every check, in the order in which a case is put to them."""

FOLLOW_UPS = ("gradient", *FURTHER_CALLS)
"""The turns: each case is given one of the checks that need a call of their own (the first needs none)."""

LAYER_CHECKS = tuple(name for name, check in CHECKS.items() if not check.of_network)
"""The checks of a backward pass of any kind."""

LAYER_FOLLOW_UPS = tuple(name for name in FOLLOW_UPS if name in LAYER_CHECKS)
"""The turns of its cases."""
