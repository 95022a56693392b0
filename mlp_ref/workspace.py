"""Buffers: the arrays of one forward and backward pass, the pieces of a long batch, and whether they fit.

Shapes: batch rows, n_in inputs and n_out outputs of a layer, n outputs of the network.
"""

from __future__ import annotations

from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from mlp_ref.arrays import CONSTANTS, Floats, empty_vector
from mlp_ref.checks import check_dtype, check_layer_sizes, check_positive
from mlp_ref.params import layer_places, layer_views, sizes_of_params
from mlp_ref.products import fastest_product

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import DTypeLike

    from mlp_ref.params import Params
    from mlp_ref.targets import Targets

__all__ = ["ROWS_AT_ONCE", "LossBuffers", "Workspace"]

ROWS_AT_ONCE = 1024
"""Rows of a piece: a longer batch is taken in pieces, so that its layers stay in the cache and memory is constant."""

LARGE = 65_536
"""Parameters from which the gradient has so many numbers that a pass over it is felt."""

NOTHING = np.empty(0)


class Workspace:
    """The arrays of one forward and backward pass: made once for a batch size, used at every step.

    Parameters
    ----------
    layer_sizes : sequence of int
    batch : int
    dtype : float32 or float64
    gradient : bool
        Pass False for a workspace that has no place for a gradient until it is given one.

    Attributes
    ----------
    flat_grads : vector
        The gradient of all parameters.
    grads : list of Layer
        Views of it.
    has_few_rows : bool
        True where the gradient is large, and the inputs and outputs of all layers have far fewer numbers.
    pieces : list of pairs (rows, workspace)
        Of a long batch: the slices of rows that are taken one after another, and what each is taken in. The
        workspace itself then has the gradient alone.
    a, slopes : lists of (batch, n_out) arrays
        Of every hidden layer, the activations and their slopes.
    activations : list of pairs (a, slope)
        The same arrays.
    z, dx : lists of (batch, n_out) and (batch, n_in) arrays
        Of every hidden layer, the pre-activations; of every layer, the gradient with respect to its inputs, which
        is None for the first, since nobody needs it.
    logits : (batch, n) array
        Also the place of their gradient.
    loss : LossBuffers
    """

    def __init__(
        self, layer_sizes: Sequence[int], batch: int, dtype: DTypeLike, *, gradient: bool = True
    ) -> None:
        dtype, batch = check_dtype(dtype), check_positive(batch, "batch")
        layer_sizes = check_layer_sizes(layer_sizes)
        n_in, *hidden_sizes, n = layer_sizes
        self.layer_sizes, self.batch, self.dtype = layer_sizes, batch, dtype
        self._inputs_shape = (batch, n_in)
        self._fitting: Params | None = None  # the list that was last found to fit
        self.parameter_count, self._places = layer_places(layer_sizes)
        numbers = batch * sum(n_in + n_out for n_in, n_out in pairwise(layer_sizes))
        self.has_few_rows = self.parameter_count > max(LARGE, 2 * numbers)
        self.drop_gradient()
        if gradient:
            self.put_gradient_in(empty_vector(self.parameter_count, dtype))
        self.pieces: list[tuple[slice, Workspace]] = []
        self._correct_in_pieces = 0
        self._room: Floats | None = None  # made when first asked for: few losses have a penalty
        if batch > ROWS_AT_ONCE:
            sizes = {ROWS_AT_ONCE, batch % ROWS_AT_ONCE} - {0}
            workspaces = {rows: Workspace(layer_sizes, rows, dtype) for rows in sizes}
            for start in range(0, batch, ROWS_AT_ONCE):
                stop = min(start + ROWS_AT_ONCE, batch)
                self.pieces.append((slice(start, stop), workspaces[stop - start]))
            return
        self.a, self.slopes = ([np.empty((batch, n), dtype) for n in hidden_sizes] for _ in range(2))
        self.activations = list(zip(self.a, self.slopes, strict=True))
        # Every z and, later, every dx in one place: it is used up before the next is made, and stays in the cache.
        place = np.empty(batch * max(hidden_sizes, default=0), dtype)
        self.z = [place[: batch * n].reshape(batch, n) for n in hidden_sizes]
        self.dx: list[Floats | None] = [None, *self.z]
        self.logits = np.empty((batch, n), dtype)
        self.ones = np.ones(batch, dtype)
        self.multiply = fastest_product(layer_sizes, batch)
        self.loss = LossBuffers(batch, n, dtype, dz=self.logits)

    def room_for_weight(self, shape: tuple[int, int]) -> Floats:
        """Return an array of the shape of a layer's weight to work in; they share their memory."""
        if self._room is None:
            largest = max(layer.weight.size for layer in self.grads)
            self._room = np.empty(largest, self.dtype)
        room: Floats = self._room[: shape[0] * shape[1]].reshape(shape)
        return room

    def put_gradient_in(self, flat: Floats) -> None:
        """Put the next gradient in the vector `flat`, of as many numbers as there are parameters."""
        self.flat_grads, self.grads = flat, layer_views(flat, self._places)

    def drop_gradient(self) -> None:
        """Forget the gradient, and the memory that the next would be put in."""
        self.flat_grads, self.grads = NOTHING, []

    def by_piece(self) -> list[tuple[slice, Workspace]]:
        """Return `pieces`, or for a batch that is not long all rows and this workspace."""
        return self.pieces or [(slice(None), self)]

    def cut(self, x: Floats, y: Targets) -> Iterable[tuple[Workspace, Floats, Targets]]:
        """Return the pieces of a batch, one after another: the workspace of a piece, and its rows of `x` and `y`."""
        if not self.pieces:
            return [(self, np.ascontiguousarray(x), y)]
        return ((piece, np.ascontiguousarray(x[rows]), y[rows]) for rows, piece in self.pieces)

    def add_mean(self, piece: Workspace, fraction: float) -> None:
        """Add the gradient of a piece, the mean over its rows, to the batch's: as its `fraction` of the rows."""
        piece.flat_grads *= self.dtype.type(fraction)
        self.flat_grads += piece.flat_grads
        self._correct_in_pieces += piece.count_correct()

    def clear(self) -> None:
        """Set the gradient to 0, to which `add_mean` adds."""
        self.flat_grads.fill(0)
        self._correct_in_pieces = 0

    def count_correct(self) -> int:
        """Return in how many rows the target had the largest logit, when a softmax loss was last computed here."""
        return self._correct_in_pieces if self.pieces else self.loss.count_correct()

    def require_fit(self, params: Params, x: Floats, y: Targets | None = None) -> None:
        """Raise a ValueError unless the workspace has the layer sizes of `params`, and the rows and dtype of `x`.

        And unless `y`, if given, has as many rows.
        """
        sizes = self.layer_sizes
        # A list that did fit is looked at no more, only counted: NumPy refuses a product of other shapes by itself.
        if (
            params is self._fitting
            and x.shape == self._inputs_shape
            and x.dtype is self.dtype  # equal dtypes are nearly always one object
            and len(params) == len(sizes) - 1
            and (y is None or len(y) == self.batch)
        ):
            return
        if (found := sizes_of_params(params)) != list(sizes):
            raise ValueError(
                f"workspace must fit params: it is for the layer sizes {list(sizes)}, but params have {found}"
            )
        if x.shape != self._inputs_shape:
            raise ValueError(
                f"workspace must fit x: it is for shape {self._inputs_shape}, but x has {x.shape}"
            )
        for name, dtype in (("params", params[0].weight.dtype), ("x", x.dtype)):
            if dtype != self.dtype:
                raise ValueError(f"workspace must fit {name}: it is for {self.dtype}, but {name} has {dtype}")
        if y is not None and len(y) != self.batch:
            raise ValueError(f"y must have one row per row of x: x has {self.batch} but y has {len(y)}")
        self._fitting = params


