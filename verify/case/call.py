"""One call of a gradient function: a case, and which rows of its batch in which order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mlp_ref.params import Layer
from verify.case.arrays import Arrays
from verify.case.recipe import Case

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Call:
    """One call of a gradient function.

    Parameters
    ----------
    case
        The recipe of the arrays.
    rows
        How many rows of the batch, from the first on. Not given: all.
    reverse
        Whether the rows come in the opposite order.
    """

    case: Case
    rows: int | None = None
    reverse: bool = False

    @property
    def batch(self) -> int:
        """The number of rows."""
        return self.case.batch if self.rows is None else self.rows

    @property
    def _rows(self) -> slice:
        return slice(None, None, -1) if self.reverse else slice(self.rows)

    def arrays(self, dtype: npt.DTypeLike | None = None) -> Arrays:
        """Return fresh ``params``, ``x`` and ``y``, in the layout of the case; or copies in another ``dtype``."""
        params, x, y = self.case.arrays()
        x, y = x[self._rows], y[self._rows]
        if dtype is None or np.dtype(dtype) == x.dtype:
            return Arrays(params, x, y)
        params = [Layer(weight.astype(dtype), bias.astype(dtype)) for weight, bias in params]
        return Arrays(params, x.astype(dtype), y.copy() if y.dtype.kind in "iu" else y.astype(dtype))

    def inputs(self) -> list[Array]:
        """Return the same numbers in float64, labels as rows: weight, bias, ..., x, y."""
        *params, x, y = self.case.inputs()
        return [*params, x[self._rows], y[self._rows]]
