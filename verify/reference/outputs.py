"""The outputs of the reference's forward pass, with bounds: what a user's own forward pass is compared with."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy.typing as npt
from jax import export

from mlp_ref.params import Layer
from verify.evaluate.array import Array
from verify.evaluate.flattening import flatten_jaxpr
from verify.evaluate.program import Program
from verify.reference import network
from verify.reference.spec import Spec
from verify.reference.truth import Truth, sizes_of_inputs

OUTPUT: dict[str, Callable[[jax.Array], jax.Array]] = {
    "softmax": lambda z: jax.nn.softmax(z, axis=1),
    "sigmoid": jax.nn.sigmoid,
    "tanh": jnp.tanh,
    "identity": lambda z: z,
}
"""Activations of the output layer."""


def truth_of_outputs(spec: Spec, inputs: list[Array], dtype: npt.DTypeLike) -> Truth:
    """The outputs (batch, n_out), after the output activation, with bounds for results in ``dtype``.

    ``inputs`` are weight, bias, weight, bias, ..., x, y in float64: `verify.Case.inputs`.
    """
    sizes = sizes_of_inputs(inputs)
    program = traced_outputs(spec, len(sizes) - 2)
    return Truth.evaluated(program, inputs[: len(program.inputs)], dtype, sizes)


@functools.lru_cache(maxsize=64)
def traced_outputs(spec: Spec, depth: int) -> Program:
    """The forward pass of a Spec as a Program of weight, bias, ..., x; traced once a depth with symbolic sizes."""
    names = ["b", *(f"n{i}" for i in range(depth + 1))]

    def forward(params: network.Params, x: jax.Array) -> jax.Array:
        return OUTPUT[spec.output](network.network_forward(params, x, spec.hidden, spec.biases))

    with jax.enable_x64(True):
        dimensions = dict(zip(names, export.symbolic_shape(",".join(names)), strict=True))
        params = [
            Layer(_array(dimensions, f"n{i}", f"n{i + 1}"), _array(dimensions, f"n{i + 1}"))
            for i in range(depth)
        ]
        return flatten_jaxpr(jax.make_jaxpr(forward)(params, _array(dimensions, "b", "n0")))


def _array(dimensions: Mapping[str, Any], *names: str) -> Any:
    shape = tuple(dimensions[name] for name in names)
    return jax.ShapeDtypeStruct(shape, jnp.float64)  # type: ignore[no-untyped-call]
