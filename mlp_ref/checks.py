"""Refusals of what a user hands in: what, where, got, expected."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from mlp_ref.arrays import DTYPES, Floats, real_array, require_finite
from mlp_ref.params import Layer, sizes_of_params
from mlp_ref.quiet import quiet, quietly

__all__ = [
    "check_choice",
    "check_dtype",
    "check_inputs",
    "check_layer_sizes",
    "check_learning_rate",
    "check_number",
    "check_params",
    "check_positive",
    "check_rows",
    "check_seed",
]


def check_choice(value: object, name: str, choices: Iterable[str]) -> None:
    """Raise a ValueError unless `value` is one of `choices`."""
    if not (type(value) is str and value in choices):
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}")


def check_dtype(dtype: object) -> np.dtype[Any]:
    """Return float32 or float64 as a dtype object."""
    try:
        # NumPy reads None as float64; here it is a mistake.
        found = np.dtype("O" if dtype is None else dtype)  # type: ignore[call-overload]  # NumPy decides
    except TypeError:
        found = np.dtype("O")
    if found not in DTYPES:
        raise TypeError(f"dtype must be float32 or float64, got {dtype!r}")
    return found  # type: ignore[no-any-return]


def _is_integer(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def check_positive(value: object, name: str) -> int:
    """Return `value` as an int, if it is a positive integer."""
    if not _is_integer(value):
        raise TypeError(f"{name} must be a positive integer, got {value!r}")
    number = operator.index(value)  # type: ignore[arg-type]  # an integer by now
    if number < 1:
        raise ValueError(f"{name} must be a positive integer, got {value!r}")
    return number


def check_seed(seed: object) -> int | None:
    """Return `seed` as an int that is not negative, or None."""
    if seed is None:
        return None
    if not _is_integer(seed):
        raise TypeError(f"seed must be an integer or None, got {seed!r}")
    number = operator.index(seed)  # type: ignore[arg-type]  # an integer by now
    if number < 0:
        raise ValueError(f"seed must not be negative, got {seed!r}")
    return number


def check_learning_rate(value: object, dtype: np.dtype[Any]) -> float:
    """Return `value` as a float, if it is a positive finite number, and still is one in `dtype`."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise TypeError(f"learning_rate must be a positive number, got {value!r}")
    with quiet():
        rounded = np.float64(value).astype(dtype)
    if not (rounded > 0 and np.isfinite(rounded)):
        raise ValueError(f"learning_rate must be positive and finite in {dtype}, got {value!r}")
    return float(value)


