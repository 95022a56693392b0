"""Dropout, with its mask given."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jax import Array


def dropout(x: Array, mask: Array, *, p: float) -> Array:
    """x * mask / (1 - p), the mask given: 1 where an entry is kept, 0 where it is dropped."""
    return x * mask / (1 - p)
