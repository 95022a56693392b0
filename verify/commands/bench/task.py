"""A task of the benchmark: what a peer is asked to do, on which cell and in which dtype."""

from __future__ import annotations

from dataclasses import dataclass

from verify.commands.bench.cells import Cell, CellArrays


@dataclass(frozen=True)
class Task:
    """One thing a peer is asked to do again and again.

    Parameters
    ----------
    kind
        ``gradient``: loss and gradient of a batch. ``epoch``: one epoch of stochastic gradient descent.
        ``prediction``: the most probable class of every row of a batch.
    cell, dtype, hidden
        The network, ``float32`` or ``float64``, and the activation of the hidden layers.
    rows
        For an epoch, the rows of the training set; they are batched by ``cell.batch``.
    learning_rate
        For an epoch.
    """

    kind: str
    cell: Cell
    dtype: str = "float32"
    hidden: str = "sigmoid"
    rows: int | None = None
    learning_rate: float = 0.01

    @property
    def n_in(self) -> int:
        """Units of the input layer."""
        return self.cell.layer_sizes[0]

    @property
    def n_out(self) -> int:
        """Classes."""
        return self.cell.layer_sizes[-1]

    def arrays(self) -> CellArrays:
        """Return what the task starts from."""
        return self.cell.arrays(self.dtype, self.rows)
