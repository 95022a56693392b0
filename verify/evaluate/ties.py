"""Choices of a derivative: at equal numbers, or at a kink, there is one for each side from which it is approached.

A derivative at a tie is not one number. JAX makes a choice; another is as good where it is the limit of derivatives at
points without the tie. Such a limit is taken here: the inputs move by an infinitesimal step, in balls of so many bits
that the step is exact, and what the program's comparisons say there is what they are then taken to say at the inputs
themselves. The numbers, and their bounds, are those of the inputs.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import flint
import numpy as np

from verify.evaluate import balls, bounds, moves, windows
from verify.evaluate.array import Array
from verify.evaluate.program import Operation, Program

COMPARISONS = ("gt", "ge", "lt", "le", "eq", "ne", "is_largest", "is_smallest", "largest_in_window")

_BITS, _STEP = 2048, -600
"""The step is a power of two that no float64 reaches; with so many bits, sums with it do not round."""


def tie_directions(shapes: Sequence[tuple[int, ...]]) -> Iterator[tuple[str, list[Array]]]:
    """From where ties are approached: what the choice is called, and a direction for each input."""
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
    """Numbers that grow along the last two axes, by these signs; the axis before the last counts more, or less."""
    if len(shape) < 2:
        return signs[1] * np.arange(1, 1 + int(np.prod(shape)), dtype=np.int64).reshape(shape)
    height, width = shape[-2:]
    rows, columns = signs[0] * np.arange(height)[:, np.newaxis], signs[1] * np.arange(width)[np.newaxis, :]
    ramp = rows * width + columns if rows_first else rows + columns * height
    before = np.arange(int(np.prod(shape[:-2]))).reshape([*shape[:-2], 1, 1])
    return np.asarray((1 if signs[0] > 0 else -1) * before * height * width + ramp)


def tied_operations(program: Program, inputs: Sequence[Array]) -> dict[int, Array]:
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
    pairs = iter(bounds.evaluate_with_bounds(probe, list(inputs), bounds.Arithmetic.judging(np.float64, {})))
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
                windows.window_entries({}, operation.parameters, part, fill)
                for part, fill in ((a, -np.inf), (ea, 0))
            )
        largest = (a == a.max(axis=axes, keepdims=True)) & (ea == 0)
        return np.asarray(largest & (largest.sum(axis=axes, keepdims=True) > 1))
    (a, ea), (b, eb) = operands
    return np.asarray((a == b) & (ea == 0) & (eb == 0))


def decide_ties(
    program: Program, ties: Mapping[int, Array], outcomes: Mapping[int, Array], between: bool = False
) -> Program:
    """The program whose comparisons, where exact numbers tie, have the outcomes that are given.

    Parameters
    ----------
    program
        As for `verify.evaluate.bounds.evaluate_with_bounds`.
    ties
        Where they tie: `tied_operations`.
    outcomes
        For comparisons, by number, arrays of True, False, and None where nothing is decided: `tie_outcomes_towards`, or
        `verify.evaluate.choices.choice_outcomes`.
    between
        Whether the bounds are for code that takes a slope between two: with one rounding more wherever a tie selects,
        that of the product with that slope.
    """
    rewritten = _Rewritten(program)
    tied_at = dict.fromkeys(range(program.slots), _NOWHERE)
    for i, operation in enumerate(program.operations):
        if i in ties:
            tied_at[operation.results[0]] = ties[i]
        elif between:
            tied_at[operation.results[0]] = _moved_along(operation, [tied_at[k] for k in operation.operands])
        if i in outcomes:
            rewritten.decide(operation, ties[i], outcomes[i])
        elif between and operation.name == "select_n" and tied_at[operation.operands[0]].any():
            rewritten.follow(operation, "weighed", tied_at[operation.operands[0]])
        elif between and operation.name == "add_to_windows" and tied_at[operation.operands[1]].any():
            rewritten.share(operation, tied_at[operation.operands[1]])
        else:
            rewritten.operations.append(operation)
    return rewritten.program


_NOWHERE = np.zeros((), dtype=bool)
_MOVES = ("broadcast_in_dim", "reshape", "squeeze", "expand_dims", "transpose")


def _moved_along(operation: Operation, where: Sequence[Array]) -> Array:
    """Return where an outcome depends on ties, from where its operands do."""
    if operation.name in ("and", "or", "not"):
        return np.asarray(functools.reduce(np.logical_or, where))
    if operation.name in _MOVES and where[0].any():
        return np.asarray(moves.MOVES[operation.name]({}, operation.parameters, where[0]))
    return _NOWHERE


def undecided_ties(program: Program, ties: Mapping[int, Array]) -> Program:
    """The program whose comparisons are in doubt where exact numbers tie: its bounds hold every choice, and more."""
    rewritten = _Rewritten(program)
    for i, operation in enumerate(program.operations):
        if i in ties:
            rewritten.follow(operation, "either", ties[i])
        else:
            rewritten.operations.append(operation)
    return rewritten.program


class _Rewritten:
    """A program that is being made of another: new operations, constants and slots."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self.operations: list[Operation] = []
        self._constants, self._slots = list(program.constants), program.slots

    def slot(self) -> int:
        """A new slot."""
        self._slots += 1
        return self._slots - 1

    def constant(self, value: Array) -> int:
        """The slot of a new constant."""
        slot = self.slot()
        self._constants.append((slot, value))
        return slot

    def follow(self, operation: Operation, name: str, where: Array) -> None:
        """An operation, and another one of its result and of where something holds."""
        between = self.slot()
        self.operations += [
            operation._replace(results=(between,)),
            operation._replace(name=name, operands=(between, self.constant(where))),
        ]

    def share(self, operation: Operation, where: Array) -> None:
        """Add numbers to entries of windows, where each of the entries that tie may have a part of the number."""
        source, chosen = operation.operands
        product, tied = self.slot(), self.constant(np.asarray(where.any(axis=-1)))
        weighed = operation._replace(name="weighed", operands=(source, tied), results=(product,))
        self.operations += [weighed, operation._replace(operands=(product, chosen, self.constant(where)))]

    def decide(self, comparison: Operation, tie: Array, outcome: Array) -> None:
        """A comparison, but False where a tie is decided; or True where it is decided so."""
        known = np.logical_and(tie, outcome != None)  # noqa: E711 - entry by entry
        keep = self.constant(np.logical_not(known))
        true = self.constant(np.asarray(known & outcome.astype(bool)))
        compared, undecided = self.slot(), self.slot()
        self.operations += [
            comparison._replace(results=(compared,)),
            comparison._replace(name="and", operands=(compared, keep), results=(undecided,)),
            comparison._replace(name="or", operands=(undecided, true)),
        ]

    @property
    def program(self) -> Program:
        """The program that was made."""
        return replace(
            self._program,
            operations=tuple(self.operations),
            constants=tuple(self._constants),
            slots=self._slots,
        )


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