class LossBuffers:
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
        columns = iter(np.empty((21, batch), dtype))
        self.top_z, self.d_target, self.e_target, self.e_others, self.total, self.divisor = islice(columns, 6)
        self.y_target, self.y_others, self.y_total, self.p_target, self.p_others = islice(columns, 5)
        self.expected_d, self.excess, self.total_minus_1, self.log_total, self.odds = islice(columns, 5)
        self.row_loss, self.minus_others, self.gained, self.lost, self.shares = columns
        # What is used up before these are made:
        self.dp_top, self.mean_dp = self.top_z, self.d_target
        self.top_z_column, self.total_column, self.y_total_column, self.divisor_column = (
            column[:, None] for column in (self.top_z, self.total, self.y_total, self.divisor)
        )
        self.dp_top_column, self.mean_dp_column = self.dp_top[:, None], self.mean_dp[:, None]
        self.ones = np.ones(n, dtype)
        self.mean = np.full(batch, 1 / batch, dtype)
        self.batch = np.array(batch, dtype)
        self.zero, self.one = CONSTANTS[dtype].zero, CONSTANTS[dtype].one
        self.correct = np.empty(batch, np.bool_)

    def count_correct(self) -> int:
        """Return in how many rows the target had the largest logit, when a softmax loss was last computed here."""
        return int(np.count_nonzero(np.equal(self.top, self.target, self.correct)))
