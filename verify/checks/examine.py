"""What is asked of a gradient function: the right numbers, and the manners that keep them right.

A gradient that is right once is wrong all the same when it changes its inputs, returns arrays that a later call
overwrites, or answers from a stale cache. Each such property is a check with a name.
"""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from verify.case.recipe import Case
from verify.checks.follow_ups import FURTHER_CALLS, require_right_loss, require_right_outputs
from verify.checks.requirements import (
    require_linear,
    require_own_memory,
    require_right,
    require_unchanged,
)
from verify.reference.judge import Judgement
from verify.reference.truth import SpecLike, Truth
from verify.subject.call import as_gradient, called
from verify.subject.target import Target

Array = npt.NDArray[Any]


FOLLOW_UPS = ("gradient", "repeat", "second_call", "batch_order", "split_batch")
"""The checks that need a call of their own; each case is given one of them (the first needs none)."""


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
    require_unchanged(arrays, untouched)
    require_own_memory(gradient, arrays)
    truth = Truth.of(spec, case.inputs(), case.dtype)
    require_linear(gradient, truth, case.dtype)
    judgement = require_right(gradient, truth, case.dtype, "gradient")
    if follow_up == "gradient":  # these are calls of their own, as the other follow-ups are
        if target.loss is not None:
            require_right_loss(target.loss, truth, case)
        if target.forward is not None:
            require_right_outputs(target.forward, spec, case)
    else:
        FURTHER_CALLS[follow_up](call, spec, case, gradient, truth)
    return judgement
