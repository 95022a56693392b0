"""Choices of a derivative: at equal numbers, or at a kink, there is one for each side from which it is approached.

A derivative at a tie is not one number. JAX makes a choice; another is as good where it is the limit of derivatives at
points without the tie. Such a limit is taken here: the inputs move by an infinitesimal step, in balls of so many bits
that the step is exact, and what the program's comparisons say there is what they are then taken to say at the inputs
themselves. The numbers, and their bounds, are those of the inputs.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import flint
import numpy as np
import numpy.typing as npt

from verify.evaluate import balls, bounds, windows
from verify.evaluate.program import Operation, Program

Array = npt.NDArray[Any]

COMPARISONS = ("gt", "ge", "lt", "le", "eq", "ne", "is_largest", "is_smallest", "largest_in_window")

_BITS, _STEP = 2048, -600
"""The step is a power of two that no float64 reaches; with so many bits, sums with it do not round."""


def directions(shapes: Sequence[tuple[int, ...]]) -> Iterator[tuple[str, list[Array]]]:
    """From where ties are approached: what the choice is called, and a direction for each input."""
    for name, sign in (("from below", -1), ("from above", 1)):
        yield name, [np.full(shape, sign) for shape in shapes]
    yield "the first of equals", [-_ramp(shape, (1, 1), True) for shape in shapes]
    yield "the last of equals", [_ramp(shape, (1, 1), True) for shape in shapes]
    for rows_first, *signs in itertools.product((True, False), (1, -1), (1, -1)):
        if rows_first and signs[0] == signs[1]:
            continue
        which, row, column = ("rows" if rows_first else "columns"), *(_END[sign] for sign in signs)
        ramps = [_ramp(shape, signs, rows_first) for shape in shapes]
        yield f"one of equals, by {which}: {row} row, {column} column", ramps


_END = {1: "last", -1: "first"}


def _ramp(shape: tuple[int, ...], signs: Sequence[int], rows_first: bool) -> Array:
    """Numbers that grow along the last two axes, by these signs; the axis before the last counts more, or less."""
    if len(shape) < 2:
        return signs[1] * np.arange(1, 1 + int(np.prod(shape)), dtype=np.int64).reshape(shape)
    height, width = shape[-2:]
    rows, columns = signs[0] * np.arange(height)[:, np.newaxis], signs[1] * np.arange(width)[np.newaxis, :]
    ramp = rows * width + columns if rows_first else rows + columns * height
    before = np.arange(int(np.prod(shape[:-2]))).reshape([*shape[:-2], 1, 1])
    return np.asarray((1 if signs[0] > 0 else -1) * before * height * width + ramp)


def tied(program: Program, inputs: Sequence[Array]) -> dict[int, Array]:
    """Return where operations compare equal numbers, both exact, at least one of them differentiated.

    The keys are the numbers of the operations, the values are truths of the shapes of their results.
    """
    dependent = set(program.differentiated)
    for operation in program.operations:
        if dependent.intersection(operation.operands):
            dependent.update(operation.results)
    compared = [
        i
        for i, operation in enumerate(program.operations)
        if operation.name in COMPARISONS and dependent.intersection(operation.operands)
    ]
    if not compared:
        return {}
    operands = [slot for i in compared for slot in program.operations[i].operands]
    # The bounds of the operands: 0 where they are exact, as what only moves an input is.
    probe = replace(program, outputs=tuple(operands))
    pairs = iter(bounds.evaluate(probe, list(inputs), bounds.Arithmetic.judging(np.float64, {})))
    found = {}
    for i in compared:
        operation = program.operations[i]
        equal = _equal(operation, [next(pairs) for _ in operation.operands])
        if equal.any():
            found[i] = equal
    return found


def _equal(operation: Operation, operands: Sequence[bounds.Pair]) -> Array:
    """Return where the operands of a comparison tie and are exact; several largest entries tie with each other."""
    if "smallest" in operation.parameters:
        (a, ea), axes = operands[0], operation.parameters.get("axes", (-1,))
        a, ea = (-a if operation.parameters["smallest"] else a), np.broadcast_to(ea, a.shape)
        if operation.name == "largest_in_window":
            a, ea = (
                windows.entries({}, operation.parameters, part, fill)
                for part, fill in ((a, -np.inf), (ea, 0))
            )
        largest = (a == a.max(axis=axes, keepdims=True)) & (ea == 0)
        return np.asarray(largest & (largest.sum(axis=axes, keepdims=True) > 1))
    (a, ea), (b, eb) = operands
    return np.asarray((a == b) & (ea == 0) & (eb == 0))


def decided(
    program: Program, inputs: Sequence[Array], direction: Sequence[Array], ties: Mapping[int, Array]
) -> Program:
    """The program whose comparisons, where exact numbers tie, say what they say a step into a direction away.

    Parameters
    ----------
    program, inputs
        As for `verify.evaluate.bounds.evaluate`.
    direction
        An array for each differentiated input.
    ties
        Where they tie: `tied`.
    """
    outcomes = dict(zip(ties, _outcomes(program, inputs, direction, ties), strict=True))
    operations, constants, slots = [], list(program.constants), program.slots
    for i, operation in enumerate(program.operations):
        if i not in ties:
            operations.append(operation)
            continue
        # The comparison, but False where a tie is decided; or True where it is decided so.
        known = ties[i] & (outcomes[i] != None)  # noqa: E711 - entry by entry
        constants += [(slots, ~known), (slots + 1, known & outcomes[i].astype(bool))]
        compared, undecided = slots + 2, slots + 3
        operations += [
            operation._replace(results=(compared,)),
            operation._replace(name="and", operands=(compared, slots), results=(undecided,)),
            operation._replace(name="or", operands=(undecided, slots + 1)),
        ]
        slots += 4
    return replace(program, operations=tuple(operations), constants=tuple(constants), slots=slots)


def _outcomes(
    program: Program, inputs: Sequence[Array], direction: Sequence[Array], ties: Iterable[int]
) -> list[Array]:
    """Return what comparisons say a step into a direction away: True, False, or None where that is not known."""
    steps = dict(zip(program.differentiated, direction, strict=True))
    probe = replace(program, outputs=tuple(program.operations[i].results[0] for i in ties))
    with flint.ctx.workprec(_BITS):
        moved = [
            balls.exactly(array) + balls.exactly(np.asarray(steps[slot], float)) * flint.arb(2) ** _STEP
            if slot in steps
            else array
            for slot, array in zip(program.inputs, inputs, strict=True)
        ]
        return [np.asarray(outcome, dtype=object) for outcome in balls.evaluate(probe, moved, {})]
