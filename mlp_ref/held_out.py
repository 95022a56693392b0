"""The rows that a training holds out, to be judged by."""

from __future__ import annotations

import numpy as np

from mlp_ref.model_and_rows import Rows


def held_out_rows(data: Rows, fraction: float, rng: np.random.Generator) -> tuple[Rows, Rows]:
    """Return the rows to train on and, drawn at random, a fraction of them to judge by: at least one row of each."""
    count = _count_apart(data, fraction)
    order = rng.permutation(len(data.x))
    return data.take(order[count:]), data.take(order[:count])


def require_rows_to_train_on(data: Rows, fraction: float) -> None:
    """Raise a ValueError where a fraction of the rows is all of them."""
    if _count_apart(data, fraction) >= len(data.x):
        raise ValueError(
            f"validation must leave a row to train on, but {fraction:g} of {len(data.x)} rows are "
            f"{_count_apart(data, fraction)}"
        )


def _count_apart(data: Rows, fraction: float) -> int:
    return max(1, round(fraction * len(data.x)))
