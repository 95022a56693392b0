"""What `y` may be: class labels, rows that are distributions, or, for regression, any finite numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mlp_ref.arrays import Floats, Integers, real_array, require_finite

__all__ = ["check_targets"]

# A row of y may miss a sum of 1 by the rounding of a long row, in float32, and not by a mistake.
SUM_TOLERANCE = 2.0**-11


def check_targets(y: ArrayLike, batch: int, n: int, dtype: np.dtype[Any], loss: str) -> Floats | Integers:
    """Return `y` as the loss named `loss` reads it, or raise an error that says what is wrong with it.

    Parameters
    ----------
    y : (batch,) integer class labels, or (batch, n) array of `dtype`
        Labels and distributions for the softmax losses; any finite numbers for ``"mse"``.
    batch, n : int
        The shape of the logits.
    dtype : float32 or float64
        The dtype of the logits.
    loss : str

    Returns
    -------
    y : (batch,) array of intp, or (batch, n) array of `dtype`
    """
    if isinstance(y, np.ma.MaskedArray):
        raise TypeError("y must not be a masked array: the mask would be ignored")
    array = np.asarray(y)
    if array.ndim and array.shape[0] != batch:
        raise ValueError(f"y must have one row per row of x, {batch}, got shape {array.shape}")
    if array.ndim == 1 and loss != "mse":
        return _labels(array, n)
    if array.shape != (batch, n):
        labels = "" if loss == "mse" else f" or, for integer labels, {(batch,)}"
        raise ValueError(f"y must have shape {(batch, n)}{labels}, got {array.shape}")
    rows = real_array(array, "y")
    if rows.dtype != dtype:
        raise TypeError(f"y must have the dtype of the parameters, {dtype}, got {rows.dtype}")
    require_finite(rows, "y")
    if loss != "mse":
        _require_distributions(rows)
    return rows


def _labels(y: np.ndarray[Any, Any], n: int) -> Integers:
    if not np.issubdtype(y.dtype, np.integer):
        raise TypeError(f"y must hold integer labels where it has one dimension, got dtype {y.dtype}")
    if y.size and (y.min() < 0 or y.max() >= n):
        row = int(np.argmax((y < 0) | (y >= n)))
        raise ValueError(f"y must hold labels from 0 to {n - 1}, but y[{row}] is {y[row]}")
    return y.astype(np.intp)


def _require_distributions(y: Floats) -> None:
    if y.min() < 0:
        row, column = (int(i) for i in np.argwhere(y < 0)[0])
        raise ValueError(f"y must hold probabilities, but y[{row}, {column}] is {y[row, column]}")
    sums = y.sum(axis=1)
    bad = np.abs(sums - 1) > SUM_TOLERANCE
    if bad.any():
        row = int(np.argmax(bad))
        raise ValueError(f"y must have rows that sum to 1, but y[{row}] sums to {sums[row]}")
