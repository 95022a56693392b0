"""The numbers of a layer's case: what each regime puts into its inputs."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from verify.evaluate.array import Array
from verify.reference.reference import Setting
from verify.reference.shapes import Shape

REGIMES = {
    "ordinary": "numbers of the size of 1, not around 0",
    "ties": "multiples of a half from -1 to 1: equal numbers, and exact zeros",
    "equal_rows": "the last row equals the first",
    "constant": "the entries of each row of the first input are equal, or those of each column",
    "tiny": "numbers of a thousandth",
    "large": "numbers of the size of 30: saturation",
    "extreme": "numbers of the size of 1000: beyond exp's overflow",
}
"""What each regime is. The order is that in which a failing case is simplified: towards the first."""


class LayerArrays(NamedTuple):
    """The arguments of a layer: inputs by name, each an array or a structure, and the outputs' cotangents."""

    inputs: dict[str, Any]
    cotangents: list[Array]


_SCALE = {"tiny": 1e-3, "large": 30.0, "extreme": 1000.0}


@functools.lru_cache(maxsize=8)
def fill_layer_values(
    setting: Setting, dtype: str, regime: str, seed: int
) -> tuple[dict[str, Any], list[Array]]:
    """The inputs of a case by name, and the cotangents of the outputs' leaves: not to be changed."""
    reference = setting.reference
    inputs: dict[str, Any] = {}
    first = reference.differentiated[0]
    for name, tree in setting.shapes.items():
        # A generator for each input: an input keeps its numbers when another one gets smaller.
        rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
        make: Callable[..., Array]
        if name in reference.integers:
            make = functools.partial(_integers, rng, _bound(reference.integers[name], setting))
        elif name in reference.choices:
            make = functools.partial(_chosen, rng, reference.choices[name], dtype)
        else:
            make = functools.partial(_floats, rng, dtype, regime, name in reference.positive, name == first)
        inputs[name] = jax.tree.map(make, tree, is_leaf=_is_shape)
    if regime == "equal_rows":
        for tree in inputs.values():
            for array in jax.tree.leaves(tree):
                if array.ndim > 1:
                    array[-1] = array[0]
    rng = np.random.default_rng([seed, 1])
    cotangents = [_cotangent(rng, shape, dtype) for shape in setting.outputs]
    return inputs, cotangents


def _is_shape(tree: Any) -> bool:
    return isinstance(tree, tuple) and all(isinstance(size, int) for size in tree)


def _bound(bound: int | str, setting: Setting) -> int:
    return Shape(str(bound)).at(setting.sizes)[0]


def _integers(rng: np.random.Generator, bound: int, shape: tuple[int, ...]) -> Array:
    return np.asarray(rng.integers(0, bound, size=shape))


def _chosen(rng: np.random.Generator, values: Any, dtype: str, shape: tuple[int, ...]) -> Array:
    return np.asarray(rng.choice(np.asarray(values), size=shape), dtype=dtype)


def _floats(
    rng: np.random.Generator, dtype: str, regime: str, positive: bool, first: bool, shape: tuple[int, ...]
) -> Array:
    array = np.asarray(rng.standard_normal(shape) + 0.3 * rng.standard_normal())
    if regime == "ties":
        array = np.clip(np.round(2 * array) / 2, -1, 1)
    elif regime == "constant" and first and array.ndim:
        along = int(rng.integers(array.ndim)) if array.ndim > 1 else 0
        array = np.repeat(np.take(array, [0], axis=along), shape[along], axis=along) if array.size else array
    else:
        array = array * (_SCALE.get(regime, 1.0) if first or regime == "tiny" else 1.0)
    if positive:
        array = abs(array) + (1e-3 if regime == "tiny" else 0.1)
    return np.array(array, dtype=dtype)


def _cotangent(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Array:
    """Numbers of no pattern, none of them 0 or 1: mistakes cancel in a uniform cotangent."""
    return np.array(rng.standard_normal(shape) + 0.2, dtype=dtype)
