"""Scores of predictions, each one number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from mlp_ref.arrays import Floats, Integers
    from mlp_ref.targets import Targets

__all__ = ["accuracy", "r_squared"]


def accuracy(labels: Integers, y: Integers) -> float:
    """Return the fraction of `labels` that equal `y`, both (batch,)."""
    return float(np.count_nonzero(labels == y) / len(y))


def r_squared(outputs: Floats, y: Targets) -> float:
    """Return ``1 - sum((outputs - y)**2) / sum((y - mean(y))**2)`` of every column, averaged over the columns.

    Where a column of `y` is constant, it counts 1 for a perfect prediction and 0 otherwise. Both
    arrays are (batch, n_out); the sums are taken in float64.
    """
    # In units of the largest number, whose square would overflow.
    unit = max(float(np.abs(outputs).max()), float(np.abs(y).max())) or 1.0
    wide_outputs, wide_y = outputs.astype(np.float64) / unit, y.astype(np.float64) / unit
    residual = ((wide_outputs - wide_y) ** 2).sum(axis=0)
    total = ((wide_y - wide_y.mean(axis=0)) ** 2).sum(axis=0)
    constant = total == 0
    columns = np.where(constant, residual == 0, 1 - residual / np.where(constant, 1, total))
    return float(columns.mean())
