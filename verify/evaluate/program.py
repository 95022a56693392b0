"""JAX's derivative as a flat list of primitive operations, traced once for every batch size and width.

``jax.make_jaxpr`` over symbolic sizes (`jax.export.symbolic_shape`) writes down what ``jax.value_and_grad`` does,
about sixty primitives for a network of two layers. An evaluator is a table of rules, one an operation, that gives
these primitives a meaning: floats with error bounds (`bounds`), or certified balls (`balls`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import export

from mlp_ref.params import Layer
from verify import reference
from verify.evaluate.primitive import (
    Operation,
    Size,
    shape,
    size,
    with_direct_comparisons,
    without_idle_operations,
)
from verify.spec import Spec

__all__ = [
    "NoRule",
    "Operation",
    "Program",
    "Size",
    "flatten",
    "loss_function",
    "require_rules",
    "run",
    "shape",
    "size",
    "traced",
]

# Primitives that only wrap others; what they wrap stands in the parameter named here.
_WRAPPERS = {
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "closed_call": "call_jaxpr",
    "core_call": "call_jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
    "custom_lin": "jaxpr",
    "remat": "jaxpr",
    "checkpoint": "jaxpr",
}


@dataclass(frozen=True, eq=False)
class Program:
    """A loss and its gradient as operations on numbered slots.

    ``inputs`` are the slots of weight, bias, weight, bias, ..., x, y; ``outputs`` those of the loss and of the
    gradient's tensors in the order of the parameters; ``constants`` are the slots that hold literals.
    ``shifts_cancel`` says that what goes through ``stop_gradient`` is a shift on which, in exact arithmetic, the
    result does not depend: so it is in `verify.reference`, and so it need not be in a user's function.
    """

    operations: tuple[Operation, ...]
    constants: tuple[tuple[int, Any], ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    slots: int
    shifts_cancel: bool = False

    @functools.cached_property
    def primitives(self) -> tuple[str, ...]:
        """The names of the primitives, each once, in the order of first use."""
        return tuple(dict.fromkeys(operation.name for operation in self.operations))


class NoRule(TypeError):
    """A primitive of the user's loss for which an evaluator has no rule."""


def require_rules(program: Program, rules: Mapping[str, object], evaluator: str) -> None:
    """Raise NoRule, naming every primitive of the program that the evaluator's table does not know."""
    missing = [name for name in program.primitives if name not in rules]
    if missing:
        raise NoRule(
            f"the gradient of this loss uses {', '.join(missing)}, for which {evaluator} has no rule; "
            f"write the loss with other operations (it knows {', '.join(sorted(rules))})"
        )


class _Flattener:
    """Numbers the variables of nested jaxprs and lists their operations in one flat sequence."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self.constants: list[tuple[int, Any]] = []
        self.slots = 0

    def new_slot(self) -> int:
        self.slots += 1
        return self.slots - 1

    def constant(self, value: Any) -> int:
        slot = self.new_slot()
        self.constants.append((slot, value))
        return slot

    def flatten(self, jaxpr: Any, consts: Sequence[Any], operands: Sequence[int]) -> list[int]:
        """List the operations of a jaxpr whose inputs are in the slots ``operands``; return its outputs' slots."""
        slot_of: dict[Any, int] = dict(zip(jaxpr.invars, operands, strict=True))
        slot_of.update({v: self.constant(value) for v, value in zip(jaxpr.constvars, consts, strict=True)})

        def read(atom: Any) -> int:
            return self.constant(atom.val) if hasattr(atom, "val") else slot_of[atom]

        for equation in jaxpr.eqns:
            name = equation.primitive.name
            inputs = [read(atom) for atom in equation.invars]
            if name in _WRAPPERS and _WRAPPERS[name] in equation.params:
                inner = equation.params[_WRAPPERS[name]]
                outputs = self.flatten(getattr(inner, "jaxpr", inner), getattr(inner, "consts", ()), inputs)
            else:
                outputs = [self.new_slot() for _ in equation.outvars]
                parameters = {key: _sized(value) for key, value in equation.params.items()}
                result = equation.outvars[0].aval
                parameters.update(out_shape=_sized(result.shape), out_dtype=result.dtype)
                self.operations.append(Operation(name, parameters, tuple(inputs), tuple(outputs)))
            slot_of.update(zip(equation.outvars, outputs, strict=True))
        return [read(atom) for atom in jaxpr.outvars]


def _sized(value: Any) -> Any:
    """A parameter with its symbolic dimensions made into Sizes, and its other numbers into Python's."""
    if isinstance(value, tuple):
        return tuple(_sized(item) for item in value)
    if isinstance(value, np.integer):
        return int(value)
    return Size(value) if export.is_symbolic_dim(value) else value


