"""JAX itself: a gradient or a backward pass compiled by XLA for each new shape."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from mlp_ref.params import Layer
from verify.evaluate.array import Array
from verify.evaluate.backward_program import BackwardProgram

Loss = Callable[..., Any]


@functools.lru_cache(maxsize=64)
def _compiled(loss: Loss) -> Any:
    return jax.jit(jax.value_and_grad(loss))


def evaluate_by_xla(loss: Loss, params: list[Layer], *rows: Array) -> tuple[Any, list[Layer]]:
    """The loss and the gradient of ``loss(params, *rows)`` in the dtype of the arrays, as XLA computes them.

    The rows are x and y, and their weights where there are some.

    JAX's global configuration is left as it was: 64-bit types are enabled for this call only.
    """
    with jax.enable_x64(True), jax.default_device(jax.local_devices(backend="cpu")[0]):
        value, gradient = _compiled(loss)(params, *rows)
        layers = [Layer(np.asarray(weight), np.asarray(bias)) for weight, bias in gradient]
        return np.asarray(value), layers


@functools.lru_cache(maxsize=64)
def _compiled_backward(backward: BackwardProgram) -> Any:
    return jax.jit(backward.pullback)


def evaluate_backward_by_xla(
    backward: BackwardProgram, arguments: Sequence[Any], cotangent: Any
) -> list[Array]:
    """The outputs of a backward pass's program as XLA computes them, in the dtypes of the arrays given."""
    leaves = [*jax.tree.leaves(tuple(arguments)), *backward.cotangents(cotangent)]
    with jax.enable_x64(True), jax.default_device(jax.local_devices(backend="cpu")[0]):
        return [np.asarray(result) for result in _compiled_backward(backward)(*leaves)]
