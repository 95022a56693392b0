"""Losses: each returns its value and its gradient with respect to the logits.

Shapes: batch rows, n classes or outputs.
  z (the logits), d, e, p, y, dp, dz: (batch, n)
  y as integer class labels, and every name that ends in _target, _others or _total: (batch,)

Softmax, for every row:
  d = z - max(z)      e = exp(d)      total = sum(e)      p = e / total

Losses:
  cross_entropy       mean over the rows of -sum(y * log(p))     dz = (sum(y) * p - y) / batch
  softmax_mse         mean over all elements of (p - y)**2       dp = 2 * (p - y) / (batch * n)
                                                                 dz = p * (dp - sum(p * dp))
  mse                 mean over all elements of (z - y)**2       dz = 2 * (z - y) / (batch * n)

With weights, the loss of each row, and its dz, are multiplied by that row's; `batch` remains the number of rows.

A confident prediction makes ``1 - p`` of the right class, and everything like it, cancel. So each row has a
target, the class that `y` makes most probable, whose number is kept apart from the sum of the others' from the start:
``1 - p`` is never formed. In-place lines say what they leave in the array.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mlp_ref.arrays import Floats, Integers, real_array, require_finite
from mlp_ref.quiet import quiet
from mlp_ref.sample_weights import check_sample_weight
from mlp_ref.targets import Targets, check_targets
from mlp_ref.workspace import LossBuffers

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["LOSSES", "Loss", "cross_entropy", "mse", "softmax_mse"]


def cross_entropy(
    logits: Floats, y: Targets, buffers: LossBuffers | None = None, sample_weight: Floats | None = None
) -> tuple[float, Floats]:
    """Return the mean over the batch of ``-sum(y * log(softmax(logits)))``, and its gradient.

    The gradient of a row is ``sum(y) * p - y``, which is what the softmax's Jacobian makes of
    ``-y / p``, divided by the batch. Natural logarithm.

    Parameters
    ----------
    logits : array of float32 or float64, (batch, n)
    y : (batch,) integer class labels, or (batch, n) array of the dtype of `logits`
        Rows are distributions, one-hot or soft.
    buffers : LossBuffers, optional
        Says that the arguments have been checked, and holds the arrays to work in.
    sample_weight : (batch,) array of the dtype of `logits`, optional
        Each row's loss counts so many times; the mean is still over the number of rows.

    Returns
    -------
    loss : float
        Infinity where it is beyond the range of the dtype.
    dlogits : (batch, n) array of the dtype of `logits`
    """
    if buffers is None:
        return _checked("cross_entropy", logits, y, sample_weight)
    if y.ndim == 1:
        return _cross_entropy_of_labels(logits, y, buffers, sample_weight)
    target = _targets(y, buffers)
    d, _ = _differences(logits, buffers)
    expected_d = _expectation(y, d, buffers)
    y_target, y_others, y_total, y_of_others = _split(y, target, buffers)
    e_of_others, e_target, e_others, total = _exponentials(d, target, buffers)

    # The loss of a row is sum(y) * log(total) - sum(y * d), and no term of it is negative.
    # total - 1 is the others' sum where the target is on top, however small that sum is.
    excess = np.subtract(e_target, buffers.one, buffers.excess)
    total_minus_1 = np.add(excess, e_others, buffers.total_minus_1)
    log_total = np.log1p(total_minus_1, buffers.log_total)
    expected_log = np.multiply(log_total, y_total, buffers.row_loss)
    loss = _mean(expected_log, buffers, sample_weight) - _mean(expected_d, buffers, sample_weight)

    # The loss is the mean over the batch: here the chain rule starts.
    np.multiply(total, buffers.batch, buffers.divisor)
    # For the target, sum(y) * p - y is p * (sum of y's others) - y * (sum of p's others).
    gained = np.multiply(e_target, y_others, buffers.gained)
    lost = np.multiply(e_others, y_target, buffers.lost)
    dz = e_of_others
    dz *= buffers.y_total_column  # sum(y) * e, without the target's
    buffers.flat_dz[target] = np.subtract(gained, lost, gained)
    dz /= buffers.divisor_column  # sum(y) * p / batch, and the whole of the target's dz
    y_of_others /= buffers.batch  # y / batch, without the target's
    dz -= y_of_others  # (sum(y) * p - y) / batch
    return loss, dz if sample_weight is None else _weighted(dz, sample_weight)


def _cross_entropy_of_labels(
    z: Floats, y: Targets, buffers: LossBuffers, sample_weight: Floats | None
) -> tuple[float, Floats]:
    """Do what `cross_entropy` does for labels: the loss of a row is log1p(others / e[target])."""
    target = np.add(buffers.row_starts, y, buffers.target)
    d, _ = _differences(z, buffers)
    d_target = d.take(target, out=buffers.d_target, mode="clip")
    e_of_others, e_target, e_others, total = _exponentials(d, target, buffers)

    odds = np.divide(e_others, e_target, buffers.odds)
    row_loss = np.log1p(odds, buffers.row_loss)
    loss = (
        float(row_loss.dot(buffers.mean))
        if sample_weight is None
        else _mean(row_loss, buffers, sample_weight)
    )
    if loss == math.inf:
        # The target's exponential underflows, but its logarithm is known.
        loss = _mean(np.log(total) - d_target, buffers, sample_weight)

    # The loss is the mean over the batch: here the chain rule starts.
    np.multiply(total, buffers.batch, buffers.divisor)
    # p - y is p, but for the target: there p - 1 is minus the sum of the others.
    dz = e_of_others  # e, without the target's
    buffers.flat_dz[target] = np.negative(e_others, buffers.minus_others)  # (p - y) * total
    dz /= buffers.divisor_column  # (p - y) / batch
    return loss, dz if sample_weight is None else _weighted(dz, sample_weight)


def softmax_mse(
    logits: Floats, y: Targets, buffers: LossBuffers | None = None, sample_weight: Floats | None = None
) -> tuple[float, Floats]:
    """Return the mean over all elements of ``(softmax(logits) - y)**2``, and its gradient.

    The gradient goes through the whole Jacobian of softmax; arguments as for `cross_entropy`.
    """
    if buffers is None:
        return _checked("softmax_mse", logits, y, sample_weight)
    target = _targets(y, buffers)
    d, top = _differences(logits, buffers)
    e_of_others, e_target, e_others, total = _exponentials(d, target, buffers)
    p_target = np.divide(e_target, total, buffers.p_target)
    p_others = np.divide(e_others, total, buffers.p_others)
    p = e_of_others
    p /= buffers.total_column  # p, without the target's

    if y.ndim == 2:
        # For the target, p - y is p * (1 - y) - y * (sum of p's others).
        error = np.subtract(p, y, buffers.work)
        y_target = y.take(target, out=buffers.y_target, mode="clip")
        lost = np.multiply(p_others, y_target, buffers.lost)
        gained = np.subtract(buffers.one, y_target, buffers.gained)  # 1 - y
        gained *= p_target  # p * (1 - y)
        buffers.flat_work[target] = np.subtract(gained, lost, gained)  # error is p - y
    else:
        # p - y is p, but for the target: there p - 1 is minus the sum of the others.
        error = buffers.work
        np.copyto(error, p)
        buffers.flat_work[target] = np.negative(p_others, buffers.minus_others)  # error is p - y
    buffers.flat_dz[target] = p_target  # p, with the target's
    loss = _mean_square(error, buffers, sample_weight)

    # The loss is the mean over all elements: here the chain rule starts.
    dp = error
    dp *= 2 / dp.size  # 2 * (p - y) / (batch * n)
    # Only differences of dp matter to softmax; those to the top's keep their digits when it drowns the others.
    dp.take(top, out=buffers.dp_top, mode="clip")
    dp -= buffers.dp_top_column
    np.vecdot(p, dp, buffers.mean_dp)  # sum(p * dp)
    dp -= buffers.mean_dp_column  # dp - sum(p * dp)
    return loss, np.multiply(p, dp, p) if sample_weight is None else _weighted(
        np.multiply(p, dp, p), sample_weight
    )


def mse(
    logits: Floats, y: Targets, buffers: LossBuffers | None = None, sample_weight: Floats | None = None
) -> tuple[float, Floats]:
    """Return the mean over all elements of ``(logits - y)**2``, and its gradient.

    Parameters
    ----------
    logits : array of float32 or float64, (batch, n)
        The outputs of the network, as they are.
    y : array of the dtype of `logits`, (batch, n)
        Any finite numbers.
    buffers : LossBuffers, optional
        Says that the arguments have been checked, and holds the arrays to work in.
    sample_weight : (batch,) array of the dtype of `logits`, optional
        Each row's loss counts so many times; the mean is still over the number of rows.

    Returns
    -------
    loss : float
        Infinity where it is beyond the range of the dtype.
    dlogits : (batch, n) array of the dtype of `logits`
    """
    if buffers is None:
        return _checked("mse", logits, y, sample_weight)
    error = np.subtract(logits, y, buffers.dz)
    loss = _mean_square(error, buffers, sample_weight)
    if loss == math.inf:
        return _huge_mse(logits, y, buffers, sample_weight)
    # The loss is the mean over all elements: here the chain rule starts.
    dz = error
    dz *= 2 / dz.size  # 2 * (z - y) / (batch * n)
    return loss, dz if sample_weight is None else _weighted(dz, sample_weight)


def _huge_mse(
    logits: Floats, y: Targets, buffers: LossBuffers, sample_weight: Floats | None
) -> tuple[float, Floats]:
    """Do what `mse` does where the sum of squares overflows, though the mean and the gradient may not."""
    quarter = np.subtract(logits / 4, y / 4, buffers.dz)  # (z - y) / 4
    top = np.abs(quarter).max()
    mean = _mean_square(np.divide(quarter, top, buffers.work), buffers, sample_weight)
    dz = quarter
    dz *= 8 / dz.size  # 2 * (z - y) / (batch * n)
    loss = float(top * 4 * mean * top * 4)
    return loss, dz if sample_weight is None else _weighted(dz, sample_weight)


def _mean(row_values: Floats, buffers: LossBuffers, sample_weight: Floats | None) -> float:
    """Return the mean over the batch of a number of each row, times the row's weight where it has one."""
    if sample_weight is None:
        return float(row_values.dot(buffers.mean))
    shares = np.divide(sample_weight, buffers.batch, buffers.shares)
    mean = float(row_values.dot(shares))
    if math.isnan(mean):
        # An infinite loss of a row that weighs 0 costs nothing.
        counted = shares > 0
        mean = float(row_values[counted].dot(shares[counted]))
    return mean


