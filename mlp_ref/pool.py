"""Workspaces that are kept from call to call, so that a call need not allocate what it does not return."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np

from mlp_ref.arrays import Floats, empty_vector
from mlp_ref.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Pool"]

MOST = 4
"""Workspaces that a pool keeps, each for one batch size and one network's layers: those that were used last."""

RECYCLED = 2**20
"""Bytes of a gradient from which its memory is used again. For smaller ones the C library keeps pages, and finds them
sooner."""


class Pool:
    """Workspaces and memory for gradients, kept between calls.

    A workspace is lent to one call at a time, so that several threads may share a pool: a call that finds none for its
    batch makes one. The gradient in it leaves with the caller. When nobody holds a large one any more, its memory is
    used again, since the system takes as long to hand out fresh pages as the processor takes to fill them many times
    over. At most `MOST` workspaces and one gradient are kept.
    """

    def __init__(self) -> None:
        # Lists and deques need no lock: what is used of them is one step for all threads.
        self._workspaces: list[Workspace] = []
        self._memory: deque[Floats] = deque(maxlen=1)

    def take(self, layer_sizes: Sequence[int], batch: int, dtype: np.dtype[Any]) -> Workspace:
        """Return a workspace that nobody else has, without a gradient."""
        try:
            workspace = self._workspaces.pop()
        except IndexError:
            return Workspace(layer_sizes, batch, dtype, gradient=False)
        if workspace.batch == batch and workspace.layer_sizes == layer_sizes and workspace.dtype == dtype:
            return workspace
        found = self.take(layer_sizes, batch, dtype)  # among the others
        self._keep(workspace)
        return found

    def put(self, workspace: Workspace) -> None:
        """Keep a workspace for a later call; the gradient in it is the caller's."""
        workspace.drop_gradient()
        self._keep(workspace)

    def _keep(self, workspace: Workspace) -> None:
        self._workspaces.append(workspace)
        if len(self._workspaces) > MOST:
            del self._workspaces[:-MOST]

    def vector(self, size: int, dtype: np.dtype[Any]) -> Floats:
        """Return a vector of `size` numbers, not yet set, that nobody else holds."""
        if size * dtype.itemsize < RECYCLED:
            return np.empty(size, dtype)
        try:
            memory = self._memory.pop()
        except IndexError:
            memory = empty_vector(size, dtype)
        if memory.size != size or memory.dtype != dtype:
            memory = empty_vector(size, dtype)
        return np.asarray(_Loan(memory, self._memory))

    def __reduce__(self) -> tuple[type[Pool], tuple[()]]:
        """Copy and pickle as an empty pool."""
        return Pool, ()


class _Loan:
    """Owner of the memory of a vector and of its views; when the last of them is gone, the memory goes back."""

    def __init__(self, memory: Floats, home: deque[Floats]) -> None:
        self.__array_interface__ = (
            memory.__array_interface__
        )  # by which NumPy makes an array that holds this object
        self._memory, self._home = memory, home

    def __del__(self) -> None:
        self._home.append(self._memory)
