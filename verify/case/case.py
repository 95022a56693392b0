"""The recipe of a case: the sizes, dtype, regime, labels, layout and seed of one call of a gradient.

A string of bytes chooses the recipe (`verify.case.cases`). A seeded generator fills the arrays from it,
since floats drawn one by one are slow and come out mostly equal. A recipe gives the same bits every time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mlp_ref.params import Layer
from verify.case.arrays import Arrays, WeightedArrays, array_in_layout, fill_arrays, fill_row_weights
from verify.evaluate.array import Array
from verify.evaluate.formats import NARROW

REGIMES = {
    "ordinary": "weights and inputs of an ordinary initialisation",
    "batch_1": "a batch of one row",
    "width_1": "a hidden layer (or the input) of one unit",
    "no_hidden": "one layer alone",
    "soft_labels": "targets between the extremes",
    "missing_class": "a batch in which no row has the first class",
    "tiny": "parameters and inputs of a thousandth",
    "saturated": "hidden units far in saturation",
    "extreme_logits": "logits beyond exp's overflow",
    "ties": "a pre-activation of exactly 0, equal logits, equal rows",
    "deep": "five to eight layers",
    "wide": "a layer of 33 to 64 units",
}
"""What each regime is. The order is that in which a failing case is simplified: towards the first."""


PRACTICAL = "practical"
"""The regime of networks as people train them: `verify.case.practical`. Some are in every run; none is drawn."""


LAYOUTS = ("C", "fortran", "strided", "reversed", "read_only")
"""Memory layouts of the inputs: the values are the same in each."""


DTYPES = ("float64", "float32")
"""The dtypes that are judged where nothing is said."""


FORMATS = (*DTYPES, *NARROW)
"""The dtypes that can be judged."""


@dataclass(frozen=True)
class Case:
    """A recipe for one call of a gradient.

    Parameters
    ----------
    layer_sizes
        Numbers of units, inputs first.
    batch
        Rows of ``x``.
    dtype
        One of ``FORMATS``: float64, float32, bfloat16 or float16.
    regime
        One of ``REGIMES``.
    labels
        ``one_hot`` or ``soft`` rows that are distributions; ``integer`` class labels (batch,); ``binary`` or
        ``probability`` entries, each on its own; or ``real`` numbers.
    layout
        One of ``LAYOUTS``.
    seed
        Fills the arrays.
    weights
        Whether each row has a weight, which the gradient is given as its fourth argument.
    """

    layer_sizes: tuple[int, ...]
    batch: int
    dtype: str = "float64"
    regime: str = "ordinary"
    labels: str = "one_hot"
    layout: str = "C"
    seed: int = 0
    weights: bool = False

    @property
    def sizes(self) -> dict[str, int]:
        """The batch ``b`` and the widths ``n0, n1, ...``, as `verify.evaluate` names them."""
        return {"b": self.batch, **{f"n{i}": n for i, n in enumerate(self.layer_sizes)}}

    @property
    def extent(self) -> tuple[int, int]:
        """Return how large the case is, to compare it with others: its layers, then its units."""
        return len(self.layer_sizes), sum(self.layer_sizes)

    def described(self) -> str:
        """The sizes, dtype and layout in a few words."""
        layout = f", {self.layout} inputs" if self.layout != "C" else ""
        return f"{'-'.join(map(str, self.layer_sizes))}, batch {self.batch}, {self.dtype}{layout}"

    def arrays(self) -> Arrays | WeightedArrays:
        """Fresh ``params``, ``x`` (batch, n_in) and ``y`` (batch, n_out) or (batch,), in the case's layout.

        And ``sample_weight`` (batch,), where rows have weights.
        """
        params, x, y = (array_in_layout(array, self.layout) for array in self._filled())
        if self.weights:
            return WeightedArrays(params, x, y, array_in_layout(self._weights(), self.layout))
        return Arrays(params, x, y)

    def _weights(self) -> Array:
        return fill_row_weights(self.batch, self.dtype, self.seed)

    def _filled(self) -> tuple[list[Layer], Array, Array]:
        return fill_arrays(self.layer_sizes, self.batch, self.dtype, self.regime, self.labels, self.seed)

    def inputs(self) -> list[Array]:
        """weight, bias, weight, bias, ..., x, y in float64 (an exact copy), labels as rows; and the rows' weights."""
        params, x, y = self._filled()
        if self.labels == "integer":
            y = np.eye(self.layer_sizes[-1])[y]
        return [np.array(array, dtype=np.float64) for layer in params for array in layer] + [
            np.array(x, dtype=np.float64),
            np.array(y, dtype=np.float64),
            *([self._weights().astype(np.float64)] if self.weights else []),
        ]


LABELS = {
    "distribution": ("one_hot", "soft"),
    "probability": ("binary", "probability"),
    "real": ("real", "real"),
}
"""For each kind of target: the usual labels, and those of the regime ``soft_labels``."""

SUITED = {
    "distribution": ("integer", "one_hot", "soft"),
    "probability": ("integer", "one_hot", "soft", "binary", "probability"),
    "real": ("integer", "one_hot", "soft", "binary", "probability", "real"),
}
"""For each kind of target: the labels for which the loss is defined."""


DECLARED = ("rows", *SUITED["real"])
"""What may be said of the labels: ``rows`` of whatever suits the loss, or one kind of labels alone."""


def labels_of_case(targets: str, declared: str = "rows") -> tuple[str, str]:
    """The usual labels, and those of the regime ``soft_labels``, for a kind of target and what was said.

    Raises
    ------
    ValueError
        When the loss is not defined for them.
    """
    if declared == "rows":
        return LABELS[targets]
    if declared not in DECLARED:
        raise ValueError(f"labels must be one of {', '.join(DECLARED)}; got {declared!r}")
    if declared not in SUITED[targets]:
        suited = ", ".join(SUITED[targets])
        raise ValueError(f"labels={declared!r} do not suit the loss, whose targets are {suited}")
    return declared, declared


@dataclass(frozen=True)
class Call:
    """One call of a gradient function, made of a case.

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
