"""Put a case to a gradient function: every check, and those whose turn it is."""

from __future__ import annotations

from verify.case.case import Call, Case
from verify.checks.table import CHECKS
from verify.reference.judge import Judgement
from verify.reference.truth import GradientFunction, SpecLike
from verify.subject.call import AnsweredCall, Failed
from verify.subject.target import Target


def examine_case(target: Target, spec: SpecLike, case: Case, follow_up: str = "gradient") -> Judgement:
    """Put one case, and one follow-up, to a gradient function.

    Parameters
    ----------
    target, spec
        The gradient function, and what it is judged as the gradient of.
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
    answer = AnsweredCall.of(target, spec, function_to_examine(target, follow_up), Call(case))
    judgement: Judgement | None = None
    for check in CHECKS.values():
        if check.ask is not None and check.turn in ("", follow_up):
            try:
                judgement = check.ask(answer) or judgement
            except Failed as failure:
                failure.detail = failure.detail or CHECKS[failure.check].question
                raise
    assert judgement is not None  # of the check called gradient
    return judgement


def function_to_examine(target: Target, follow_up: str) -> GradientFunction:
    """Return the function to call: one of a session of its own, where a check calls twice."""
    return target.gradient if follow_up == "gradient" or target.session is None else target.session()
