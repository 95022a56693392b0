"""What the oracle sees of a mistake: whether it is caught, after how many cases, where, and what it is called."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from typing import Any

import flint
import numpy as np
from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis import seed as hypothesis_seed
from hypothesis import strategies as st

from verify.case import Case
from verify.case import cases as drawn_cases
from verify.checks import FOLLOW_UPS, Failed, Target, examined
from verify.diagnose import explain
from verify.evaluate import balls
from verify.evaluate.program import traced
from verify.judge import flat
from verify.mistakes import Mistake, wrong_gradient
from verify.mistakes.observation import layers_of
from verify.spec import Spec

CONFIGURATIONS = (
    Spec(),
    Spec("relu", "softmax", "squared_error"),
    Spec("tanh", "identity", "squared_error", "mean_all"),
    Spec("leaky_relu", "sigmoid", "binary_cross_entropy", "sum", l2=0.1),
    Spec("identity", "tanh", "squared_error", "half_mean"),
)
"""Where the catalogue is tried: between them, every hidden activation, every output and every kind of reduction."""


@dataclass(frozen=True)
class Score:
    """What became of one wrong gradient.

    Attributes
    ----------
    mistakes, spec
        What was wrong with it, and what it should have been the gradient of.
    after
        How many cases it took to catch it; 0 where it was not caught.
    regime, check
        Where, and by which of ``verify.checks.CHECKS``.
    diagnosed
        What the diagnosis named.
    alternatives
        What else it could not tell from that.
    seconds
        How long the diagnosis took.
    """

    mistakes: tuple[str, ...]
    spec: str
    after: int
    regime: str
    check: str
    diagnosed: tuple[str, ...]
    alternatives: tuple[tuple[str, ...], ...]
    seconds: float

    @property
    def caught(self) -> bool:
        """Whether some case showed it."""
        return self.after > 0

    @property
    def named(self) -> bool:
        """Whether the diagnosis named what was wrong, all of it, alone or first."""
        return set(self.diagnosed) == set(self.mistakes)

    @property
    def misnamed(self) -> bool:
        """Whether the diagnosis named something that was not there, and what was there not even beside it."""
        added = set(self.diagnosed) - set(self.mistakes)
        return bool(added) and all(set(names) != set(self.mistakes) for names in self.alternatives)


def scored(spec: Spec, *mistakes: Mistake, cases: int = 1000, seed: int = 0) -> Score:
    """Let the oracle search for, and explain, a gradient with these mistakes in it."""
    after, case, check = caught_after(spec, *mistakes, cases=cases, seed=seed)
    start = time.perf_counter()
    found = explain(wrong_gradient(spec, *mistakes), spec)
    names = tuple(mistake.name for mistake in mistakes)
    seconds = time.perf_counter() - start
    regime = case.regime if case else ""
    return Score(names, str(spec), after, regime, check, found.mistakes, found.alternatives, seconds)


class _Caught(Exception):
    pass


def caught_after(
    spec: Spec, *mistakes: Mistake, cases: int = 1000, seed: int = 0
) -> tuple[int, Case | None, str]:
    """How many cases the search of `verify.check` takes to catch it; with the case, and the check that did."""
    target = Target(wrong_gradient(spec, *mistakes))
    tried = 0
    caught: tuple[int, Case | None, str] = 0, None, ""

    @hypothesis_seed(seed)
    @settings(
        max_examples=cases,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
        report_multiple_bugs=False,
    )
    @given(drawn_cases(spec), st.sampled_from(FOLLOW_UPS))
    def search(case: Case, follow_up: str) -> None:
        nonlocal tried, caught
        if not caught[0]:
            tried += 1
            try:
                examined(target, spec, case, follow_up)
            except Failed as failure:
                caught = tried, case, failure.check
        if caught[0]:
            raise _Caught

    with contextlib.suppress(_Caught, ExceptionGroup):
        search()
    return caught


def certified_equal(spec: Spec, mistake: Mistake, cases: list[Case]) -> bool | None:
    """Whether a mistake's gradient is the right one on some cases, in balls at 192 bits; None where it cannot run.

    Every ball must meet JAX's, and be so narrow that what they could still differ by is far below any rounding.
    """
    if mistake.state or "keep" in mistake.pieces:
        return None
    for case in cases:
        with flint.ctx.workprec(192):
            inputs = [balls.exactly(array) for array in case.inputs()]
            *params, x, y = inputs
            try:
                made = flat(wrong_gradient(spec, mistake)(layers_of(params), x, y))
            except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError):
                return None
            _, *right = balls.evaluate(traced(spec, case.sizes), case.inputs(), case.sizes)
            for wrong, true in zip(made, right, strict=True):
                if wrong.shape != true.shape or not all(
                    _alike(a, b) for a, b in zip(wrong.flat, true.flat, strict=True)
                ):
                    return False
    return True


def _alike(a: Any, b: Any) -> bool:
    difference = flint.arb(a) - flint.arb(b)
    return bool(difference.contains(0)) and float(difference.rad()) <= np.ldexp(1.0, -100)
