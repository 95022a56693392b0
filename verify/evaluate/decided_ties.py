"""Programs whose comparisons are decided, or left in doubt, where exact numbers tie."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from verify.evaluate import moves
from verify.evaluate.array import Array
from verify.evaluate.program import Operation, Program


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
        `verify.evaluate.tie_choices.tie_choice_outcomes`.
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