def _mean_square(error: Floats, buffers: LossBuffers, sample_weight: Floats | None) -> float:
    """Return the mean over all elements of ``error**2``, times the weight of its row where it has one."""
    if sample_weight is None:
        flat = error.reshape(-1)
        return float(flat.dot(flat)) / error.size
    squares: Floats = np.vecdot(error, error, buffers.row_loss)
    return _mean(squares, buffers, sample_weight) / int(error.shape[1])


def _weighted(dz: Floats, sample_weight: Floats) -> Floats:
    """Return dz for the weight that each row has: its loss counts so many times, and so does its gradient."""
    dz *= sample_weight[:, None]
    return dz


class Loss(NamedTuple):
    """A row of the table of losses; to call it is to call its formula.

    Attributes
    ----------
    formula
        The function of logits, `y`, buffers and the rows' weights that returns the loss and its gradient with respect
        to the logits.
    of_classes : bool
        True where the output is softmax and `y` holds class labels or distributions; False where `y` holds any numbers.
    """

    formula: Callable[[Floats, Targets, LossBuffers | None, Floats | None], tuple[float, Floats]]
    of_classes: bool

    def __call__(
        self,
        logits: Floats,
        y: Targets,
        buffers: LossBuffers | None = None,
        sample_weight: Floats | None = None,
    ) -> tuple[float, Floats]:
        """Return ``(loss, dlogits)``."""
        return self.formula(logits, y, buffers, sample_weight)


