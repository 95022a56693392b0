"""L-BFGS by SciPy, on the flat vector of all parameters and the gradient of all rows at once."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from mlp_ref.calls import loss_and_gradient
from mlp_ref.checks import check_number, check_positive
from mlp_ref.workspace import Workspace

if TYPE_CHECKING:
    from mlp_ref.arrays import Floats
    from mlp_ref.model_and_rows import Model, Rows
    from mlp_ref.training_course import Course

__all__ = ["LBFGS", "train_by_lbfgs"]


class LBFGS:
    """Limited-memory BFGS, ``scipy.optimize.minimize(method="L-BFGS-B")``: an epoch is one of its iterations.

    Parameters
    ----------
    tolerance : float
        It has converged where no entry of the gradient is larger.
    evaluations : int
        The largest number of gradients.
    """

    def __init__(self, tolerance: float = 1e-5, evaluations: int = 15_000) -> None:
        self.tolerance = check_number(tolerance, "tolerance", least=0)
        self.evaluations = check_positive(evaluations, "evaluations")

    def __repr__(self) -> str:
        return f"LBFGS(tolerance={self.tolerance!r}, evaluations={self.evaluations})"


def train_by_lbfgs(
    model: Model, data: Rows, settings: LBFGS, epochs: int, l2: float, course: Course, report: Any
) -> None:
    """Train `model` in place; see `mlp_ref.training.train`.

    Raises
    ------
    ModuleNotFoundError
        Where SciPy is not installed.
    FloatingPointError
        Where the loss is not finite. The parameters are then as they were.
    """
    try:
        from scipy.optimize import minimize
    except ImportError as error:
        raise ModuleNotFoundError('optimiser="lbfgs" needs SciPy: pip install scipy') from error
    history = course.history
    workspace = Workspace(model.layer_sizes, len(data.x), data.x.dtype)
    accepted = model.flat.copy()

    def loss_and_flat_gradient(flat: Floats) -> tuple[float, Floats]:
        model.flat[:] = flat
        loss, _ = loss_and_gradient(
            model.params,
            data.x,
            data.y,
            model.hidden,
            model.loss,
            sample_weight=data.sample_weight,
            l2=l2,
            workspace=workspace,
        )
        return loss, workspace.flat_grads.astype(np.float64)

    def end_iteration(intermediate_result: Any) -> None:
        model.flat[:] = intermediate_result.x
        if not (math.isfinite(intermediate_result.fun) and np.isfinite(model.flat).all()):
            raise StopIteration
        accepted[:] = model.flat
        course.end_epoch(float(intermediate_result.fun), workspace.count_correct() / len(data.x), 1.0)
        report(history)
        if history.stopped_by:
            raise StopIteration

    try:
        result = minimize(
            loss_and_flat_gradient,
            model.flat.astype(np.float64),
            jac=True,
            method="L-BFGS-B",
            callback=end_iteration,
            options={"maxiter": epochs, "maxfun": settings.evaluations, "gtol": settings.tolerance},
        )
    finally:
        model.flat[:] = accepted
    if not math.isfinite(result.fun):
        raise FloatingPointError(
            "the loss is not finite where L-BFGS starts or looks for a step; the parameters are those of its last "
            "iteration: scale down x or the parameters"
        )
    if result.status == 0 and not history.stopped_by:
        history.stopped_by = "convergence"
