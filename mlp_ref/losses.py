"""Losses: each returns its value and its gradient with respect to the logits.

Shapes: batch rows, n outputs.
  z (logits), d = z - max(z), e = exp(d), p = e / sum(e), dz: (batch, n)
  y: (batch, n), rows that are distributions; or (batch,), integer class labels
  target: the class `y` makes likeliest; "the others" are the other classes of the row: (batch,)

A confident prediction makes ``1 - p[target]``, and everything like it, cancel. So the sum of the
others is kept apart from the start, and no 1 is ever subtracted.
"""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np

from mlp_ref.arrays import CONSTANTS, Floats, quiet, real_array, require_finite
from mlp_ref.targets import Targets, check_targets

__all__ = ["LOSSES", "Loss", "LossRoom", "cross_entropy", "mse", "softmax_mse"]


class LossRoom:
    """The arrays a loss works in: made once for a batch size, used at every step.

    Parameters
    ----------
    batch, n : int
        The shape of the logits.
    dtype : float32 or float64
    dz : (batch, n) array, optional
        Where the gradient goes; it may be the array the logits are in.
    """

    def __init__(self, batch: int, n: int, dtype: np.dtype[Any], dz: Floats | None = None) -> None:
        self.dz = np.empty((batch, n), dtype) if dz is None else dz
        self.flat_dz = self.dz.reshape(-1)
        self.work = np.empty((batch, n), dtype)
        self.flat_work = self.work.reshape(-1)
        self.row_starts = np.arange(0, batch * n, n, dtype=np.intp)
        # The target and the top are places in the flat arrays; top_column is where in its row the top is.
        self.top_column, self.target, self.top = np.zeros((3, batch), np.intp)
        # Every result has a column of its own: NumPy takes three times as long to put a single number, which
        # is what a batch of one row has, in the place of an operand.
        columns = np.empty((13, batch), dtype)
        self.top_z, self.d_target, self.e_target, self.others, self.total = columns[:5]
        self.y_target, self.y_others, self.y_total, self.row_loss = columns[5:9]
        self.expected_d, self.excess, self.all_others, self.divisor = columns[9:]
        self.top_z_column, self.total_column, self.divisor_column = (
            column[:, None] for column in (self.top_z, self.total, self.divisor)
        )
        self.ones = np.ones(n, dtype)
        self.mean = np.full(batch, 1 / batch, dtype)
        self.batch = np.array(batch, dtype)
        self.one = CONSTANTS[dtype].one
        self.right = np.empty(batch, np.bool_)

    def count_right(self) -> int:
        """Return in how many rows the target was on top, when a softmax loss was last computed here."""
        return int(np.count_nonzero(np.equal(self.top, self.target, self.right)))


class Loss(Protocol):
    """A function of logits and `y` that returns the loss and its gradient with respect to the logits."""

    def __call__(self, logits: Floats, y: Targets, room: LossRoom | None = None) -> tuple[float, Floats]:
        """Return ``(loss, dlogits)``."""


def cross_entropy(logits: Floats, y: Targets, room: LossRoom | None = None) -> tuple[float, Floats]:
    """Return the mean over the batch of ``-sum(y * log(softmax(logits)))``, and its gradient.

    The gradient of a row is ``sum(y) * p - y``, which is what the softmax's Jacobian makes of
    ``-y / p``, divided by the batch. Natural logarithm.

    Parameters
    ----------
    logits : array of float32 or float64, (batch, n)
    y : (batch,) integer class labels, or (batch, n) array of the dtype of `logits`
        Rows are distributions, one-hot or soft.
    room : LossRoom, optional
        Says that the arguments have been checked, and holds the arrays to work in.

    Returns
    -------
    loss : float
        Infinity where it is beyond the range of the dtype.
    dlogits : (batch, n) array of the dtype of `logits`
    """
    if room is None:
        return _checked(cross_entropy, "cross_entropy", logits, y)
    if y.ndim == 1:
        return _cross_entropy_of_labels(logits, y, room)
    target, e_target, others, row_loss = room.target, room.e_target, room.others, room.row_loss
    dz = _shift(logits, y, room)
    expected_d = _expectation(y, dz, room)
    _exponentials(room)

    # The loss of a row is sum(y) * log(total) - sum(y * d), and no term of it is negative.
    # total - 1 is the others' sum where the target is on top, however small that sum is.
    np.subtract(e_target, room.one, room.excess)
    np.add(room.excess, others, room.all_others)
    np.log1p(room.all_others, row_loss)
    row_loss *= room.y_total
    loss = float(row_loss.dot(room.mean)) - float(expected_d.dot(room.mean))

    # The loss is the mean over the batch: here the chain rule starts.
    np.multiply(room.total, room.batch, room.divisor)
    dz *= room.y_total[:, None]
    # For the target, sum(y) * p - y is p * (sum of y's others) - y * (sum of p's others).
    e_target *= room.y_others
    others *= room.y_target
    room.flat_dz[target] = np.subtract(e_target, others, others)
    dz /= room.divisor_column
    y_others = room.work
    y_others /= room.batch
    dz -= y_others
    return loss, dz


def _cross_entropy_of_labels(z: Floats, y: Targets, room: LossRoom) -> tuple[float, Floats]:
    """Do what `cross_entropy` does for labels: the loss of a row is log1p(others / e[target])."""
    dz = _shift(z, y, room)
    dz.take(room.target, out=room.d_target, mode="clip")
    _exponentials(room)
    np.divide(room.others, room.e_target, room.row_loss)
    loss = float(np.log1p(room.row_loss, room.row_loss).dot(room.mean))
    if loss == math.inf:
        # The target's exponential underflows, but its logarithm is known.
        loss = float((np.log(room.total) - room.d_target).dot(room.mean))

    # The loss is the mean over the batch: here the chain rule starts.
    np.multiply(room.total, room.batch, room.divisor)
    # For the target, p - 1 is minus the sum of the others.
    room.flat_dz[room.target] = np.negative(room.others, room.others)
    dz /= room.divisor_column
    return loss, dz


