"""Mistakes of precision: somewhere on the way a number is kept in a narrower format."""

from __future__ import annotations

from typing import Any

import numpy as np

from verify.diagnosis.mistakes.mistake import Mistake, MistakeConstant

FAMILY = "precision"
_RIGHT = "every intermediate in the precision of the parameters"
_SINGLE = "where the parameters are float32, and to every tolerance above 1e-7"
_HALF = "to every tolerance above 1e-3"


def _through(kinds: tuple[str, ...], dtype: Any) -> Any:
    """Round what is stored under these names to a dtype, and go on in the precision of the parameters."""
    return lambda kind, array, i, n: array.astype(dtype).astype(array.dtype) if kind in kinds else array


def _rounded(decimals: float) -> Any:
    return lambda kind, array, i, n: np.round(array, int(decimals)) if kind == "gradient" else array


def _entry(kind: str, dtype: Any, plural: str, story: str) -> Mistake:
    width = "half" if dtype is np.float16 else "single"
    return Mistake(
        f"{width}_{plural}",
        FAMILY,
        f"{plural} rounded to float{16 if width == 'half' else 32}",
        _RIGHT,
        story,
        _HALF if width == "half" else _SINGLE,
        {"keep": _through((kind,), dtype)},
    )


TABLE = (
    _entry("activation", np.float16, "activations", "activations are stored in half to save memory"),
    _entry("delta", np.float16, "deltas", "a device's format leaks into the backward pass"),
    _entry("gradient", np.float16, "gradients", "gradients are exchanged in half"),
    _entry("weight", np.float16, "weights", "weights are kept in half, and their master copy is not used"),
    _entry("activation", np.float32, "activations", "a buffer is allocated as float32"),
    _entry("delta", np.float32, "deltas", "a buffer is allocated as float32"),
    _entry("x", np.float32, "inputs", "the data set is loaded as float32"),
    _entry("weight", np.float32, "weights", "parameters are converted when they are set"),
    _entry("gradient", np.float32, "gradients", "gradients are stored in float32 buffers"),
    Mistake(
        "rounded_gradient",
        FAMILY,
        "round(gradient, decimals)",
        _RIGHT,
        "numbers are rounded for printing, and returned",
        "to every tolerance above the last decimal",
        {"keep": MistakeConstant(_rounded, 6, 4, 5, 8, 3, 2, 7, 10)},
    ),
)
