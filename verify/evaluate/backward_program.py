"""The backward pass of any JAX function, of any structure of arguments, as a Program."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np

from verify.evaluate.array import Array
from verify.evaluate.flattening import flatten_jaxpr
from verify.evaluate.program import Program


@dataclass(frozen=True, eq=False)
class BackwardProgram:
    """A function and its vector-Jacobian product as one Program, and the structure of what goes in and comes out.

    Attributes
    ----------
    program
        Its inputs are the leaves of the arguments, then a cotangent for each floating-point leaf of the outputs;
        its outputs are ``program.values`` leaves of the function's outputs, then the gradient of each floating-point
        leaf of the arguments, all in the order of `jax.tree_util`.
    arguments, outputs
        The structures (`jax.tree_util.PyTreeDef`) of the tuple of arguments and of the function's result.
    argument_names, output_names
        Of each leaf, as `jax.tree_util.keystr` writes it: ``[0]['weight']``.
    argument_leaves, output_leaves
        The shape and dtype of each leaf, `jax.ShapeDtypeStruct`. A shape may have symbolic dimensions.
    pullback
        ``pullback(*inputs) -> outputs``: the same in JAX, flat, for `verify.evaluate.xla.evaluate_backward_by_xla`.
    """

    program: Program
    arguments: Any
    outputs: Any
    argument_names: tuple[str, ...]
    output_names: tuple[str, ...]
    argument_leaves: tuple[Any, ...]
    output_leaves: tuple[Any, ...]
    pullback: Callable[..., tuple[Any, ...]]

    @property
    def differentiated(self) -> list[int]:
        """The places, among the leaves of the arguments, of those that have a gradient."""
        return _floating(self.argument_leaves)

    @property
    def gradient_names(self) -> list[str]:
        """The names of the leaves that have a gradient."""
        return [self.argument_names[i] for i in self.differentiated]

    def inputs(self, arguments: Sequence[Any], cotangent: Any) -> list[Array]:
        """The program's inputs: numbers in float64 without rounding, outcomes as they are.

        Parameters
        ----------
        arguments
            A tuple of pytrees of arrays, of the structure that was traced.
        cotangent
            A pytree of arrays like the function's result; its leaves where the result is of integers are not read,
            and may be None.

        Raises
        ------
        TypeError
            When a structure is another one than was traced.
        ValueError
            When an array has another shape than was traced.
        """
        leaves = _leaves("arguments", tuple(arguments), self.arguments)
        for name, leaf, traced in zip(self.argument_names, leaves, self.argument_leaves, strict=True):
            _require_shape(f"arguments{name}", leaf, traced)
        weights = self.cotangents(cotangent)
        for i, weight in zip(_floating(self.output_leaves), weights, strict=True):
            _require_shape(f"cotangent{self.output_names[i]}", weight, self.output_leaves[i])
        return [_held(leaf) for leaf in [*leaves, *weights]]

    def cotangents(self, cotangent: Any) -> list[Any]:
        """The leaves of a cotangent where the function's result is floating-point."""
        weights = _leaves("cotangent", cotangent, self.outputs)
        return [weights[i] for i in _floating(self.output_leaves)]

    def gradient(self, tensors: Sequence[Any]) -> tuple[Any, ...]:
        """The tensors of a gradient as a tuple like the arguments, with None for the leaves that have none."""
        of_leaf = dict(zip(self.differentiated, tensors, strict=True))
        leaves = [of_leaf.get(i) for i in range(len(self.argument_leaves))]
        return tuple(jax.tree.unflatten(self.arguments, leaves))


