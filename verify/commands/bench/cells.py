"""The cells of the benchmark: networks and batches, and the numbers they start from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mlp_ref.params import Layer
from verify.evaluate.array import Array

DTYPES = ("float32", "float64")


class CellArrays(NamedTuple):
    """The arrays that every peer starts from; `y` holds integer class labels, (batch,)."""

    params: list[Layer]
    x: Array
    y: Array


@dataclass(frozen=True)
class Cell:
    """A network and a batch size.

    Parameters
    ----------
    layer_sizes
        Numbers of units, inputs first.
    batch
        Rows of a batch.
    """

    layer_sizes: tuple[int, ...]
    batch: int

    @classmethod
    def parse(cls, text: str) -> Cell:
        """The cell that ``str(cell)`` names, such as ``784-16-16-10@32`` or ``10x256@256`` (ten sizes of 256).

        Raises
        ------
        ValueError
            When `text` has another form.
        """
        repeated = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)@([1-9]\d*)", text)
        listed = re.fullmatch(r"([1-9]\d*(?:-[1-9]\d*)+)@([1-9]\d*)", text)
        if repeated and int(repeated[1]) >= 2:
            return cls((int(repeated[2]),) * int(repeated[1]), int(repeated[3]))
        if listed:
            return cls(tuple(int(n) for n in listed[1].split("-")), int(listed[2]))
        raise ValueError(
            f"a cell must be layer sizes @ batch, such as 784-16-16-10@32 or 10x256@256; got {text!r}"
        )

    def __str__(self) -> str:
        """``784-16-16-10@32``; from five equal sizes on, ``10x256@256``."""
        sizes = self.layer_sizes
        if len(sizes) > 4 and len(set(sizes)) == 1:
            return f"{len(sizes)}x{sizes[0]}@{self.batch}"
        return f"{'-'.join(map(str, sizes))}@{self.batch}"

    @property
    def multiplications(self) -> int:
        """Return how many multiplications the matrix products of one gradient take: three a weight and row.

        The gradient of the inputs is left out, since nobody needs it.
        """
        weights = [n_in * n_out for n_in, n_out in pairwise(self.layer_sizes)]
        return self.batch * (3 * sum(weights) - weights[0])

    def arrays(self, dtype: str, rows: int | None = None) -> CellArrays:
        """The same numbers in either dtype, and in every process: they are drawn in float32 from a fixed seed.

        Weights as Glorot and Bengio draw them; biases that are not zero; inputs in [0, 1), as pixels are.
        """
        rng = np.random.default_rng(0)
        params = []
        for n_in, n_out in pairwise(self.layer_sizes):
            limit = np.float32(np.sqrt(6 / (n_in + n_out)))
            weight = (2 * rng.random((n_in, n_out), np.float32) - 1) * limit
            bias = (rng.random(n_out, np.float32) - np.float32(0.5)) / 5
            params.append(Layer(weight.astype(dtype), bias.astype(dtype)))
        rows = self.batch if rows is None else rows
        x = rng.random((rows, self.layer_sizes[0]), np.float32).astype(dtype)
        return CellArrays(params, x, rng.integers(0, self.layer_sizes[-1], rows))


def cells(*texts: str) -> tuple[Cell, ...]:
    """The cells of the benchmark with these names."""
    return tuple(Cell.parse(text) for text in texts)


GRID = cells(
    "16-16-16@8",
    "64-16-16-10@32",
    "784-16-16-10@1",
    "784-16-16-10@32",
    "784-16-16-10@1024",
    "17x32@32",
    "10-1000-10@64",
    "784-128-10@128",
    "784-300-100-10@64",
    "100-50-1000@256",
    "784-512-512-10@256",
    "10x256@256",
    "1024-1024-1024-10@32",
    "2048-2048-2048-1000@1024",
)
"""The default cells, from one that is all overhead to one that is all matrix products."""

QUICK = cells("16-16-16@8", "784-16-16-10@32", "784-128-10@128", "10x256@256")
"""The cells of a quick run."""

TRAINING = cells("784-16-16-10@32", "784-128-10@128", "784-512-512-10@256")
"""The networks that are trained for an epoch."""


PREDICTIONS = cells(
    "784-16-16-10@1",
    "784-16-16-10@32",
    "784-16-16-10@1024",
    "784-16-16-10@60000",
    "784-128-10@1",
    "784-128-10@32",
    "784-128-10@1024",
    "784-128-10@60000",
)
"""The networks that predict, and how many rows."""


def one_hot(y: Array, n: int, dtype: npt.DTypeLike) -> Array:
    """Integer labels (batch,) as rows (batch, n), for peers that take nothing else."""
    return np.asarray(np.eye(n, dtype=dtype)[y])
