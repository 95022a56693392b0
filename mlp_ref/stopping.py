"""Early stopping: when a training has stopped getting better, and which of its parameters were the best."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from mlp_ref.checks import check_choice, check_number, check_positive
from mlp_ref.losses import LOSSES

if TYPE_CHECKING:
    from mlp_ref.arrays import Floats
    from mlp_ref.history import History

__all__ = ["MONITORS", "EarlyStopping", "StoppingWatch", "as_early_stopping"]

MONITORS = ("loss", "validation_loss", "validation_accuracy")


class EarlyStopping(NamedTuple):
    """The rule that ends a training: a figure of the `History` has not improved for more than `patience` epochs.

    Attributes
    ----------
    monitor : {"validation_loss", "validation_accuracy", "loss"}
        The figure; that an accuracy improves when it rises, and a loss when it falls, is understood.
    patience : int
        How many epochs in a row may bring no improvement.
    tolerance : float
        What is less than an improvement by this much is none.
    keep_best : bool
        Give the network the parameters of the epoch whose figure was best, at the end.
    """

    monitor: str = "validation_loss"
    patience: int = 10
    tolerance: float = 1e-4
    keep_best: bool = True


def as_early_stopping(stopping: object, validates: bool, loss: str) -> EarlyStopping | None:
    """Return `stopping` as it was asked for: an EarlyStopping, True for the usual one, None or False for none."""
    if stopping is None or stopping is False:
        return None
    if stopping is True:
        stopping = EarlyStopping()
    if not isinstance(stopping, EarlyStopping):
        raise TypeError(f"stopping must be an EarlyStopping, True, False or None, got {stopping!r}")
    check_choice(stopping.monitor, "stopping.monitor", MONITORS)
    if stopping.monitor.startswith("validation") and not validates:
        raise ValueError(
            f"stopping watches the {stopping.monitor}: give validation, a pair (x, y) or a fraction of the rows, "
            'or let it watch monitor="loss"'
        )
    if stopping.monitor == "validation_accuracy" and not LOSSES[loss].of_classes:
        raise ValueError(
            f'stopping watches the validation_accuracy, which a network with loss="{loss}" has not'
        )
    check_positive(stopping.patience, "stopping.patience")
    check_number(stopping.tolerance, "stopping.tolerance", least=0)
    return stopping


class StoppingWatch:
    """The record of early stopping: the best epoch so far.

    Its numbers follow from the `History` alone: who resumes a training shows it every epoch again.

    Attributes
    ----------
    best_epoch : int
        The epoch with the best figure, counted from 1; 0 before the first.
    best_flat : vector, optional
        The parameters after it.
    lowered : int
        How often patience ran out.
    """

    def __init__(self, stopping: EarlyStopping) -> None:
        self.stopping = stopping
        self.best = math.inf
        self.waited = 0
        self.lowered = 0
        self.best_epoch = 0
        self.best_flat: Floats | None = None

    def observe(self, history: History, epoch: int, flat: Floats | None = None) -> bool:
        """See the end of an epoch, counted from 1, and return whether patience has run out.

        Parameters
        ----------
        history : History
        epoch : int
        flat : vector, optional
            The parameters then, copied where they are the best so far and to be kept.
        """
        figures: list[float] = getattr(history, self.stopping.monitor)
        figure = figures[epoch - 1]
        cost = -figure if self.stopping.monitor == "validation_accuracy" else figure
        # So written, NaN is no improvement.
        improved = cost <= self.best - self.stopping.tolerance
        self.waited = 0 if improved else self.waited + 1
        if cost < self.best:
            self.best, self.best_epoch = cost, epoch
            if flat is not None and self.stopping.keep_best:
                if self.best_flat is None:
                    self.best_flat = flat.copy()
                else:
                    self.best_flat[:] = flat
        if self.waited <= self.stopping.patience:
            return False
        self.waited = 0
        self.lowered += 1
        return True
