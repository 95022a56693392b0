"""Weights of rows and of classes: how much each row counts in the loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mlp_ref.arrays import Floats, real_array, require_finite
from mlp_ref.checks import check_number

if TYPE_CHECKING:
    from mlp_ref.targets import Targets

__all__ = ["check_sample_weight", "weights_of_rows"]


def check_sample_weight(sample_weight: object, batch: int, dtype: np.dtype[Any]) -> Floats:
    """Return `sample_weight` in C order, if it is (batch,), of the dtype `dtype`, finite and not negative."""
    weights = real_array(sample_weight, "sample_weight")
    if weights.shape != (batch,):
        raise ValueError(f"sample_weight must have shape ({batch},), one weight a row, got {weights.shape}")
    if weights.dtype != dtype:
        raise TypeError(f"sample_weight must have the dtype of the parameters, {dtype}, got {weights.dtype}")
    require_finite(weights, "sample_weight")
    if weights.min() < 0:
        row = int(weights.argmin())
        raise ValueError(f"sample_weight must not be negative, but sample_weight[{row}] is {weights[row]}")
    return np.ascontiguousarray(weights)


def weights_of_rows(
    sample_weight: object, class_weight: object, y: Targets, classes: int, dtype: np.dtype[Any]
) -> Floats | None:
    """Return the weight of each row of a training, or None where none was given.

    They are scaled to a mean of 1 over the rows that do not weigh 0.

    Parameters
    ----------
    sample_weight : (rows,) array of `dtype`, optional
    class_weight : mapping or sequence of numbers, or "balanced", optional
        The weight of each class, times that of the row; classes that a mapping lacks weigh 1. ``"balanced"`` gives
        every class the same sum: ``rows / (classes * rows of the class)``.
    y : checked targets
    classes : int
        The number of outputs.
    dtype : float32 or float64
    """
    if sample_weight is None and class_weight is None:
        return None
    weights = np.ones(len(y))
    if sample_weight is not None:
        weights *= check_sample_weight(sample_weight, len(y), dtype)
    if class_weight is not None:
        if y.ndim != 1:
            raise ValueError(
                f"class_weight needs y to hold class labels or one-hot rows, got rows of {y.shape[1]} numbers"
            )
        weights *= _of_classes(class_weight, y, classes)[y]
    total = weights.sum()
    if not (np.isfinite(total) and total > 0):
        raise ValueError(
            f"sample_weight, times class_weight, must have a positive, finite sum, got {total:g}"
        )
    scaled: Floats = (weights * (np.count_nonzero(weights) / total)).astype(dtype)
    return scaled


def _of_classes(class_weight: object, y: Any, classes: int) -> Floats:
    if isinstance(class_weight, str):
        if class_weight != "balanced":
            raise ValueError(f'class_weight must be numbers or "balanced", got {class_weight!r}')
        counts = np.bincount(y, minlength=classes)
        return len(y) / (np.count_nonzero(counts) * np.maximum(counts, 1))
    if isinstance(class_weight, np.ndarray):
        class_weight = class_weight.tolist()
    if isinstance(class_weight, Mapping):
        unknown = [label for label in class_weight if label not in range(classes)]
        if unknown:
            raise ValueError(
                f"class_weight must be for classes from 0 to {classes - 1}, got {unknown[0]!r} too"
            )
        class_weight = [class_weight.get(label, 1.0) for label in range(classes)]
    if not isinstance(class_weight, Sequence):
        raise TypeError(f'class_weight must be a mapping, a sequence or "balanced", got {class_weight!r}')
    if len(class_weight) != classes:
        raise ValueError(f"class_weight must hold {classes} numbers, one a class, got {len(class_weight)}")
    return np.array([check_number(weight, "class_weight", least=0) for weight in class_weight])
