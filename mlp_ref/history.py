"""The losses and accuracies of a training run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["History"]


class History(SimpleNamespace):
    """Losses and accuracies of a training run, one entry per completed epoch.

    Attributes
    ----------
    loss, accuracy : list of float
        Of the training rows: the mean over the epoch, each row as the network saw it just before
        the step it took part in. So they lag behind what the network at the end of the epoch does.
        Accuracy is the fraction of rows whose class was predicted, and is empty for ``"mse"``.
    validation_loss, validation_accuracy : list of float
        Of the validation rows at the end of the epoch; empty without validation data.
    learning_rate : list of float
        The rate of each epoch; 1 for L-BFGS, which finds its own.
    best_epoch : int
        The epoch, counted from 1, whose figure was best for the early stopping; 0 without one.
    stopped_by : str
        ``"early stopping"``, ``"callback"`` or ``"convergence"`` (of L-BFGS); empty where all epochs ran.
    interrupted : bool
        True where Ctrl-C ended the run.
    """

    loss: list[float]
    accuracy: list[float]
    validation_loss: list[float]
    validation_accuracy: list[float]
    learning_rate: list[float]
    best_epoch: int
    stopped_by: str
    interrupted: bool

    def __init__(
        self,
        loss: Iterable[float] = (),
        accuracy: Iterable[float] = (),
        validation_loss: Iterable[float] = (),
        validation_accuracy: Iterable[float] = (),
        interrupted: bool = False,
        learning_rate: Iterable[float] = (),
        best_epoch: int = 0,
        stopped_by: str = "",
    ) -> None:
        # Not a dataclass, whose module takes longer to import than this package.
        super().__init__(
            loss=list(loss),
            accuracy=list(accuracy),
            validation_loss=list(validation_loss),
            validation_accuracy=list(validation_accuracy),
            learning_rate=list(learning_rate),
            best_epoch=best_epoch,
            stopped_by=stopped_by,
            interrupted=interrupted,
        )

    def plot(self, ax: Sequence[Axes] | None = None) -> Figure:
        """Draw loss and accuracy over the epochs, and return the matplotlib figure.

        Parameters
        ----------
        ax : two Axes, optional
            For the loss and the accuracy; without accuracies, as for ``"mse"``, one is enough.
        """
        from mlp_ref.plots import training

        return training(self, ax)

    def _repr_html_(self) -> str | None:
        """Return the curves for a notebook."""
        from mlp_ref.notebook_html import history_html

        return history_html(self)

    def last_epoch(self) -> str:
        """Return the last epoch's figures as one line, or an empty one before the first."""
        columns = {
            "Loss": (self.loss, "{:.4f}"),
            "Accuracy": (self.accuracy, "{:.2%}"),
            "Validation loss": (self.validation_loss, "{:.4f}"),
            "Validation accuracy": (self.validation_accuracy, "{:.2%}"),
        }
        return ", ".join(
            f"{name}: {form.format(values[-1])}" for name, (values, form) in columns.items() if values
        )
