"""Put a case to a target: every check, and those whose turn it is."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from verify.case.case import Call, Case
from verify.case.layers.case import LayerCall, LayerCase
from verify.checks.table import CHECKS, Check
from verify.reference.judge import Judgement
from verify.subject.answered_call import AnsweredCall
from verify.subject.failed import Failed
from verify.subject.layers.answer import Answer, LayerAnswer
from verify.subject.layers.target import LayerTarget
from verify.subject.target import Target

AnyTarget = Target | LayerTarget
"""A target of either kind."""


def examine_case(
    target: AnyTarget, spec: Any, case: Case | LayerCase, follow_up: str = "gradient"
) -> Judgement:
    """Put one case, and one follow-up, to a target.

    Parameters
    ----------
    target, spec
        The gradient function, and the Spec or JAX loss of its network; or the backward pass, and its Reference.
    case
        The case.
    follow_up
        One of ``verify.checks.table.FOLLOW_UPS``.

    Returns
    -------
    Judgement
        verified or inconclusive, with the entry closest to its bound.

    Raises
    ------
    Failed
        With the check that it did not pass.
    """
    answer = answer_case(target, spec, case, follow_up)
    judgement: Judgement | None = None
    with failures_say_the_question():
        for check in checks_to_ask(answer, follow_up):
            assert check.ask is not None
            judgement = check.ask(answer) or judgement
    assert judgement is not None  # of the check called gradient
    return judgement


@contextlib.contextmanager
def failures_say_the_question() -> Iterator[None]:
    """Give a failure that has no detail the question of its check."""
    try:
        yield
    except Failed as failure:
        failure.detail = failure.detail or CHECKS[failure.check].question
        raise


def checks_to_ask(answer: Answer, follow_up: str) -> list[Check]:
    """Return the checks that are asked of an answer: at every case, the gradient last, and those whose turn it is."""
    of_layer = isinstance(answer, LayerAnswer)
    checks = [check for check in CHECKS.values() if check.ask and not (of_layer and check.of_network)]
    at_hand = [check for check in checks if not check.turn or (of_layer and check.with_layer)]
    at_hand.sort(key=lambda check: check is CHECKS["gradient"])
    return at_hand + [check for check in checks if check.turn == follow_up and check not in at_hand]


def answer_case(target: AnyTarget, spec: Any, case: Case | LayerCase, follow_up: str = "gradient") -> Answer:
    """Make the first call of a case; raise Failed where it raises, or returns no gradient."""
    return answer_call(target, spec, call_of(target, spec, case), follow_up)


def answer_call(target: AnyTarget, spec: Any, call: Call | LayerCall, follow_up: str = "gradient") -> Answer:
    """Make a call of a function of its own; raise Failed where it raises, or returns no gradient."""
    answer: Answer = kind_of(call).of(target, spec, function_to_examine(target, follow_up), call)
    return answer


def call_of(target: AnyTarget | None, spec: Any, case: Case | LayerCase) -> Call | LayerCall:
    """Return the first call of a case; where no target is given, with the case's own cotangents."""
    if isinstance(case, LayerCase):
        return LayerCall(spec, case, isinstance(target, LayerTarget) and target.unit_cotangent)
    return Call(case)


def kind_of(call: Call | LayerCall) -> Any:
    """Return the kind of answer that a call has: `AnsweredCall` or `LayerAnswer`."""
    return LayerAnswer if isinstance(call, LayerCall) else AnsweredCall


def function_to_examine(target: AnyTarget, follow_up: str) -> Callable[..., Any]:
    """Return the function to call: one of a session of its own, where a check calls twice."""
    return target.gradient if follow_up == "gradient" or target.session is None else target.session()
