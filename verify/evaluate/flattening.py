"""A jaxpr as a flat Program: nested calls inlined, loops of known length unrolled, each operation with one result.

``jax.make_jaxpr`` over symbolic sizes (`jax.export.symbolic_shape`) writes down what ``jax.value_and_grad`` does,
about fifty operations for a network of two layers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from jax import export

from verify.evaluate.merged_sums import with_merged_sums
from verify.evaluate.program import NoRule, Operation, Program, ProgramSize
from verify.evaluate.simplify import with_direct_comparisons, without_idle_operations

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
    "remat2": "jaxpr",
    "checkpoint": "jaxpr",
}

_EACH_RESULT = ("sort", "top_k")
"""Primitives of several results: each becomes an operation of its own, with its number as ``which_result``."""

_EMPTY = ("empty", "empty2")
"""Places for what the other branch of a cond leaves to the backward pass: any number will do."""


class _Flattener:
    """Numbers the variables of nested jaxprs and lists their operations in one flat sequence."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self.constants: list[tuple[int, Any]] = []
        self.numbers: dict[Any, int] = {}
        self.slots = 0

    def new_slot(self) -> int:
        self.slots += 1
        return self.slots - 1

    def constant(self, value: Any) -> int:
        """The slot of a constant. A number has one slot, so that what is compared with it is compared with itself."""
        array = np.asarray(value)
        key = (array.dtype.str, array.tobytes()) if not array.ndim else None
        if key in self.numbers:
            return self.numbers[key]
        slot = self.new_slot()
        self.constants.append((slot, value))
        if key is not None:
            self.numbers[key] = slot
        return slot

    def flatten(self, jaxpr: Any, consts: Sequence[Any], operands: Sequence[int]) -> list[int]:
        """List the operations of a jaxpr whose inputs are in the slots ``operands``; return its outputs' slots."""
        slot_of: dict[Any, int] = dict(zip(jaxpr.invars, operands, strict=True))
        slot_of.update({v: self.constant(value) for v, value in zip(jaxpr.constvars, consts, strict=True)})

        def read(atom: Any) -> int:
            return self.constant(atom.val) if hasattr(atom, "val") else slot_of[atom]

        for equation in jaxpr.eqns:
            outputs = self.equation(equation, [read(atom) for atom in equation.invars])
            slot_of.update(zip(equation.outvars, outputs, strict=True))
        return [read(atom) for atom in jaxpr.outvars]

    def equation(self, equation: Any, inputs: list[int]) -> list[int]:
        """List one equation's operations; return its results' slots."""
        name, parameters = equation.primitive.name, equation.params
        if name in _WRAPPERS and _WRAPPERS[name] in parameters:
            return self.inlined(parameters[_WRAPPERS[name]], inputs)
        if name == "scan":
            return self.unrolled(equation, inputs)
        if name == "cond":
            return self.both_branches(equation, inputs)
        if name == "split":
            return self.parts(equation, inputs[0])
        if name == "unstack":
            return self.unstacked(equation, inputs[0])
        if name == "stack":
            return [self.stacked(inputs, equation.outvars[0].aval, parameters["axis"])]
        if name == "optimization_barrier":
            return inputs
        if name == "reshape" and parameters["dimensions"] is not None:
            return [self.transposed_and_reshaped(equation, inputs[0])]
        if name in _EMPTY:
            [result] = (v.aval for v in equation.outvars)
            zero = self.constant(np.zeros((), result.dtype))
            return [self.operation("broadcast_in_dim", [zero], result, broadcast_dimensions=())]
        if name == "select_and_scatter_add":
            return [self.chosen_and_added(equation, *inputs)]
        if name in _EACH_RESULT:
            return [
                self.operation(name, inputs, v.aval, **_sized_all(parameters), which_result=i)
                for i, v in enumerate(equation.outvars)
            ]
        # More results than these, and no rule either: `require_rules` names it.
        first, *rest = [v.aval for v in equation.outvars] or [None]
        result = self.operation(name, inputs, first, **_sized_all(parameters))
        return [result, *(self.new_slot() for _ in rest)] if equation.outvars else []

    def operation(self, name: str, operands: Sequence[int], result: Any, **parameters: Any) -> int:
        """Enter an operation whose result is of the shape and dtype of the abstract value ``result``."""
        slot = self.new_slot()
        if result is not None:
            parameters.update(out_shape=_sized(result.shape), out_dtype=result.dtype)
        self.operations.append(Operation(name, parameters, tuple(operands), (slot,)))
        return slot

    def inlined(self, inner: Any, inputs: Sequence[int]) -> list[int]:
        return self.flatten(getattr(inner, "jaxpr", inner), getattr(inner, "consts", ()), inputs)

    def unrolled(self, equation: Any, inputs: Sequence[int]) -> list[int]:
        """A scan as its steps, one after the other: slices of what it scans, and its outputs stacked."""
        parameters = equation.params
        length, body = parameters["length"], parameters["jaxpr"]
        if not isinstance(length, int):
            raise NoRule(
                f"a loop whose length is {length} cannot be written out: trace it at sizes that are numbers"
            )
        ends = parameters["num_consts"], parameters["num_consts"] + parameters["num_carry"]
        consts, carry, scanned = inputs[: ends[0]], inputs[ends[0] : ends[1]], inputs[ends[1] :]
        arrays = [v.aval for v in equation.invars[ends[1] :]]
        of_step = [v.aval for v in body.jaxpr.invars[ends[1] :]]
        outputs: dict[int, list[int]] = {}
        for step in range(length)[:: -1 if parameters["reverse"] else 1]:
            entries = [
                self.entry(slot, array, entry, step)
                for slot, array, entry in zip(scanned, arrays, of_step, strict=True)
            ]
            results = self.inlined(body, [*consts, *carry, *entries])
            carry, outputs[step] = results[: len(carry)], results[len(carry) :]
        stacks = [v.aval for v in equation.outvars[len(carry) :]]
        return [
            *carry,
            *(
                self.stacked([outputs[step][i] for step in range(length)], stack)
                for i, stack in enumerate(stacks)
            ),
        ]

    def entry(self, slot: int, array: Any, entry: Any, step: int) -> int:
        """``array[step]``."""
        row = self.sliced(slot, array, entry.update(shape=(1, *entry.shape)), 0, step)
        return self.operation("reshape", [row], entry)

    def stacked(self, slots: list[int], stack: Any, axis: int = 0) -> int:
        if not slots:
            return self.constant(np.zeros(stack.shape, stack.dtype))
        row = stack.update(shape=(*stack.shape[:axis], 1, *stack.shape[axis + 1 :]))
        rows = [self.operation("reshape", [slot], row) for slot in slots]
        return rows[0] if len(rows) == 1 else self.operation("concatenate", rows, stack, dimension=axis)

    def unstacked(self, equation: Any, slot: int) -> list[int]:
        [array], axis = (v.aval for v in equation.invars), equation.params["axis"]
        row = array.update(shape=(*array.shape[:axis], 1, *array.shape[axis + 1 :]))
        rows = [self.sliced(slot, array, row, axis, i) for i in range(len(equation.outvars))]
        return [
            self.operation("reshape", [row], v.aval) for row, v in zip(rows, equation.outvars, strict=True)
        ]

    def sliced(self, slot: int, array: Any, part: Any, axis: int, start: int) -> int:
        """The part of an array that begins at ``start`` along an axis."""
        starts = [0] * len(array.shape)
        starts[axis] = start
        stops = list(_sized(array.shape))
        stops[axis] = start + part.shape[axis]
        return self.operation(
            "slice", [slot], part, start_indices=tuple(starts), limit_indices=tuple(stops), strides=None
        )

    def parts(self, equation: Any, slot: int) -> list[int]:
        [array] = (v.aval for v in equation.invars)
        axis, start, slots = equation.params["axis"], 0, []
        for v in equation.outvars:
            slots.append(self.sliced(slot, array, v.aval, axis, start))
            start += v.aval.shape[axis]
        return slots

    def transposed_and_reshaped(self, equation: Any, slot: int) -> int:
        [array], order = (v.aval for v in equation.invars), equation.params["dimensions"]
        moved = array.update(shape=tuple(array.shape[axis] for axis in order))
        transposed = self.operation("transpose", [slot], moved, permutation=tuple(order))
        return self.operation("reshape", [transposed], equation.outvars[0].aval)

    def chosen_and_added(self, equation: Any, source: int, operand: int) -> int:
        """Max-pooling's derivative as two steps: which entry of each window is taken; what is added to it."""
        parameters = _sized_all(equation.params)
        smallest = parameters.pop("select_prim").name == "le"
        numbers = equation.invars[0].aval
        entries = math.prod(parameters["window_dimensions"])
        outcomes = numbers.update(shape=(*numbers.shape, entries), dtype=np.dtype(bool))
        chosen = self.operation("largest_in_window", [operand], outcomes, **parameters, smallest=smallest)
        return self.operation("add_to_windows", [source, chosen], equation.outvars[0].aval, **parameters)

    def both_branches(self, equation: Any, inputs: Sequence[int]) -> list[int]:
        """A cond of two branches, as a selection from what both give."""
        branches = equation.params["branches"]
        if len(branches) != 2:
            raise NoRule(f"a switch between {len(branches)} branches has no rule: nest jax.lax.cond instead")
        index = equation.invars[0].aval  # an integer, which JAX makes of an outcome
        outcome = index.update(shape=(), dtype=np.dtype(bool))
        second = self.operation("gt", [inputs[0], self.constant(np.zeros((), index.dtype))], outcome)
        results = [self.inlined(branch, inputs[1:]) for branch in branches]
        return [
            self.operation("select_n", [second, *pair], v.aval)
            for *pair, v in zip(*results, equation.outvars, strict=True)
        ]


