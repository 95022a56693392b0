"""The course of a training run: what is recorded at the end of each epoch, and whether another one follows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mlp_ref.evaluation import evaluate
from mlp_ref.history import History
from mlp_ref.losses import LOSSES
from mlp_ref.model_and_rows import Model, Rows
from mlp_ref.schedules import Adaptive, Moment
from mlp_ref.stopping import StoppingWatch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mlp_ref.arrays import Floats
    from mlp_ref.optimisers import OptimiserMemory
    from mlp_ref.training_plan import TrainingPlan

__all__ = ["Course", "TrainingState"]


class TrainingState(NamedTuple):
    """A training run between two epochs.

    Attributes
    ----------
    flat : vector
        The parameters.
    best_flat : vector, optional
        Those that the early stopping keeps.
    memory : OptimiserMemory
        The optimiser's.
    first_random_state, random_state : dict
        The generator's, before the run and now.
    history : History
    """

    flat: Floats
    best_flat: Floats | None
    memory: OptimiserMemory
    first_random_state: dict[str, Any]
    random_state: dict[str, Any]
    history: History


class Course:
    """The history of a run, and the early stopping and the callbacks that watch it.

    Parameters
    ----------
    model : Model
    plan : TrainingPlan
    rows : int
        How many an epoch takes.
    validation : Rows, optional
    callbacks : sequence of functions of a History
    """

    def __init__(
        self,
        model: Model,
        plan: TrainingPlan,
        rows: int,
        validation: Rows | None = None,
        callbacks: Sequence[Callable[[History], object]] = (),
    ) -> None:
        self.history = History()
        self.watch = StoppingWatch(plan.stopping) if plan.stopping else None
        self._model, self._plan, self._rows = model, plan, rows
        self._validation, self._callbacks = validation, callbacks

    def rate(self) -> float:
        """Return the learning rate of the epoch that begins."""
        lowered = self.watch.lowered if self.watch else 0
        at = Moment(len(self.history.loss), self._plan.epochs, self._rows, lowered)
        rate = self._plan.schedule(self._plan.learning_rate, at)
        if isinstance(rate, bool) or not isinstance(rate, int | float | np.integer | np.floating):
            raise TypeError(f"schedule must give rates that are numbers, got {rate!r} at {at}")
        if not 0 < rate < math.inf:
            raise ValueError(f"schedule must give rates that are positive and finite, got {rate!r} at {at}")
        return float(rate)

    def end_epoch(self, loss: float, accuracy: float, rate: float) -> None:
        """Record an epoch, and say in the history's `stopped_by` if it is the last."""
        history = self.history
        figures = [(history.loss, history.accuracy, (loss, accuracy))]
        if self._validation is not None:
            held_out = evaluate(self._model, self._validation)
            figures.append((history.validation_loss, history.validation_accuracy, held_out))
        for losses, accuracies, (new_loss, new_accuracy) in figures:
            losses.append(new_loss)
            if LOSSES[self._model.loss].of_classes:
                accuracies.append(new_accuracy)
        history.learning_rate.append(rate)
        if self.watch:
            exhausted = self.watch.observe(history, len(history.loss), self._model.flat)
            history.best_epoch = self.watch.best_epoch
            schedule = self._plan.schedule
            if exhausted and not (isinstance(schedule, Adaptive) and rate > schedule.smallest):
                history.stopped_by = "early stopping"
        # Every callback sees every epoch, also where one before it has said to stop.
        answers = [callback(history) for callback in self._callbacks]
        if any(answers) and not history.stopped_by:
            history.stopped_by = "callback"

    def resume(self, history: History, best_flat: Floats | None) -> None:
        """Go on after the epochs of `history`; `best_flat` holds the best parameters among them."""
        self.history = history
        if self.watch:
            for epoch in range(1, len(history.loss) + 1):
                self.watch.observe(history, epoch)
            self.watch.best_flat = best_flat

    def finish(self) -> None:
        """Give the model its best parameters, where the early stopping kept them."""
        if self.watch and self.watch.best_flat is not None:
            self._model.flat[:] = self.watch.best_flat