def flatten(closed_jaxpr: Any) -> Program:
    """The Program of a traced ``value_and_grad``: nested calls inlined, results that nothing uses left out."""
    flattener = _Flattener()
    inputs = [flattener.new_slot() for _ in closed_jaxpr.jaxpr.invars]
    outputs = flattener.flatten(closed_jaxpr.jaxpr, closed_jaxpr.consts, inputs)
    shapes = {slot: _sized(v.aval.shape) for slot, v in zip(inputs, closed_jaxpr.jaxpr.invars, strict=True)}
    operations, same = without_idle_operations(flattener.operations, shapes)
    outputs = [same.get(slot, slot) for slot in outputs]
    needed = set(outputs)
    kept: list[Operation] = []
    for operation in reversed(with_direct_comparisons(operations)):
        if needed.intersection(operation.results):
            needed.update(operation.operands)
            kept.append(operation)
    constants = tuple((slot, value) for slot, value in flattener.constants if slot in needed)
    return Program(tuple(reversed(kept)), constants, tuple(inputs), tuple(outputs), flattener.slots)


def run(
    program: Program, rules: Mapping[str, Callable[..., Any]], context: Any, values: list[Any]
) -> list[Any]:
    """Carry out a program: ``values`` holds inputs and constants by slot; returns the outputs.

    A rule is called as ``rule(context, parameters, *operands)`` and returns one result.
    """
    for name, parameters, operands, results in program.operations:
        values[results[0]] = rules[name](context, parameters, *[values[slot] for slot in operands])
    return [values[slot] for slot in program.outputs]


def _trace(loss: reference.Loss, depth: int, sizes: Mapping[str, Any]) -> Program:
    """The Program of a loss for ``depth`` layers; ``sizes`` maps b, n0, n1, ... to dimensions."""

    def array(*names: str) -> Any:
        shape = tuple(sizes[name] for name in names)
        return jax.ShapeDtypeStruct(shape, jnp.float64)  # type: ignore[no-untyped-call]

    params = [Layer(array(f"n{i}", f"n{i + 1}"), array(f"n{i + 1}")) for i in range(depth)]
    x, y = array("b", "n0"), array("b", f"n{depth}")

    def scalar_loss(*arrays: Any) -> Any:
        value = loss(*arrays)
        if getattr(value, "shape", None) != ():
            raise TypeError(f"the loss must return a scalar; it returned {jax.eval_shape(loss, *arrays)}")
        return value

    with jax.enable_x64(True):
        return flatten(jax.make_jaxpr(jax.value_and_grad(scalar_loss))(params, x, y))


@functools.lru_cache(maxsize=256)
def _traced_symbolically(loss: reference.Loss, depth: int, shifts_cancel: bool) -> Program:
    names = ["b", *(f"n{i}" for i in range(depth + 1))]
    dimensions = export.symbolic_shape(",".join(names))
    program = _trace(loss, depth, dict(zip(names, dimensions, strict=True)))
    return replace(program, shifts_cancel=shifts_cancel)


@functools.lru_cache(maxsize=4096)
def _traced_concretely(loss: reference.Loss, dimensions: tuple[tuple[str, int], ...]) -> Program:
    return _trace(loss, len(dimensions) - 2, dict(dimensions))


_needs_sizes: set[reference.Loss] = set()


@functools.cache
def _spec_loss(spec: Spec) -> reference.Loss:
    return reference.loss_of(spec)


def loss_function(spec: Spec | reference.Loss) -> reference.Loss:
    """The JAX function ``loss(params, x, y)`` of a Spec (the same object each time), or the function itself."""
    return _spec_loss(spec) if isinstance(spec, Spec) else spec


def traced(spec: Spec | reference.Loss, sizes: Mapping[str, int]) -> Program:
    """JAX's derivative of a Spec, or of a user's JAX function ``loss(params, x, y) -> scalar``.

    Traced once per depth with symbolic sizes, and cached. A user's function that needs to know the sizes (it
    loops over them, say) is traced for each shape instead.

    Raises
    ------
    TypeError
        When the function does not return a scalar.
    """
    loss = loss_function(spec)
    if loss not in _needs_sizes:
        try:
            return _traced_symbolically(loss, len(sizes) - 2, isinstance(spec, Spec))
        except Exception:  # the concrete trace succeeds, or raises what is really wrong
            if isinstance(spec, Spec):
                raise
            _needs_sizes.add(loss)
    return _traced_concretely(loss, tuple(sizes.items()))
