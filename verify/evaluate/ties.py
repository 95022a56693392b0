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
from typing import Any, NamedTuple

import flint
import numpy as np

from verify.evaluate import balls, bounds, windows
from verify.evaluate.array import Array
from verify.evaluate.program import Operation, Program

COMPARISONS = ("gt", "ge", "lt", "le", "eq", "ne", "is_largest", "is_smallest", "largest_in_window")

_BITS, _STEP = 4096, -1200
"""The step is a power of two that no float64 reaches; with so many bits, sums with it do not round."""


def tie_directions(shapes: Sequence[tuple[int, ...]]) -> Iterator[tuple[str, list[Array]]]:
    """The directions from which ties are approached: what the choice is called, and a direction for each input."""
    for name, sign in (("from below", -1), ("from above", 1)):
        yield name, [np.full(shape, sign) for shape in shapes]
    if len(shapes) > 1:  # one input against another
        order = range(1, len(shapes) + 1)
        yield (
            "the first input of equals",
            [np.full(shape, -i) for i, shape in zip(order, shapes, strict=True)],
        )
        yield "the last input of equals", [np.full(shape, i) for i, shape in zip(order, shapes, strict=True)]
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
    """Numbers that grow along the last two axes, by these signs; the axis before the last counts more, or less.

    The axes before these count most, by the first sign.
    """
    if len(shape) < 2:
        return signs[1] * np.arange(1, 1 + int(np.prod(shape)), dtype=np.int64).reshape(shape)
    height, width = shape[-2:]
    rows, columns = signs[0] * np.arange(height)[:, np.newaxis], signs[1] * np.arange(width)[np.newaxis, :]
    ramp = rows * width + columns if rows_first else rows + columns * height
    before = np.arange(int(np.prod(shape[:-2]))).reshape([*shape[:-2], 1, 1])
    return np.asarray(signs[0] * before * height * width + ramp)


def tied_operations(program: Program, inputs: Sequence[Array]) -> dict[int, Array]:
    """Return where operations compare equal numbers, both exact, at least one of them differentiated.

    The keys are the numbers of the operations, the values are truths of the shapes of their results.
    """
    dependent = _dependent_slots(program)
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
    pairs = iter(bounds.evaluate_with_bounds(probe, list(inputs), bounds.Arithmetic.judging(np.float64, {})))
    found = {}
    for i in compared:
        operation = program.operations[i]
        equal = _equal(operation, [next(pairs) for _ in operation.operands])
        if equal.any():
            found[i] = equal
    return found


def _dependent_slots(program: Program) -> set[int]:
    """The slots of what depends on the differentiated inputs, these included."""
    dependent = set(program.differentiated)
    for operation in program.operations:
        if dependent.intersection(operation.operands):
            dependent.update(operation.results)
    return dependent


def _equal(operation: Operation, operands: Sequence[bounds.Pair]) -> Array:
    """Return where the operands of a comparison tie and are exact; several largest entries tie with each other."""
    if "smallest" in operation.parameters:
        (a, ea), axes = operands[0], operation.parameters.get("axes", (-1,))
        a, ea = (-a if operation.parameters["smallest"] else a), np.broadcast_to(ea, a.shape)
        if operation.name == "largest_in_window":
            a, ea = (
                windows.window_entries({}, operation.parameters, part, fill)
                for part, fill in ((a, -np.inf), (ea, np.inf))  # outside of the array is no choice
            )
        largest = (a == a.max(axis=axes, keepdims=True)) & (ea == 0)
        return np.asarray(largest & (largest.sum(axis=axes, keepdims=True) > 1))
    (a, ea), (b, eb) = operands
    return np.asarray((a == b) & (ea == 0) & (eb == 0))