def _sized(value: Any) -> Any:
    """A parameter with its symbolic dimensions made into Sizes, and its other numbers into Python's."""
    if isinstance(value, tuple):
        return tuple(_sized(item) for item in value)
    if isinstance(value, np.integer):
        return int(value)
    return ProgramSize(value) if export.is_symbolic_dim(value) else value


def _sized_all(parameters: dict[str, Any]) -> dict[str, Any]:
    return {key: _sized(value) for key, value in parameters.items()}


def flatten_jaxpr(closed_jaxpr: Any) -> Program:
    """The Program of a traced ``value_and_grad``: nested calls inlined, results that nothing uses left out.

    Raises
    ------
    NoRule
        When a loop's length is not a number, or a switch has more than two branches.
    """
    flattener = _Flattener()
    inputs = [flattener.new_slot() for _ in closed_jaxpr.jaxpr.invars]
    outputs = flattener.flatten(closed_jaxpr.jaxpr, closed_jaxpr.consts, inputs)
    shapes = {slot: _sized(v.aval.shape) for slot, v in zip(inputs, closed_jaxpr.jaxpr.invars, strict=True)}
    numbers = {slot: float(value) for slot, value in flattener.constants if np.ndim(value) == 0}
    operations, same = without_idle_operations(flattener.operations, shapes, numbers)
    outputs = [same.get(slot, slot) for slot in outputs]
    needed = set(outputs)
    kept: list[Operation] = []
    for operation in reversed(with_direct_comparisons(operations)):
        if needed.intersection(operation.results):
            needed.update(operation.operands)
            kept.append(operation)
    constants = tuple((slot, value) for slot, value in flattener.constants if slot in needed)
    merged, slots = with_merged_sums(kept[::-1], outputs, flattener.slots)
    return Program(tuple(merged), constants, tuple(inputs), tuple(outputs), slots)
