"""Shares of the rows of a batch in a gradient: rows that are missing, counted twice or turned round."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from verify.case.case import Case
from verify.evaluate.array import Array
from verify.reference.judge import JudgedEntries
from verify.reference.truth import SpecLike, Truth

_FITS = 1e-3
_WORST_CONDITION = 1e4
"""The distance at most from all that was returned, in units of each tensor's largest entry, and the condition number at
most of the system that gives the shares: beyond that, a picture of them would say what is not so."""


@dataclass(frozen=True)
class RowShares:
    """The shares c of the rows in ``got = sum c_i g_i``, where ``g_i`` is what row i adds to the right gradient.

    Attributes
    ----------
    kind
        ``weights`` or ``biases``: the tensors of all layers that the shares were found in.
    shares
        One for each row; 1 is right.
    """

    kind: str
    shares: tuple[float, ...]


@dataclass(frozen=True)
class RowsWithShares:
    """The rows of a case's batch, and their shares in what was returned for it."""

    case: Case
    of: tuple[RowShares, ...]


def find_row_shares(spec: SpecLike, case: Case, entries: JudgedEntries) -> RowsWithShares | None:
    """Return the shares of the rows in the weights and in the biases; of those alone that rows account for.

    The derivative is evaluated once for each row. There is no answer where the loss is not a sum or a mean over the
    rows, where rows have weights of their own, and where other shares would give nearly the same gradient.
    """
    if case.weights or case.batch < 2:
        return None
    *params, x, y = case.inputs()
    alone = [
        _joined(Truth.of(spec, [*params, x[i : i + 1], y[i : i + 1]], np.float64)) for i in range(len(x))
    ]
    if entries.expected.size != alone[0].size:
        return None
    sizes = [int(np.prod(shape)) for shape in entries.shapes]
    ends = np.cumsum([0, *sizes])
    largest = np.maximum.reduceat(abs(entries.expected), ends[:-1])
    scale = np.repeat(np.where(largest > 0, largest, 1.0), sizes)
    added = np.stack(alone, axis=1) / scale[:, np.newaxis]
    expected, got = entries.expected / scale, entries.got / scale
    whole = added.sum(axis=1)
    added = added / (len(x) if abs(whole / len(x) - expected).max() < abs(whole - expected).max() else 1)
    if not abs(added.sum(axis=1) - expected).max() <= _FITS:
        return None
    of_matrix = np.repeat([len(shape) > 1 for shape in entries.shapes], sizes)
    kinds = (("weights", of_matrix), ("biases", ~of_matrix))
    found = ((kind, _fitted(added[chosen], got[chosen])) for kind, chosen in kinds)
    of = tuple(RowShares(kind, tuple(map(float, shares))) for kind, shares in found if shares is not None)
    return RowsWithShares(case, of) if of else None


def _joined(truth: Truth) -> Array:
    return np.concatenate([value.ravel() for value, _ in truth.tensors])


def _fitted(added: Array, got: Array) -> Array | None:
    if not (np.isfinite(got).all() and np.isfinite(added).all()) or len(added) < 2 * added.shape[1]:
        return None  # as many numbers as rows could be met by shares that mean nothing
    shares, _, _, singular = np.linalg.lstsq(added, got)
    if not singular[0] <= _WORST_CONDITION * singular[-1]:
        return None
    return (
        np.asarray(shares, np.float64)
        if abs(added @ shares - got).max() <= _FITS * max(1.0, abs(got).max())
        else None
    )