LOSSES = {
    "cross_entropy": Loss(cross_entropy, of_classes=True),
    "softmax_mse": Loss(softmax_mse, of_classes=True),
    "mse": Loss(mse, of_classes=False),
}


def _checked(name: str, logits: Floats, y: Targets, sample_weight: Floats | None) -> tuple[float, Floats]:
    z = real_array(logits, "logits")
    if z.ndim != 2 or z.size == 0:
        raise ValueError(f"logits must have shape (batch, n), neither of them 0, got {z.shape}")
    require_finite(z, "logits")
    batch, n = z.shape
    loss = LOSSES[name]
    y = check_targets(y, (batch, n), z.dtype, of_classes=loss.of_classes)
    if sample_weight is not None:
        sample_weight = check_sample_weight(sample_weight, batch, z.dtype)
    with quiet():
        return loss(np.ascontiguousarray(z), y, LossBuffers(batch, n, z.dtype), sample_weight)


def _targets(y: Targets, buffers: LossBuffers) -> Integers:
    """Return where the target of every row is in the flat arrays."""
    column = y if y.ndim == 1 else y.argmax(axis=1, out=buffers.target)
    return np.add(buffers.row_starts, column, buffers.target)


def _differences(z: Floats, buffers: LossBuffers) -> tuple[Floats, Integers]:
    """Return d = z - max(z), and where the largest logit of every row is in the flat arrays."""
    top = np.add(buffers.row_starts, z.argmax(axis=1, out=buffers.top_column), buffers.top)
    z.take(top, out=buffers.top_z, mode="clip")
    return np.subtract(z, buffers.top_z_column, buffers.dz), top