def softmax_mse(logits: Floats, y: Targets, room: LossRoom | None = None) -> tuple[float, Floats]:
    """Return the mean over all elements of ``(softmax(logits) - y)**2``, and its gradient.

    The gradient goes through the whole Jacobian of softmax; arguments as for `cross_entropy`.
    """
    if room is None:
        return _checked(softmax_mse, "softmax_mse", logits, y)
    soft = y.ndim == 2
    target, p_target, others, work = room.target, room.e_target, room.others, room.work
    p = _shift(logits, y, room)
    if soft:
        y.take(target, out=room.y_target, mode="clip")
    _exponentials(room)
    p_target /= room.total
    others /= room.total
    p /= room.total_column

    # For the target, p - y is p * (1 - y) - y * (sum of p's others).
    if soft:
        np.subtract(p, y, work)
        others *= room.y_target
        np.subtract(room.one, room.y_target, room.y_others)
        room.y_others *= p_target
        room.flat_work[target] = np.subtract(room.y_others, others, others)
    else:
        np.copyto(work, p)
        room.flat_work[target] = np.negative(others, others)
    room.flat_dz[target] = p_target
    loss = float(room.flat_work.dot(room.flat_work)) / work.size

    # The loss is the mean over all elements: here the chain rule starts.
    work *= 2 / work.size
    # Only differences of dp matter to softmax; those to the top's keep their digits when it drowns the others.
    dp = work
    dp.take(room.top, out=room.top_z, mode="clip")
    dp -= room.top_z_column
    dp -= np.vecdot(p, dp, room.top_z)[:, None]
    return loss, np.multiply(p, dp, p)


def mse(logits: Floats, y: Targets, room: LossRoom | None = None) -> tuple[float, Floats]:
    """Return the mean over all elements of ``(logits - y)**2``, and its gradient.

    Parameters
    ----------
    logits : array of float32 or float64, (batch, n)
        The outputs of the network, as they are.
    y : array of the dtype of `logits`, (batch, n)
        Any finite numbers.
    room : LossRoom, optional
        Says that the arguments have been checked, and holds the arrays to work in.

    Returns
    -------
    loss : float
        Infinity where it is beyond the range of the dtype.
    dlogits : (batch, n) array of the dtype of `logits`
    """
    if room is None:
        return _checked(mse, "mse", logits, y)
    dz = np.subtract(logits, y, room.dz)
    loss = float(room.flat_dz.dot(room.flat_dz)) / dz.size
    if loss == math.inf:
        return _huge_mse(logits, y, room)
    # The loss is the mean over all elements: here the chain rule starts.
    dz *= 2 / dz.size
    return loss, dz


def _huge_mse(logits: Floats, y: Targets, room: LossRoom) -> tuple[float, Floats]:
    """Do what `mse` does where the sum of squares overflows, though the mean and the gradient may not."""
    dz = np.subtract(logits / 4, y / 4, room.dz)
    top = np.abs(dz).max()
    np.divide(dz, top, room.work)
    mean = room.flat_work.dot(room.flat_work) / dz.size
    dz *= 8 / dz.size
    return float(top * 4 * mean * top * 4), dz


LOSSES: dict[str, Loss] = {"cross_entropy": cross_entropy, "softmax_mse": softmax_mse, "mse": mse}


def _checked(function: Loss, name: str, logits: Floats, y: Targets) -> tuple[float, Floats]:
    z = real_array(logits, "logits")
    if z.ndim != 2 or z.size == 0:
        raise ValueError(f"logits must have shape (batch, n), neither of them 0, got {z.shape}")
    require_finite(z, "logits")
    batch, n = z.shape
    y = check_targets(y, (batch, n), z.dtype, name)
    with quiet():
        return function(np.ascontiguousarray(z), y, LossRoom(batch, n, z.dtype))


def _shift(z: Floats, y: Targets, room: LossRoom) -> Floats:
    """Find the target and the top of every row, as places in the flat arrays, and return d."""
    np.add(room.row_starts, y if y.ndim == 1 else y.argmax(axis=1, out=room.target), room.target)
    top = np.add(room.row_starts, z.argmax(axis=1, out=room.top_column), room.top)
    z.take(top, out=room.top_z, mode="clip")
    d: Floats = np.subtract(z, room.top_z_column, room.dz)
    return d


def _exponentials(room: LossRoom) -> None:
    """Turn d into e, with the target's set apart: 0 in its place, so that a row's sum is the others'."""
    e = np.exp(room.dz, room.dz)
    e.take(room.target, out=room.e_target, mode="clip")
    room.flat_dz[room.target] = 0
    e.dot(room.ones, room.others)
    np.add(room.others, room.e_target, room.total)


def _expectation(y: Targets, d: Floats, room: LossRoom) -> Floats:
    """Return sum(y * d) of every row, and split y into the target's share and, in room.work, the others'."""
    expected_d: Floats = np.vecdot(y, d, room.expected_d)
    if np.isnan(expected_d).any():
        # Where y is 0 and d is -infinity their product is 0 all the same.
        expected_d[:] = np.multiply(y, d, where=y > 0, out=np.zeros_like(d)).sum(axis=1)
    y.take(room.target, out=room.y_target, mode="clip")
    np.copyto(room.work, y)
    room.flat_work[room.target] = 0
    room.work.dot(room.ones, room.y_others)
    np.add(room.y_others, room.y_target, room.y_total)
    return expected_d
