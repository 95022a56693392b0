"""Sums that JAX's program makes one addition at a time, and code in any order: as one sum of all their terms.

What is used several times has a gradient that is a sum: of what comes back from the windows of a convolution, from the
steps of a sequence, from the gates of a cell. JAX adds these one by one. People loop over them in another order, add
row by row to what is there, or stack matrices and make one product of all. Where what is added are sums themselves,
products of matrices above all, none of their terms need come before another's: a bias may be what a product is added
to, row by row, or a row of the weight with a column of ones beside the inputs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from typing import Any, NamedTuple

from verify.evaluate.program import Operation

MERGED_SUM = "merged_sum"
"""The operation that stands behind such a sum. Its operands are the sum, what is added, and then what the parts that
are sums themselves are made of; its parameter ``parts`` says for each what is added which `SUMS` it is: the name, the
parameters, and the moves that follow; None for a number. Every evaluator gives the sum; bounds say how far another
order may lead.
"""

SUMS = ("dot_general", "conv_general_dilated", "reduce_sum")
"""Operations whose entries are sums."""

_ADDITIONS = ("add", "add_any")
"""Additions of a function, whose order may be meant, and of a derivative, whose order is not."""

_MOVES = ("reshape", "squeeze", "expand_dims", "transpose", "slice", "pad", "rev", "broadcast_in_dim", "copy")


def with_merged_sums(
    operations: Sequence[Operation], outputs: Sequence[int], slots: int
) -> tuple[list[Operation], int]:
    """Put a merged sum behind each sum that is made by additions: of sums, or of three or more parts of a gradient.

    Returns the operations, and the number of slots that they use, which was ``slots``.
    """
    made_by = {operation.results[0]: operation for operation in operations}
    uses = Counter([*outputs, *(slot for operation in operations for slot in operation.operands)])
    inner = {
        slot
        for operation in operations
        if operation.name in _ADDITIONS
        for slot in operation.operands
        if uses[slot] == 1 and slot in made_by and made_by[slot].name in _ADDITIONS
    }
    kept: list[Operation] = []
    for operation in operations:
        [result] = operation.results
        whole = operation.name in _ADDITIONS and result not in inner
        added = _added(operation, made_by, inner) if whole else []
        parts = [_part(slot, made_by) for slot in added]
        if not any(parts) and (len(added) < 3 or operation.name != "add_any"):
            kept.append(operation)
            continue
        operands = (slots, *added, *(slot for part in parts if part for slot in part.operands))
        parameters = {**operation.parameters, "parts": tuple(part and part.described for part in parts)}
        kept += [operation._replace(results=(slots,)), Operation(MERGED_SUM, parameters, operands, (result,))]
        slots += 1
    return kept, slots


def _added(sum_of_two: Operation, made_by: Mapping[int, Operation], inner: Set[int]) -> list[int]:
    """The slots of what is added, first to last."""
    added: list[int] = []
    for slot in sum_of_two.operands:
        added += _added(made_by[slot], made_by, inner) if slot in inner else [slot]
    return added


class _Part(NamedTuple):
    """A part that is a sum itself: its name, parameters, moves and operands."""

    name: str
    parameters: Mapping[str, Any]
    moves: tuple[Operation, ...]
    operands: tuple[int, ...]

    @property
    def described(self) -> tuple[Any, ...]:
        """All but the operands, as tuples, in which sizes can be renamed."""
        moves = tuple((move.name, _items(move.parameters)) for move in self.moves)
        return self.name, _items(self.parameters), moves


def _items(parameters: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple(parameters.items())


def _part(slot: int, made_by: Mapping[int, Operation]) -> _Part | None:
    """The sum that is in a slot, perhaps moved or negative; None where it is none."""
    moves: list[Operation] = []
    while slot in made_by and made_by[slot].name in (*_MOVES, "neg"):
        if made_by[slot].name != "neg":  # which changes no magnitude
            moves.insert(0, made_by[slot])
        slot = made_by[slot].operands[0]
    if slot not in made_by or made_by[slot].name not in SUMS:
        return None
    name, parameters, operands, _ = made_by[slot]
    return _Part(name, parameters, tuple(moves), operands)
