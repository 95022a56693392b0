"""The other evaluators on some cases: XLA shows that NumPy's speaks for JAX, balls that its bounds hold."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from mlp_ref.params import Layer
from verify.case.case import Case
from verify.case.layers.case import LayerCase
from verify.checks.examine import call_of, kind_of
from verify.evaluate import balls, xla
from verify.evaluate.array import Array
from verify.evaluate.budget import Budget
from verify.reference.derivative import loss_function
from verify.reference.judge import judge, judged_ratios
from verify.reference.spec import Spec
from verify.reference.tensors import Tensor
from verify.reference.truth import SpecLike, Truth, tensors_of


class Disagreement(AssertionError):
    """Two evaluators of the same derivative differ by more than the bound: a defect of the oracle itself."""


class XlaAhead:
    """XLA at work in a thread of its own beside a search: Python's lock is free while it compiles.

    Parameters
    ----------
    spec
        That of networks, or the Reference of a layer.
    """

    def __init__(self, spec: Any) -> None:
        self.spec = spec
        self._thread = ThreadPoolExecutor(1, "verify-xla")
        self._begun: dict[Case | LayerCase, Future[list[Array]]] = {}

    def begin(self, cases: Sequence[Case | LayerCase]) -> None:
        """Begin those of some cases that were not begun before, of a Spec alone: a function of the user's need not be
        safe in two threads.
        """
        for case in cases if isinstance(self.spec, Spec) else ():
            if case not in self._begun:
                self._begun[case] = self._thread.submit(_results_by_xla, self.spec, case)

    def results(self, case: Case | LayerCase) -> list[Array]:
        """Return what XLA gives for a case, once it does; carried out here where it was not begun."""
        begun = self._begun.get(case)
        return _results_by_xla(self.spec, case) if begun is None else begun.result()

    def end(self) -> None:
        """End the thread, after the case that is at work there."""
        self._thread.shutdown(cancel_futures=True)


def _results_by_xla(spec: Any, case: Case | LayerCase) -> list[Array]:
    call = call_of(None, spec, case)
    results: list[Array] = kind_of(call).evaluated_by_xla(spec, call)
    return results


def cross_check(
    spec: Any,
    by_xla: Sequence[Case | LayerCase],
    by_balls: Sequence[Case | LayerCase],
    budget: Budget | None = None,
    ahead: XlaAhead | None = None,
) -> dict[str, int]:
    """Let XLA carry out some cases, and certified balls others; returns how many each ran.

    Cases for which a budget leaves no time are not run. ``spec`` is that of networks, or the Reference of a layer;
    ``ahead`` has begun some of XLA's.

    Raises
    ------
    Disagreement
        When one of them contradicts the NumPy evaluator.
    """
    budget = budget or Budget()
    ran = {"XLA": 0, "certified balls": 0}
    for case in by_xla:
        if not budget.spent:
            worst_xla_error(spec, case, ahead)
            ran["XLA"] += 1
    for case in by_balls:
        seconds = balls.ball_evaluation_seconds(case.sizes) if isinstance(case, Case) else 0.0
        if seconds <= budget.left:
            worst_certified_error(spec, case)
            ran["certified balls"] += 1
    return ran


def worst_xla_error(spec: Any, case: Case | LayerCase, ahead: XlaAhead | None = None) -> float:
    """Run JAX's derivative through XLA in the case's dtype; its worst error in units of the bound."""
    call = call_of(None, spec, case)
    kind = kind_of(call)
    truth = kind.truth_of(spec, call)
    found = truth.chosen(ahead.results(case) if ahead else _results_by_xla(spec, case))
    return _require_agreement(truth, found, case.dtype, kind.names_of(call), f" on {case}")


def require_xla_agrees(spec: SpecLike, params: list[Layer], rows: Sequence[Array], truth: Truth) -> float:
    """XLA's worst error in units of the bound; raise Disagreement where it is more than one."""
    loss, gradient = xla.evaluate_by_xla(loss_function(spec), params, *rows)
    return _require_agreement(truth, [loss, *tensors_of(gradient)], rows[0].dtype)


def _require_agreement(
    truth: Truth,
    found: list[Array],
    dtype: npt.DTypeLike,
    names: Sequence[Tensor] | None = None,
    where: str = "",
) -> float:
    judgement = judge(truth.pairs, found, dtype, names=names)
    if judgement.verdict == "wrong":
        raise Disagreement(f"XLA and the NumPy evaluator differ{where}: {judgement}")
    return judgement.ratio


def worst_certified_error(spec: Any, case: Case | LayerCase) -> float:
    """Compare the NumPy evaluator with certified balls; its worst error in units of the bound."""
    call = call_of(None, spec, case)
    truth = kind_of(call).truth_of(spec, call)
    certain = truth.chosen(balls.evaluate_certified(truth.program, truth.inputs, truth.sizes, case.dtype))
    worst = 0.0
    for ball, (value, bound) in zip(certain, truth.pairs, strict=True):
        worst = max(worst, float(np.max(judged_ratios(balls.ball_distance(ball, value), bound), initial=0.0)))
    if not worst <= 1:
        raise Disagreement(f"a certified entry lies {worst:.3g} bounds from the NumPy evaluator's on {case}")
    return worst