def traced_backward(function: Callable[..., Any], arguments: Sequence[Any]) -> BackwardProgram:
    """The vector-Jacobian product of ``function(*arguments)``, traced at the shapes of ``arguments``.

    Parameters
    ----------
    function
        Any JAX function. It returns a pytree of arrays.
    arguments
        Pytrees whose leaves have ``shape`` and ``dtype``: arrays, or `jax.ShapeDtypeStruct` (whose dimensions may be
        symbolic: `jax.export.symbolic_shape`). What is floating-point is differentiated, and traced in float64;
        integers and truths are not.

    Raises
    ------
    TypeError
        When no leaf, or no output, is floating-point.
    NoRule
        When the function has a loop or a switch that cannot be written out.
    """
    named, structure = jax.tree_util.tree_flatten_with_path(tuple(arguments))
    leaves = tuple(_wide(leaf) for _, leaf in named)
    floats = _floating(leaves)
    if not floats:
        raise TypeError("arguments must have a floating-point leaf: there is nothing to differentiate")

    def flat_function(given: Sequence[Any], differentiated: Sequence[Any]) -> Any:
        whole = list(given)
        for i, leaf in zip(floats, differentiated, strict=True):
            whole[i] = leaf
        return function(*jax.tree.unflatten(structure, whole))

    with jax.enable_x64(True):
        result = jax.eval_shape(lambda *given: flat_function(given, [given[i] for i in floats]), *leaves)
        named_outputs, out_structure = jax.tree_util.tree_flatten_with_path(result)
        out_leaves = tuple(jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for _, leaf in named_outputs)  # type: ignore[no-untyped-call]
        weighted = _floating(out_leaves)
        if not weighted:
            raise TypeError(f"function must return a floating-point array; it returned {result}")

        def pullback(*inputs: Any) -> tuple[Any, ...]:
            given, cotangents = inputs[: len(leaves)], inputs[len(leaves) :]

            def of_floats(*differentiated: Any) -> tuple[list[Any], list[Any]]:
                values = jax.tree.leaves(flat_function(given, differentiated))
                return [values[i] for i in weighted], values

            _, transposed, values = jax.vjp(of_floats, *(given[i] for i in floats), has_aux=True)
            return (*values, *transposed(list(cotangents)))

        program = flatten_jaxpr(jax.make_jaxpr(pullback)(*leaves, *(out_leaves[i] for i in weighted)))
    program = replace(
        program, values=len(out_leaves), differentiated=tuple(program.inputs[i] for i in floats)
    )
    return BackwardProgram(
        program,
        structure,
        out_structure,
        tuple(jax.tree_util.keystr(path) for path, _ in named),
        tuple(jax.tree_util.keystr(path) for path, _ in named_outputs),
        leaves,
        out_leaves,
        pullback,
    )


def _floating(leaves: Sequence[Any]) -> list[int]:
    return [i for i, leaf in enumerate(leaves) if np.issubdtype(leaf.dtype, np.floating)]


def _wide(leaf: Any) -> Any:
    """The leaf's shape, with float64 for any float."""
    if not hasattr(leaf, "dtype"):
        leaf = np.asarray(leaf)
    dtype = np.dtype(leaf.dtype)
    return jax.ShapeDtypeStruct(leaf.shape, np.float64 if np.issubdtype(dtype, np.floating) else dtype)  # type: ignore[no-untyped-call]


def _leaves(name: str, tree: Any, structure: Any) -> list[Any]:
    try:
        return list(structure.flatten_up_to(tree))
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"{name} must have the structure that was traced, {structure}; got {jax.tree.structure(tree)}"
        ) from error


def _require_shape(name: str, leaf: Any, traced: Any) -> None:
    """Lengths that were traced as symbols may be any."""
    got = np.shape(leaf)
    fixed = [isinstance(length, int) for length in traced.shape]
    if len(got) != len(fixed) or any(
        known and a != b for known, a, b in zip(fixed, got, traced.shape, strict=True)
    ):
        raise ValueError(f"{name} must have the shape that was traced, {traced.shape}; got {got}")


def _held(leaf: Any) -> Array:
    array = np.asarray(leaf)
    return array if array.dtype == bool else array.astype(np.float64)