def check_number(
    value: object,
    name: str,
    *,
    least: float | None = None,
    above: float | None = None,
    below: float | None = None,
) -> float:
    """Return `value` as a float, if it is a finite number, `least` or more, more than `above`, less than `below`."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise TypeError(f"{name} must be a number, got {value!r}")
    number = float(value)
    if (
        math.isfinite(number)
        and (least is None or number >= least)
        and (above is None or number > above)
        and (below is None or number < below)
    ):
        return number
    limits = {"at least": least, "more than": above, "less than": below}
    expected = " and ".join(f"{words} {limit:g}" for words, limit in limits.items() if limit is not None)
    raise ValueError(f"{name} must be a finite number{', ' * bool(expected)}{expected}, got {value!r}")


def check_layer_sizes(layer_sizes: object) -> tuple[int, ...]:
    """Return the sizes as a tuple of ints."""
    message = f"layer_sizes must be at least two positive integers, got {layer_sizes!r}"
    if isinstance(layer_sizes, np.ndarray):
        layer_sizes = layer_sizes.tolist()
    if not isinstance(layer_sizes, Sequence) or isinstance(layer_sizes, str | bytes):
        raise TypeError(message)
    if not all(_is_integer(size) for size in layer_sizes):
        raise TypeError(message)
    if len(layer_sizes) < 2 or min(layer_sizes) < 1:
        raise ValueError(message)
    return tuple(int(size) for size in layer_sizes)


def check_params(params: object) -> tuple[list[Layer], tuple[int, ...], np.dtype[Any]]:
    """Return `params` as a list of Layer in C order, with their sizes and their common dtype."""
    if isinstance(params, list) and params and (sizes := quietly(_sizes_if_right, params)):
        return params, sizes, params[0].weight.dtype
    if not isinstance(params, Sequence):
        raise TypeError(f"params must be a list of Layer(weight, bias), got {type(params).__name__}")
    if not params:
        raise ValueError("params must hold at least one Layer(weight, bias), got none")
    layers = [_check_layer(layer, f"params[{i}]") for i, layer in enumerate(params)]
    dtype = layers[0].weight.dtype
    for i, layer in enumerate(layers):
        for name, part in zip(Layer._fields, layer, strict=True):
            if part.dtype != dtype:
                raise TypeError(
                    f"params must have one dtype, but params[{i}].{name} is {part.dtype} "
                    f"and params[0].weight is {dtype}"
                )
        before = layers[i - 1].weight.shape
        if i and layer.weight.shape[0] != before[1]:
            raise ValueError(
                f"params[{i}].weight must have one row per output of params[{i - 1}]: it is "
                f"{layer.weight.shape} but params[{i - 1}].weight is {before}"
            )
    return layers, tuple(sizes_of_params(layers)), dtype


def _sizes_if_right(params: list[Any]) -> tuple[int, ...]:
    """Return the sizes of layers that are as `check_params` would return them, as most are; none of others.

    It is to be called by `quietly`.
    """
    sizes: list[int] = []
    for layer in params:
        if type(layer) is not Layer:
            return ()
        weight, bias = layer
        if not (type(weight) is type(bias) is np.ndarray and weight.ndim == 2 and bias.ndim == 1):
            return ()
        if not sizes:
            sizes, dtype = [len(weight)], weight.dtype
        n_out = bias.size
        if not (
            dtype in DTYPES
            and weight.dtype is bias.dtype is dtype
            and weight.shape == (sizes[-1], n_out)
            and weight.size
            and weight.flags.c_contiguous
            and bias.flags.c_contiguous
            # A sum of squares that is finite has finite terms; another one is looked at again.
            and math.isfinite((flat := weight.ravel()).dot(flat))
            and math.isfinite(bias.dot(bias))
        ):
            return ()
        sizes.append(n_out)
    return tuple(sizes)


def _check_layer(layer: object, name: str) -> Layer:
    if not isinstance(layer, Sequence) or len(layer) != 2:
        raise TypeError(f"{name} must be a Layer(weight, bias), got {type(layer).__name__}")
    weight, bias = real_array(layer[0], f"{name}.weight"), real_array(layer[1], f"{name}.bias")
    if weight.ndim != 2 or 0 in weight.shape:
        raise ValueError(f"{name}.weight must have shape (n_in, n_out), got {weight.shape}")
    if bias.shape != weight.shape[1:]:
        raise ValueError(f"{name}.bias must have shape ({weight.shape[1]},), got {bias.shape}")
    require_finite(weight, f"{name}.weight")
    require_finite(bias, f"{name}.bias")
    return Layer(np.ascontiguousarray(weight), np.ascontiguousarray(bias))


def check_inputs(x: object, n_in: int, dtype: np.dtype[Any], name: str = "x") -> Floats:
    """Return `x` in C order, if it has shape (batch, n_in), the dtype `dtype` and finite values."""
    array = check_rows(x, n_in, dtype, name)
    require_finite(array, name)
    return np.ascontiguousarray(array)


def check_rows(x: object, n_in: int, dtype: np.dtype[Any], name: str = "x") -> Floats:
    """Return `x` as an array, if it has shape (batch, n_in) and the dtype `dtype`; its values are not looked at."""
    if type(x) is np.ndarray and x.dtype is dtype and x.ndim == 2 and x.shape[1] == n_in and len(x):
        return x  # most need nothing
    array = real_array(x, name)
    if array.ndim != 2 or array.shape[1] != n_in:
        row = f"; a single row is {name}[None, :]" if array.shape == (n_in,) else ""
        raise ValueError(f"{name} must have shape (batch, {n_in}), got {array.shape}{row}")
    if not len(array):
        raise ValueError(f"{name} must have at least one row, got shape {array.shape}")
    if array.dtype != dtype:
        raise TypeError(f"{name} must have the dtype of the parameters, {dtype}, got {array.dtype}")
    return array
