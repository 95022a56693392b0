"""JAX's derivative as a flat list of primitive operations, traced once for every batch size and width.

``jax.make_jaxpr`` over symbolic sizes (`jax.export.symbolic_shape`) writes down what ``jax.value_and_grad`` does,
about sixty primitives for a network of two layers. An evaluator is a table of rules, one an operation, that gives
these primitives a meaning: floats with error bounds (`bounds`), or certified balls (`balls`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jax import export

from verify.evaluate.simplify import (
    Operation,
    Size,
    shape,
    size,
    with_direct_comparisons,
    without_idle_operations,
)

__all__ = [
    "NoRule",
    "Operation",
    "Program",
    "Size",
    "flatten",
    "require_rules",
    "run",
    "shape",
    "size",
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
