"""Every choice of a derivative at ties: each tie decided by itself, and what lies between two such choices.

A backward pass chains the derivatives of its operations. Where an operation's is a choice (a kink, the largest of equal
numbers), any of them gives a right backward pass, whatever the other operations choose (J. Bolte and E. Pauwels,
Conservative set valued fields, automatic differentiation, stochastic gradient methods and deep learning, Mathematical
Programming 188, 2021); and so does a mean of such passes with weights that sum to 1. A choice is looked for here, and
it is shown by the programs that make it: what is found need not be trusted. That the weights sum to 1 is what tells a
share of a tie from a tie that is paid in full to each.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from verify.evaluate.array import Array
from verify.evaluate.program import Operation, Program

OWN = 0
"""The number of the choice that the program itself makes, among those of a tie."""


class Tie(NamedTuple):
    """One tie: a group of comparisons of the same equal numbers, which are decided together.

    ``site`` tells which operation it belongs to. ``choices`` are what the numbers may be taken for, by name, the first
    one being what the program itself does (`OWN`); each has the outcomes of comparisons: (operation, place, outcome).
    """

    site: Any
    choices: tuple[tuple[str, tuple[tuple[int, int, bool], ...]], ...]


Choice = tuple[int, ...]
"""For each tie the number of its choice."""

_SIGNS = {"gt": (False, True), "ge": (False, True), "lt": (True, False), "le": (True, False)}
_SIGNS |= {"eq": (False, False), "ne": (True, True)}
"""What a comparison of a with b says where a is less, and where it is greater."""

_MIRRORED = {"gt": "lt", "ge": "le", "lt": "gt", "le": "ge", "eq": "eq", "ne": "ne"}


def ties_of(program: Program, tied: Mapping[int, Array]) -> list[Tie]:
    """The ties one by one, where comparisons tie as `verify.evaluate.ties.tied_operations` says."""
    numbers = {slot: float(value) for slot, value in program.constants if np.ndim(value) == 0}
    pairs: dict[Any, dict[int, list[tuple[int, str]]]] = {}
    found: list[Tie] = []
    for i, where in tied.items():
        operation = program.operations[i]
        if operation.name in _SIGNS:
            a, b = (numbers.get(slot, f"slot {slot}") for slot in operation.operands)
            name = operation.name if str(a) <= str(b) else _MIRRORED[operation.name]
            at_place = pairs.setdefault((min(str(a), str(b)), max(str(a), str(b)), where.shape), {})
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


def choice_outcomes(ties: Sequence[Tie], choice: Choice, tied: Mapping[int, Array]) -> dict[int, Array]:
    """The outcomes of comparisons that a choice asks for, for `verify.evaluate.ties.decided`."""
    decided: dict[int, Array] = {}
    for tie, number in zip(ties, choice, strict=True):
        for i, place, outcome in tie.choices[number][1]:
            if i not in decided:
                decided[i] = np.full(tied[i].shape, None, dtype=object)
            decided[i].flat[place] = outcome
    return decided


@dataclass(frozen=True)
class MeanChoice:
    """A mean of choices, with weights that sum to 1; of one alone where it is not between two."""

    weights: tuple[float, ...]
    choices: tuple[Choice, ...]

    def described(self, ties: Sequence[Tie]) -> str:
        """The choice at each tie, in a few words."""
        names = {
            tie.choices[number][0]
            for choice in self.choices
            for tie, number in zip(ties, choice, strict=True)
        }
        told = sorted(names - {"as the reference"}) + ["as the reference"] * ("as the reference" in names)
        if len(self.choices) > 1:
            return f"a mean of the choices {', '.join(told)}"
        return " and ".join(told) + (", each tie by itself" if len(told) > 1 else "")


def choices_alike(ties: Sequence[Tie]) -> Iterator[MeanChoice]:
    """Choices that decide all ties of an operation alike, where these are not too many; and the mean of all choices."""
    sites = list(dict.fromkeys(tie.site for tie in ties))
    few = 3 ** len(sites) <= _COMBINATIONS
    for of_site in itertools.product((OWN, 1, -1), repeat=len(sites)) if few else ():
        which = dict(zip(sites, of_site, strict=True))
        yield MeanChoice((1.0,), (tuple(range(len(tie.choices))[which[tie.site]] for tie in ties),))
    yield coupled_choices(
        [np.array([0.0] + [1 / (len(tie.choices) - 1)] * (len(tie.choices) - 1)) for tie in ties]
    )


_COMBINATIONS = 81

MOST = 400
"""Choices at ties, in all, up to which each tie is decided by itself."""


def count_choices(ties: Sequence[Tie]) -> int:
    """The number of choices, one by one."""
    return sum(len(tie.choices) - 1 for tie in ties)


def coupled_choices(shares: Sequence[Array]) -> MeanChoice:
    """A mean of few choices in which each tie's choices have these shares.

    All ties are decided by one number between 0 and 1: each choice has an interval as long as its share.
    """
    ends = [_ends(of_tie) for of_tie in shares]
    cuts = sorted({Fraction(0), *itertools.chain.from_iterable(ends)})
    merged: dict[Choice, Fraction] = {}
    for low, high in itertools.pairwise(cuts):
        choice = tuple(bisect.bisect_right(of_tie, low) for of_tie in ends)
        merged[choice] = merged.get(choice, Fraction(0)) + high - low
    return MeanChoice(tuple(float(weight) for weight in merged.values()), tuple(merged))


def _ends(shares: Array) -> list[Fraction]:
    """The ends of intervals as long as the shares, without rounding; the largest share is what the others leave."""
    exact = [Fraction(float(share)) for share in shares]
    largest = int(np.argmax(shares))
    exact[largest] = Fraction(1) - sum(exact[:largest]) - sum(exact[largest + 1 :])
    return list(itertools.accumulate(exact))
