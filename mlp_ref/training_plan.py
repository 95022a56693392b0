"""The settings of a training run, checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from mlp_ref.checks import check_learning_rate, check_number, check_positive
from mlp_ref.lbfgs import LBFGS
from mlp_ref.optimisers import Optimiser, as_optimiser
from mlp_ref.schedules import Adaptive, Constant, InverseScaling, Schedule, as_schedule
from mlp_ref.stopping import EarlyStopping, as_early_stopping

if TYPE_CHECKING:
    import numpy as np

__all__ = ["TrainingPlan", "checked_training_plan"]


class TrainingPlan(NamedTuple):
    """The plan of a training: the arguments of `MLP.fit`, checked."""

    epochs: int
    batch_size: int
    learning_rate: float
    optimiser: Optimiser | LBFGS
    schedule: Schedule
    stopping: EarlyStopping | None
    shuffle: bool
    l2: float

    def settings(self) -> dict[str, str]:
        """Return what decides the bits of a training, each as a text that is the same for the same thing."""
        texts = {name: _text(value) for name, value in self._asdict().items()}
        if isinstance(self.schedule, Constant | InverseScaling | Adaptive):
            del texts["epochs"]  # a longer training begins as a shorter one does
        return texts


def _text(value: object) -> str:
    """Return a text for a value; a function's has no address in it."""
    return getattr(value, "__qualname__", None) or repr(value)


def checked_training_plan(
    dtype: np.dtype[Any],
    loss: str,
    *,
    epochs: object,
    batch_size: object,
    learning_rate: object,
    optimiser: object,
    schedule: object,
    stopping: object,
    shuffle: object,
    l2: object,
    validates: bool,
) -> TrainingPlan:
    """Return the settings as a TrainingPlan, or raise an error that names the one that is wrong."""
    checked_schedule = as_schedule(schedule)
    checked_stopping = as_early_stopping(stopping, validates, loss)
    if isinstance(checked_schedule, Adaptive) and checked_stopping is None:
        checked_stopping = EarlyStopping("loss", keep_best=False)
    return TrainingPlan(
        check_positive(epochs, "epochs"),
        check_positive(batch_size, "batch_size"),
        check_learning_rate(learning_rate, dtype),
        as_optimiser(optimiser),
        checked_schedule,
        checked_stopping,
        bool(shuffle),
        check_number(l2, "l2", least=0),
    )
