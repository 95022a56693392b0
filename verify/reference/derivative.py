"""JAX's derivative of a Spec, or of a user's loss, as a Program: traced once a depth for all sizes."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
from jax import export

from mlp_ref.params import Layer
from verify.evaluate.flattening import flatten_jaxpr
from verify.evaluate.program import Program, rename_sizes
from verify.reference import network
from verify.reference.spec import Spec

CALLS_NUMPY = "calls NumPy; it must be written in jax.numpy, which can differentiate it"
"""Of a function that is given JAX's arrays and hands them to NumPy."""


def _trace(loss: network.Loss, depth: int, sizes: Mapping[str, Any], weighted: bool) -> Program:
    """The Program of a loss for ``depth`` layers; ``sizes`` maps b, n0, n1, ... to dimensions."""

    def array(*names: str) -> Any:
        shape = tuple(sizes[name] for name in names)
        return jax.ShapeDtypeStruct(shape, jnp.float64)  # type: ignore[no-untyped-call]

    params = [Layer(array(f"n{i}", f"n{i + 1}"), array(f"n{i + 1}")) for i in range(depth)]
    rows = [array("b", "n0"), array("b", f"n{depth}"), *[array("b")] * weighted]

    def scalar_loss(*arrays: Any) -> Any:
        value = loss(*arrays)
        if getattr(value, "shape", None) != ():
            raise TypeError(f"spec must return a scalar; the loss returned {jax.eval_shape(loss, *arrays)}")
        return value

    with jax.enable_x64(True):
        try:
            return flatten_jaxpr(jax.make_jaxpr(jax.value_and_grad(scalar_loss))(params, *rows))
        except jax.errors.TracerArrayConversionError as error:
            name = getattr(loss, "__name__", "the loss")
            raise TypeError(f"spec, which is --reference of the command: {name} {CALLS_NUMPY}") from error


_SIZES = export.SymbolicScope()
"""The one scope of symbolic sizes: in it, what JAX has traced of one depth serves another."""


@functools.lru_cache(maxsize=256)
def _traced_symbolically(spec: Spec | network.Loss, depth: int) -> Program | None:
    """The Program for all sizes at once; None for a user's function that cannot be traced so."""
    of_spec = isinstance(spec, Spec)
    weighted = isinstance(spec, Spec) and spec.weighted
    names = ["b", *(f"n{i}" for i in range(depth + 1))]
    # The widths are counted from the output: of a network with one layer more, the last ones are those of this one.
    from_output = ["b", *(f"from_output_{depth - i}" for i in range(depth + 1))]
    dimensions = export.symbolic_shape(",".join(from_output), scope=_SIZES)
    try:
        program = _trace(loss_function(spec), depth, dict(zip(names, dimensions, strict=True)), weighted)
    except Exception:  # the concrete trace succeeds, or raises what is really wrong
        if of_spec:
            raise
        return None
    program = rename_sizes(program, dict(zip(from_output, names, strict=True)))
    return replace(program, shifts_cancel=of_spec)


@functools.lru_cache(maxsize=4096)
def _traced_concretely(loss: network.Loss, dimensions: tuple[tuple[str, int], ...]) -> Program:
    return _trace(loss, len(dimensions) - 2, dict(dimensions), weighted=False)


@functools.cache
def _spec_loss(spec: Spec) -> network.Loss:
    return network.network_loss_of(spec)


def loss_function(spec: Spec | network.Loss) -> network.Loss:
    """The function whose derivative is traced: ``loss(params, x, y)`` of a Spec (the same object each time), or the
    user's own.
    """
    return _spec_loss(spec) if isinstance(spec, Spec) else spec


def traced_derivative(spec: Spec | network.Loss, sizes: Mapping[str, int]) -> Program:
    """JAX's derivative of a Spec, or of a user's JAX function ``loss(params, x, y) -> scalar``.

    Traced once per depth with symbolic sizes, and cached. A user's function that needs to know the sizes (it
    loops over them, say) is traced for each shape instead.

    Raises
    ------
    TypeError
        When the function does not return a scalar, or calls NumPy.
    """
    program = _traced_symbolically(spec, len(sizes) - 2)
    return program or _traced_concretely(loss_function(spec), tuple(sizes.items()))
