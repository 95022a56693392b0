"""Simplify a list of operations: leave out what is idle, and ask comparisons directly."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from verify.evaluate.program import Operation

_REDUCTIONS = ("reduce_sum", "reduce_max", "reduce_min")
_RESHAPES = ("reshape", "squeeze", "expand_dims")


_NEUTRAL = {"max": -math.inf, "min": math.inf}


def without_idle_operations(
    operations: Sequence[Operation], shapes: dict[int, Any], numbers: Mapping[int, float]
) -> tuple[list[Operation], dict[int, int]]:
    """Leave out what changes no number and no shape; also returns what takes the place of each result left out.

    A sum over axes of length 1 only drops them. JAX undoes a broadcast with such sums: two operations a layer. The
    maximum of a number and minus infinity is the number: JAX begins every maximum so. ``shapes`` are those of the
    inputs, by slot; ``numbers`` are the constants that are scalars.
    """
    shapes = dict(shapes)
    same: dict[int, int] = {}
    reshaped: dict[int, int] = {}  # the operand of each reshape, by its result
    kept: list[Operation] = []
    for operation in operations:
        operation = operation._replace(operands=tuple(same.get(slot, slot) for slot in operation.operands))
        name, parameters, operands, results = operation
        if name in _NEUTRAL:
            for neutral, other in (operands, operands[::-1]):
                if numbers.get(neutral) == _NEUTRAL[name] and other not in numbers:
                    same[results[0]] = other
                    break
            if results[0] in same:
                continue
        if name in _REDUCTIONS and operands[0] in shapes:
            lengths = shapes[operands[0]]
            if all(isinstance(lengths[axis], int) and lengths[axis] == 1 for axis in parameters["axes"]):
                operation = operation._replace(name="reshape")
        if operation.name in _RESHAPES:
            source = reshaped.get(operands[0], operands[0])
            operation = operation._replace(operands=(source,))
            reshaped[results[0]] = source
            if repr(shapes.get(source)) == repr(parameters["out_shape"]):
                same[results[0]] = source
                continue
        shapes[results[0]] = parameters["out_shape"]
        kept.append(operation)
    return kept, same


_EXTREMES = {"max": ("ge", "le"), "min": ("le", "ge")}
_REDUCED_EXTREMES = ("reduce_max", "reduce_min")
_SPREADS = ("reshape", "expand_dims", "broadcast_in_dim")


def with_direct_comparisons(operations: Sequence[Operation]) -> list[Operation]:
    """Ask ``a >= b`` where JAX asks ``a == max(a, b)``, and ``a <= b`` where it asks ``b == max(a, b)``.

    The other way round for min; and ``is_largest`` of ``a``, by name, where it asks ``a == max(a, axes)``. In every
    evaluation these say the same, but an evaluator that bounds errors sees an equality of two inexact numbers, which
    is always in doubt. It is how JAX differentiates maxima.
    """
    made_by = {operation.results[0]: operation for operation in operations}
    return [
        (_direct(operation, made_by) or operation) if operation.name == "eq" else operation
        for operation in operations
    ]


def _direct(equality: Operation, made_by: Mapping[int, Operation]) -> Operation | None:
    for a, other in (equality.operands, equality.operands[::-1]):
        extreme = made_by.get(other)
        if extreme is not None and extreme.name in _EXTREMES and a in extreme.operands:
            return equality._replace(
                name=_EXTREMES[extreme.name][extreme.operands.index(a)], operands=extreme.operands
            )
        while extreme is not None and extreme.name in _SPREADS:
            spread, extreme = extreme, made_by.get(extreme.operands[0])
            if extreme is not None and extreme.name in _REDUCED_EXTREMES and extreme.operands == (a,):
                axes = extreme.parameters["axes"]
                if _is_spread_back(spread, axes, equality.parameters["out_shape"]):
                    smallest = extreme.name == "reduce_min"
                    parameters = {**equality.parameters, "axes": axes, "smallest": smallest}
                    return Operation(
                        "is_smallest" if smallest else "is_largest", parameters, (a,), equality.results
                    )
    return None


def _is_spread_back(spread: Operation, axes: Sequence[int], whole: Sequence[Any]) -> bool:
    """Tell whether the result of a reduction along these axes is given back the axes it lost, in their places."""
    shape = spread.parameters["out_shape"]
    kept = tuple(axis for axis in range(len(whole)) if axis not in axes)
    if len(shape) != len(whole) or any(repr(shape[axis]) != repr(whole[axis]) for axis in kept):
        return False
    if spread.name == "broadcast_in_dim":
        return tuple(spread.parameters["broadcast_dimensions"]) == kept
    return all(isinstance(shape[axis], int) and shape[axis] == 1 for axis in axes)
