"""Other evaluators: XLA shows that the NumPy evaluator speaks for JAX, balls that its bounds hold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mlp_ref.params import Layer
from verify.case.case import Case
from verify.evaluate import balls, xla
from verify.evaluate.array import Array
from verify.evaluate.budget import Budget
from verify.reference.derivative import loss_function, traced_derivative
from verify.reference.judge import judge, ratios
from verify.reference.truth import SpecLike, Truth, tensors_of


class Disagreement(AssertionError):
    """Two evaluators of the same derivative differ by more than the bound: a defect of the oracle itself."""


def cross_check(
    spec: SpecLike, by_xla: Sequence[Case], by_balls: Sequence[Case], budget: Budget | None = None
) -> dict[str, int]:
    """Let XLA carry out some cases, and certified balls others; returns how many each ran.

    Cases for which a budget leaves no time are not run.

    Raises
    ------
    Disagreement
        When one of them contradicts the NumPy evaluator.
    """
    budget = budget or Budget()
    ran = {"XLA": 0, "certified balls": 0}
    for case in by_xla:
        if not budget.spent:
            worst_xla_error(spec, case)
            ran["XLA"] += 1
    for case in by_balls:
        if balls.ball_evaluation_seconds(case.sizes) <= budget.left:
            worst_certified_error(spec, case)
            ran["certified balls"] += 1
    return ran


def worst_xla_error(spec: SpecLike, case: Case) -> float:
    """Run ``jax.value_and_grad`` through XLA in the case's dtype; its worst error in units of the bound."""
    params, x, y, *weights = case.arrays()
    if case.labels == "integer":
        y = np.eye(case.layer_sizes[-1], dtype=x.dtype)[y]
    return require_xla_agrees(spec, params, [x, y, *weights], Truth.of(spec, case.inputs(), case.dtype))


def require_xla_agrees(spec: SpecLike, params: list[Layer], rows: Sequence[Array], truth: Truth) -> float:
    """XLA's worst error in units of the bound; raise Disagreement where it is more than one."""
    loss, gradient = xla.evaluate_by_xla(loss_function(spec), params, *rows)
    judgement = judge([truth.loss, *truth.tensors], [loss, *tensors_of(gradient)], rows[0].dtype)
    if judgement.verdict == "wrong":
        raise Disagreement(f"XLA and the NumPy evaluator differ: {judgement}")
    return judgement.ratio


def worst_certified_error(spec: SpecLike, case: Case) -> float:
    """Compare the NumPy evaluator with certified balls; its worst error in units of the bound."""
    truth = Truth.of(spec, case.inputs(), case.dtype)
    worst = 0.0
    certain = balls.evaluate_certified(
        traced_derivative(spec, case.sizes), case.inputs(), case.sizes, case.dtype
    )
    for ball, (value, bound) in zip(certain, [truth.loss, *truth.tensors], strict=True):
        worst = max(worst, float(np.max(ratios(balls.distance(ball, value), bound), initial=0.0)))
    if not worst <= 1:
        raise Disagreement(f"a certified entry lies {worst:.3g} bounds from the NumPy evaluator's on {case}")
    return worst
