"""What is asked of a gradient function: the right numbers, and the manners that keep them right.

A gradient that is right once is wrong all the same when it changes its inputs, returns arrays that a later call
overwrites, or answers from a stale cache. Each such property is a check with a name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy.typing as npt

from mlp_ref.params import Layer
from verify.case import Case
from verify.follow_ups import FURTHER_CALLS, require_right_loss, require_right_outputs
from verify.judge import GradientFunction, Judgement, SpecLike, Truth
from verify.requirements import (
    CHECKS,
    require_linear,
    require_own_memory,
    require_right,
    require_unchanged,
    widened,
)
from verify.results import Failed, as_gradient, called
from verify.spec import Spec

__all__ = ["CHECKS", "FOLLOW_UPS", "Failed", "Target", "as_gradient", "called", "examined", "widened"]

Array = npt.NDArray[Any]

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
