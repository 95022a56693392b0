"""Sums that JAX's program makes one addition at a time, and code in any order: as one sum of all their terms.

What is used several times has a gradient that is a sum: of what comes back from the windows of a convolution, from the
steps of a sequence, from the gates of a cell. JAX adds these one by one. People loop over them in another order, add
row by row to what is there, or stack matrices and make one product of all. Where what is added are sums themselves,
products of matrices above all, none of their terms need come before another's: a bias may be what a product is added
to, row by row, or a row of the weight with a column of ones beside the inputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from verify.evaluate.program import Operation

MERGED_SUM = "merged_sum"
"""The operation that stands behind such a sum. Its operands are the sum, what is added, and then what the parts that
are sums themselves are made of. Its parameter ``parts`` says for each what is added which of `SUMS` it is and its
parameters, None twice for a number, and the moves that follow. Every evaluator gives the sum; bounds say how far
another order may lead.
"""

AFFINE_SUM = "affine_sum"
"""The same for a product of matrices and one number, which is what networks are made of, with a rule that takes less
time. Its operands are the sum, the product, the number, and the left matrix, whose axes that are summed over are its
parameter ``inner``.
"""

IN_ANY_ORDER = (MERGED_SUM, AFFINE_SUM)

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
    sums = _Sums(operations, outputs)
    kept: list[Operation] = []
    for operation in operations:
        parts = sums.parts(operation)
        if not any(part.name for part in parts) and (len(parts) < 3 or operation.name != "add_any"):
            kept.append(operation)
            continue
        kept.append(operation._replace(results=(slots,)))
        kept.append(_affine_sum(parts, slots, operation) or _merged_sum(parts, slots, operation))
        slots += 1
    return kept, slots


class _Part(NamedTuple):
    """A part of a merged sum: the slot of what is added, the moves that follow, and of a sum what it is made of."""

    slot: int
    moves: tuple[Operation, ...] = ()
    name: str | None = None
    parameters: Mapping[str, Any] | None = None
    operands: tuple[int, ...] = ()

    @property
    def described(self) -> tuple[Any, ...]:
        """All but the slots, as tuples, in which sizes can be renamed."""
        moves = tuple((move.name, tuple(move.parameters.items())) for move in self.moves)
        return self.name, self.parameters and tuple(self.parameters.items()), moves


def _merged_sum(parts: Sequence[_Part], total: int, addition: Operation) -> Operation:
    operands = (total, *(part.slot for part in parts), *(slot for part in parts for slot in part.operands))
    parameters = {**addition.parameters, "parts": tuple(part.described for part in parts)}
    return addition._replace(name=MERGED_SUM, parameters=parameters, operands=operands)


def _affine_sum(parts: Sequence[_Part], total: int, addition: Operation) -> Operation | None:
    """Return the operation of a product of matrices and a number, neither of them moved; None for other parts."""
    if len(parts) != 2 or any(part.moves for part in parts):
        return None
    product, number = sorted(parts, key=lambda part: part.name is None)
    if product.name != "dot_general" or number.name is not None or product.parameters is None:
        return None
    (inner, _), _ = product.parameters["dimension_numbers"]
    operands = (total, product.slot, number.slot, product.operands[0])
    return addition._replace(
        name=AFFINE_SUM, parameters={**addition.parameters, "inner": inner}, operands=operands
    )


class _Sums:
    """The sums of a program."""

    def __init__(self, operations: Sequence[Operation], outputs: Sequence[int]) -> None:
        self.made_by = {operation.results[0]: operation for operation in operations}
        self.users: dict[int, list[Operation | None]] = {slot: [None] for slot in outputs}
        for operation in operations:
            for slot in operation.operands:
                self.users.setdefault(slot, []).append(operation)

    def parts(self, operation: Operation) -> list[_Part]:
        """Return what is added, first to last; nothing where it is no sum, or a part of another one alone."""
        if operation.name not in _ADDITIONS or self._is_within_another(operation):
            return []
        if operation.parameters["out_dtype"].kind in "iu":  # nothing rounds
            return []
        return self._added(operation, ())

    def _is_within_another(self, operation: Operation) -> bool:
        users = self.users.get(operation.results[0], [])
        while len(users) == 1 and users[0] is not None and users[0].name in (*_MOVES, "neg"):
            users = self.users.get(users[0].results[0], [])
        return len(users) == 1 and users[0] is not None and users[0].name in _ADDITIONS

    def _added(self, addition: Operation, moves: tuple[Operation, ...]) -> list[_Part]:
        added: list[_Part] = []
        for slot in addition.operands:
            source, followed = self._moved(slot)
            made = self.made_by.get(source)
            if made is not None and made.name in _ADDITIONS and self._is_part(made):
                added += self._added(made, (*followed, *moves))
            elif made is not None and made.name in SUMS:
                added.append(_Part(source, (*followed, *moves), made.name, made.parameters, made.operands))
            else:
                added.append(_Part(slot, moves))
        return added

    def _moved(self, slot: int) -> tuple[int, tuple[Operation, ...]]:
        """Return where what is in a slot was before it was moved, and the moves; a sign changes no magnitude."""
        moves: list[Operation] = []
        while slot in self.made_by and self.made_by[slot].name in (*_MOVES, "neg"):
            if self.made_by[slot].name != "neg":
                moves.insert(0, self.made_by[slot])
            slot = self.made_by[slot].operands[0]
        return slot, tuple(moves)

    def _is_part(self, addition: Operation) -> bool:
        """Tell whether the sum of an addition is used in a larger one alone, or each slice of it for itself."""
        users = self.users[addition.results[0]]
        sliced = addition.name == "add_any" and all(
            user is not None and user.name == "slice" for user in users
        )
        return sliced or self._is_within_another(addition)
