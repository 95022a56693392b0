"""A mistake in some places alone: in one layer, in all layers but one, in some rows of the batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from verify.diagnosis.mistakes.mistake import Mistake, MistakeConstant
from verify.diagnosis.mistakes.right_backprop import RIGHT, BackpropNet

BY_LAYER = frozenset({"weight", "bias", "back", "slope", "penalty", "layer_gradient", "keep"})
"""Pieces that can differ from layer to layer."""

BY_ROW = frozenset({"output", "delta", "slope", "back"})
"""Pieces that can differ from row to row."""


@dataclass(frozen=True)
class SomePlaces:
    """A choice of some of the first n numbers, for every n.

    Attributes
    ----------
    said
        Which, in words.
    hold
        ``hold(i, n)``: whether number i of n is among them.
    """

    said: str
    hold: Callable[[int, int], bool]

    def mask(self, n: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Tell whether each of n numbers is among them, (n,)."""
        return np.array([self.hold(i, n) for i in range(n)], dtype=bool)


def chosen_places(
    numbers: Sequence[int], what: str, *, end: bool = False, others: bool = False
) -> SomePlaces:
    """The places with these numbers, counted from the start or the end (0 is the last then), or all others."""
    listed = ", ".join(str(number + 1) for number in sorted(numbers))
    said = f"{what}{'s' if len(numbers) > 1 else ''} {listed}{' from the end' if end else ''}"
    kept = frozenset(numbers)
    return SomePlaces(
        f"all {what}s but {said}" if others else f"{said} alone",
        lambda i, n: ((n - 1 - i if end else i) in kept) is not others,
    )


LAYERS = tuple(
    chosen_places([k], "layer", end=end, others=others)
    for others in (False, True)
    for k in range(3)
    for end in (False, True)
)
"""One layer, counted from either end, or all others."""


def in_some_layers(mistake: Mistake, places: SomePlaces) -> Mistake:
    """The mistake in some layers; the others are right."""
    pieces = {name: _each(piece, _layered, name, places) for name, piece in mistake.pieces.items()}
    return replace(mistake, pieces=pieces, where=places.said)


def in_some_rows(mistake: Mistake, places: SomePlaces) -> Mistake:
    """The mistake in some rows of the batch; the others are right."""
    if mistake.of_rows:
        return replace(mistake, pieces=mistake.of_rows(places.mask), where=places.said)
    pieces = {name: _each(piece, _by_row, name, places) for name, piece in mistake.pieces.items()}
    return replace(mistake, pieces=pieces, where=places.said)


def _each(piece: Any, wrap: Callable[..., Any], name: str, places: SomePlaces) -> Any:
    if isinstance(piece, MistakeConstant):
        return MistakeConstant(lambda number: wrap(piece.make(number), name, places), *piece.usual)
    return wrap(piece, name, places)


def _layered(wrong: Any, name: str, places: SomePlaces) -> Any:
    right = getattr(RIGHT, name)
    if name == "keep":
        return lambda kind, array, i, n: (wrong if places.hold(i, n) else right)(kind, array, i, n)
    return lambda net, i, *rest: (wrong if places.hold(i, net.last + 1) else right)(net, i, *rest)


def _by_row(wrong: Any, name: str, places: SomePlaces) -> Any:
    right = getattr(RIGHT, name)
    if name in ("weight", "bias"):

        def summed(net: BackpropNet, i: int, dz: Any, da: Any) -> Any:
            on = places.mask(net.batch)
            if not on.any() or on.all():
                return (wrong if on.any() else right)(net, i, dz, da)
            return wrong(net.rows(on), i, dz[on], da[on]) + right(net.rows(~on), i, dz[~on], da[~on])

        return summed

    def mixed(net: BackpropNet, *rest: Any) -> Any:
        on = places.mask(net.batch)[:, np.newaxis]
        return np.where(on, 1.0 * wrong(net, *rest), 1.0 * right(net, *rest))

    return mixed


def _every(stride: int, offset: int) -> SomePlaces:
    return SomePlaces(f"every {stride}th row from row {offset + 1}", lambda i, _: i % stride == offset)


def places_like_rows(mask: Sequence[bool]) -> Iterator[SomePlaces]:
    """The sets of rows, for batches of any size, that are this one in a batch of this size; simple ones first."""
    n = len(mask)
    halves = [
        SomePlaces("the first half of the rows", lambda i, n: i < n // 2),
        SomePlaces("the first half of the rows, the middle one too", lambda i, n: i < (n + 1) // 2),
        SomePlaces("the second half of the rows", lambda i, n: i >= (n + 1) // 2),
        SomePlaces("the second half of the rows, the middle one too", lambda i, n: i >= n // 2),
    ]
    strides = [_every(stride, offset) for stride in (2, 3, 4) for offset in range(stride)]
    on, off = [i for i in range(n) if mask[i]], [i for i in range(n) if not mask[i]]
    sets = [
        chosen_places([n - 1 - i if end else i for i in numbers], "row", end=end, others=others)
        for others, numbers in ((False, on), (True, off))
        for end in (False, True)
    ]
    simple = sets if len(on) in (1, n - 1) else [*halves, *strides, *sets]
    for places in simple if simple is not sets else [*sets, *halves, *strides]:
        if list(places.mask(n)) == [bool(m) for m in mask]:
            yield places
