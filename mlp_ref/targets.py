"""Targets: class labels, rows that are distributions, or, for regression, any finite numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from mlp_ref.arrays import Floats, Integers, as_array, real_array, require_finite

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Targets", "check_targets", "target_labels"]

Targets: TypeAlias = "Floats | Integers"

LABELS = np.dtype(np.intp)

# How far a row may be from a sum of 1: the rounding of a long row, but not a mistake.
SUM_TOLERANCE = 2.0**-11


def check_targets(
    y: object, shape: tuple[int, int], dtype: np.dtype[Any], *, of_classes: bool, name: str = "y"
) -> Targets:
    """Return `y` as the loss reads it, or raise an error that says what is wrong with it.

    Parameters
    ----------
    y : (batch,) integer class labels, or (batch, n_out) array of `dtype`
        Labels or distributions for the softmax losses; any finite numbers for ``"mse"``.
    shape : (batch, n_out)
        The shape of the logits.
    dtype : float32 or float64
        The dtype of the logits.
    of_classes : bool
        True for a softmax loss, False for ``"mse"``.
    name : str
        The name of `y` in error messages.

    Returns
    -------
    y : (batch,) array of intp, or (batch, n_out) array of `dtype`, in C order
        Labels also where every row is one-hot, since they are faster.
    """
    batch, n_out = shape
    if (
        type(y) is np.ndarray
        and y.dtype is LABELS
        and of_classes
        and y.shape == (batch,)
        and _are_labels(y, n_out)
    ):
        return y  # most need nothing
    array = as_array(y, name)
    if array.ndim and len(array) != batch:
        x = name.replace("y", "x")
        raise ValueError(
            f"{name} must have one row per row of {x}: {x} has {batch} but {name} is {array.shape}"
        )
    if array.ndim == 1 and of_classes:
        return _check_labels(array, n_out, name)
    if array.shape != shape:
        labels = f", or ({batch},) for integer labels" if of_classes else ""
        raise ValueError(f"{name} must have shape {shape}{labels}, got {array.shape}")
    rows = real_array(array, name)
    if rows.dtype != dtype:
        raise TypeError(f"{name} must have the dtype of the parameters, {dtype}, got {rows.dtype}")
    rows = np.ascontiguousarray(rows)
    if of_classes and (targets := _labels_of_one_hot(rows)) is not None:
        return targets
    require_finite(rows, name)
    if of_classes:
        _require_distributions(rows, name)
    return rows


def _check_labels(y: NDArray[Any], n_out: int, name: str) -> Integers:
    if y.dtype.kind not in "iu":
        raise TypeError(f"{name} must hold integer labels where it has one dimension, got {y.dtype}")
    if not _are_labels(y, n_out):
        row = int(((y < 0) | (y >= n_out)).argmax())
        raise ValueError(f"{name} must hold labels from 0 to {n_out - 1}, but {name}[{row}] is {y[row]}")
    return y.astype(np.intp, copy=False)


def _are_labels(y: NDArray[Any], n_out: int) -> bool:
    least, most = y.item(y.argmin()), y.item(y.argmax())  # in a third of the time of min and max
    return bool(least >= 0 and most < n_out)


def _require_distributions(y: Floats, name: str) -> None:
    if y.min() < 0:
        row, column = np.argwhere(y < 0)[0].tolist()
        raise ValueError(f"{name} must hold probabilities, but {name}[{row}, {column}] is {y[row, column]}")
    sums = y.sum(axis=1, dtype=np.float64)
    wrong = np.abs(sums - 1) > SUM_TOLERANCE
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(f"{name} must have rows that sum to 1, but {name}[{row}] sums to {sums[row]:.6g}")


def target_labels(y: Targets) -> Integers:
    """Return the most probable class of each row of `y`, (batch,)."""
    return y.astype(np.intp) if y.ndim == 1 else y.argmax(axis=1)


def _labels_of_one_hot(y: Floats) -> Integers | None:
    """Return the labels where every row has one 1, and 0 otherwise; None for other rows."""
    batch, n_out = y.shape
    if np.count_nonzero(y) != batch:
        return None
    labels = y.argmax(axis=1)
    # Where the largest number of every row is 1, there is no other that is not 0.
    largest = y.reshape(-1).take(labels + np.arange(0, y.size, n_out))
    return labels if np.count_nonzero(largest == 1) == batch else None