def tie_outcomes_towards(
    program: Program, inputs: Sequence[Array], direction: Sequence[Array], ties: Iterable[int]
) -> dict[int, Array]:
    """Return what comparisons say a step into a direction away: True, False, or None where that is not known.

    ``direction`` has an array for each differentiated input.
    """
    steps = dict(zip(program.differentiated, direction, strict=True))
    probe = replace(program, outputs=tuple(program.operations[i].results[0] for i in ties))
    with flint.ctx.workprec(_BITS):
        moved = [
            balls.exact_balls(array)
            + balls.exact_balls(np.asarray(steps[slot], float)) * flint.arb(2) ** _STEP
            if slot in steps
            else array
            for slot, array in zip(program.inputs, inputs, strict=True)
        ]
        outcomes = balls.evaluate_in_balls(probe, moved, {})
        return {i: np.asarray(outcome, dtype=object) for i, outcome in zip(ties, outcomes, strict=True)}


class Tie(NamedTuple):
    """One tie: a group of comparisons of the same equal numbers, which are decided together.

    ``site`` tells which operation it belongs to. ``choices`` are what the numbers may be taken for, by name, the first
    one being what the program itself does (`OWN`); each has the outcomes of comparisons: (operation, place, outcome).
    """

    site: Any
    choices: tuple[tuple[str, tuple[tuple[int, int, bool], ...]], ...]


_SIGNS = {
    "gt": (False, True),
    "ge": (False, True),
    "lt": (True, False),
    "le": (True, False),
    "eq": (False, False),
    "ne": (True, True),
}
"""For each comparison of a with b, its outcome where a is less, and where a is greater."""


_MIRRORED = {"gt": "lt", "ge": "le", "lt": "gt", "le": "ge", "eq": "eq", "ne": "ne"}


def ties_of(program: Program, tied: Mapping[int, Array]) -> list[Tie]:
    """The ties one by one, where comparisons tie as `tied_operations` says.

    "From below" is the side on which the number that depends on the differentiated inputs is less; of two that do, the
    one in the lower slot.
    """
    dependent = _dependent_slots(program)
    numbers = {slot: float(value) for slot, value in program.constants if np.ndim(value) == 0}
    pairs: dict[Any, dict[int, list[tuple[int, str]]]] = {}
    found: list[Tie] = []
    for i, where in tied.items():
        operation = program.operations[i]
        if operation.name in _SIGNS:
            slots = sorted(operation.operands, key=lambda slot: (slot not in dependent, slot))
            name = operation.name if slots == list(operation.operands) else _MIRRORED[operation.name]
            a, b = (numbers.get(slot, f"slot {slot}") for slot in slots)
            at_place = pairs.setdefault((a, b, where.shape), {})
            for place in np.flatnonzero(where).tolist():
                at_place.setdefault(place, []).append((i, name))
        else:
            found += _among(i, operation, where)
    for site, places in pairs.items():
        for place, comparisons in places.items():
            sides = [
                tuple((i, place, _SIGNS[name][greater]) for i, name in comparisons) for greater in (0, 1)
            ]
            found.append(
                Tie(site, (("as the reference", ()), *zip(("from below", "from above"), sides, strict=True)))
            )
    return found


def _among(i: int, operation: Operation, where: Array) -> list[Tie]:
    """The ties of an operation that says which of several numbers is the largest: any one of the equal ones may be."""
    axes = operation.parameters.get("axes", (where.ndim - 1,))
    kept = [axis for axis in range(where.ndim) if axis not in axes]
    places = np.moveaxis(np.arange(where.size).reshape(where.shape), kept, range(len(kept)))
    found = []
    for group in np.ndindex(*(where.shape[axis] for axis in kept)):
        equal = [int(place) for place in np.ravel(places[group]) if where.flat[place]]
        names = ("the first of equals", *["one of equals"] * (len(equal) - 2), "the last of equals")
        choices = [
            (name, tuple((i, place, place == chosen) for place in equal))
            for name, chosen in zip(names, equal, strict=False)
        ]
        if equal:
            found.append(Tie(i, (("as the reference", ()), *choices)))
    return found