def _exponentials(d: Floats, target: Integers, buffers: LossBuffers) -> tuple[Floats, Floats, Floats, Floats]:
    """Return e = exp(d) in the place of d with 0 for the target, the target's, the sum of the others', and of all."""
    e = np.exp(d, d)
    e_target = e.take(target, out=buffers.e_target, mode="clip")
    buffers.flat_dz[target] = buffers.zero  # e, without the target's
    e_others = e.dot(buffers.ones, buffers.e_others)
    total = np.add(e_others, e_target, buffers.total)
    return e, e_target, e_others, total


def _expectation(y: Targets, d: Floats, buffers: LossBuffers) -> Floats:
    """Return sum(y * d) of every row."""
    expected_d: Floats = np.vecdot(y, d, buffers.expected_d)
    if np.isnan(expected_d).any():
        # Where y is 0 and d is -infinity their product is 0 all the same.
        expected_d[:] = np.multiply(y, d, where=y > 0, out=np.zeros_like(d)).sum(axis=1)
    return expected_d


def _split(y: Targets, target: Integers, buffers: LossBuffers) -> tuple[Floats, Floats, Floats, Floats]:
    """Return of y the target's, the sum of the others', the sum of all, and a copy with 0 for the target."""
    y_target = y.take(target, out=buffers.y_target, mode="clip")
    y_of_others = buffers.work
    np.copyto(y_of_others, y)
    buffers.flat_work[target] = buffers.zero  # y, without the target's
    y_others = y_of_others.dot(buffers.ones, buffers.y_others)
    y_total = np.add(y_others, y_target, buffers.y_total)
    return y_target, y_others, y_total, y_of_others
