"""One call of a gradient function: a case, and which rows of its batch in which order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mlp_ref.params import Layer
from verify.case.arrays import Arrays, WeightedArrays
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

    def arrays(self, dtype: npt.DTypeLike | None = None) -> Arrays | WeightedArrays:
        """Return fresh arrays, those of `verify.Case.arrays`, in its layout; or copies in another ``dtype``."""
        arrays = self.case.arrays()
        params, *rows = arrays
        rows = [array[self._rows] for array in rows]
        if dtype is not None and np.dtype(dtype) != rows[0].dtype:
            params = [Layer(weight.astype(dtype), bias.astype(dtype)) for weight, bias in params]
            rows = [array.copy() if array.dtype.kind in "iu" else array.astype(dtype) for array in rows]
        return WeightedArrays(params, *rows) if self.case.weights else Arrays(params, *rows)

    def inputs(self) -> list[Array]:
        """Return the same numbers in float64, labels as rows: those of `verify.Case.inputs`."""
        inputs = self.case.inputs()
        parameters = 2 * (len(self.case.layer_sizes) - 1)
        return [*inputs[:parameters], *(array[self._rows] for array in inputs[parameters:])]
