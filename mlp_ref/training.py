"""Training on mini-batches, epoch by epoch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from mlp_ref.arrays import Floats, Integers
from mlp_ref.calls import loss_and_gradient
from mlp_ref.evaluation import evaluate
from mlp_ref.lbfgs import LBFGS, train_by_lbfgs
from mlp_ref.model_and_rows import Model, Rows
from mlp_ref.optimisers import Optimiser
from mlp_ref.progress import progress_reporter
from mlp_ref.quiet import quiet
from mlp_ref.training_course import Course, TrainingState
from mlp_ref.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mlp_ref.checkpoints import Checkpoints
    from mlp_ref.history import History
    from mlp_ref.training_plan import TrainingPlan

__all__ = ["Model", "Rows", "evaluate", "train"]


class TrainingBatch:
    """Buffers for the inputs of one mini-batch, and the workspace of its gradient."""

    def __init__(self, model: Model, data: Rows, size: int) -> None:
        self.x = np.empty((size, *data.x.shape[1:]), data.x.dtype)
        self.workspace = Workspace(model.layer_sizes, size, data.x.dtype)


def train(
    model: Model,
    data: Rows,
    plan: TrainingPlan,
    *,
    rng: np.random.Generator,
    validation: Rows | None = None,
    callbacks: Sequence[Callable[[History], object]] = (),
    checkpoints: Checkpoints | None = None,
    first_random_state: dict[str, object] | None = None,
    progress: bool = False,
) -> History:
    """Train `model` in place on checked data, and return what happened; see `MLP.fit`."""
    course = Course(model, plan, len(data.x), validation, callbacks)
    try:
        with quiet(), progress_reporter(plan.epochs, progress) as report:
            if isinstance(plan.optimiser, LBFGS):
                train_by_lbfgs(model, data, plan.optimiser, plan.epochs, plan.l2, course, report)
            else:
                _descend(
                    model, data, plan, plan.optimiser, rng, course, checkpoints, first_random_state, report
                )
    except KeyboardInterrupt:
        course.history.interrupted = True
    course.finish()
    return course.history


def _descend(
    model: Model,
    data: Rows,
    plan: TrainingPlan,
    optimiser: Optimiser,
    rng: np.random.Generator,
    course: Course,
    checkpoints: Checkpoints | None,
    first_random_state: dict[str, object] | None,
    report: Callable[[History], None],
) -> None:
    """Take epochs of steps until the plan, the early stopping or a callback ends them."""
    rows = len(data.x)
    sizes = {min(plan.batch_size, rows), rows % plan.batch_size} - {0}
    batches = {size: TrainingBatch(model, data, size) for size in sizes}
    if checkpoints and checkpoints.state:
        _resume(model, checkpoints.state, optimiser, rng, course)
    history = course.history
    in_order = np.arange(rows)
    last_good, last_memory = model.flat.copy(), optimiser.memory()
    while len(history.loss) < plan.epochs and not history.stopped_by:
        rate = course.rate()
        order = rng.permutation(rows) if plan.shuffle else in_order
        try:
            loss, accuracy = _epoch(model, data, order, plan, batches, optimiser, rate)
        except KeyboardInterrupt:
            # The vector changes in one operation of a step, so it is between two. The moments may be within one.
            optimiser.remember(last_memory)
            raise
        if not (math.isfinite(loss) and np.isfinite(model.flat).all()):
            model.flat[:] = last_good
            optimiser.remember(last_memory)
            raise FloatingPointError(
                f"the loss stopped being finite in epoch {len(history.loss) + 1} of this fit, with "
                f"learning_rate={rate:g}; the parameters are those of the epoch before: "
                "try a smaller learning_rate, or scale down x"
            )
        last_good[:], last_memory = model.flat, optimiser.memory()
        course.end_epoch(loss, accuracy, rate)
        report(history)
        epoch = len(history.loss)
        if checkpoints and (epoch % checkpoints.every == 0 or epoch == plan.epochs or history.stopped_by):
            best = course.watch.best_flat if course.watch else None
            first, now = first_random_state or {}, rng.bit_generator.state
            checkpoints.write(TrainingState(model.flat, best, last_memory, dict(first), dict(now), history))


def _resume(
    model: Model, state: TrainingState, optimiser: Optimiser, rng: np.random.Generator, course: Course
) -> None:
    model.flat[:] = state.flat
    optimiser.remember(state.memory)
    rng.bit_generator.state = state.random_state
    course.resume(state.history, state.best_flat)


def _epoch(
    model: Model,
    data: Rows,
    order: Integers,
    plan: TrainingPlan,
    batches: Mapping[int, TrainingBatch],
    optimiser: Optimiser,
    rate: float,
) -> tuple[float, float]:
    """Take one step per mini-batch; return the mean loss and the accuracy, or stop at a loss of NaN."""
    flat, params = model.flat, model.params
    loss_sum, correct = 0.0, 0
    batch_size, l2 = plan.batch_size, plan.l2
    shuffled_y = data.y[order]
    shuffled_weights = None if data.sample_weight is None else data.sample_weight[order]
    for start in range(0, len(order), batch_size):
        index, y = order[start : start + batch_size], shuffled_y[start : start + batch_size]
        batch = batches[len(index)]
        # The indices are a permutation; "clip" only spares NumPy the buffer that "raise" needs.
        x: Floats = data.x.take(index, axis=0, out=batch.x, mode="clip")
        workspace = batch.workspace
        weights = None if shuffled_weights is None else shuffled_weights[start : start + batch_size]
        loss, _ = loss_and_gradient(
            params, x, y, model.hidden, model.loss, sample_weight=weights, l2=l2, workspace=workspace
        )
        if not math.isfinite(loss):
            return loss, 0.0
        # A row counts once in the epoch's figures, also one of a last, smaller batch.
        loss_sum += loss * len(index)
        correct += workspace.count_correct()
        optimiser.step(flat, workspace.flat_grads, rate)
    return loss_sum / len(data.x), correct / len(data.x)
