"""A greedy cover: few tests that catch what many catch."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

DEPTH = 2
"""How many tests shall catch each mistake, where as many candidates do: a mistake like it may pass one."""


def cover(
    caught: npt.NDArray[Any], sizes: npt.NDArray[Any], depth: int | npt.NDArray[Any] = DEPTH
) -> list[int]:
    """Indices, in order, of candidates that catch every mistake which any catches, ``depth`` times where they can.

    Again and again, the candidate is taken that catches, for each number that it takes, the most of what is not caught
    often enough yet.

    Parameters
    ----------
    caught
        (candidates, mistakes): true where a candidate catches a mistake.
    sizes
        (candidates,): the numbers that each takes.
    depth
        How often each mistake shall be caught: a number, or one for each mistake.
    """
    left = np.minimum(caught.sum(axis=0), depth)
    free = np.ones(len(caught), dtype=bool)
    while left.any():
        best = int(np.argmax(free * (caught & (left > 0)).sum(axis=1) / sizes))
        left = np.maximum(left - caught[best], 0)
        free[best] = False
    return [int(i) for i in np.flatnonzero(~free)]
