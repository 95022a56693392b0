"""Every choice of a derivative at ties: each tie decided by itself, and what lies between two such choices.

A backward pass chains the derivatives of its operations. Where an operation's is a choice (a kink, the largest of equal
numbers), any of them gives a right backward pass, whatever the other operations choose (J. Bolte and E. Pauwels,
Conservative set valued fields, automatic differentiation, stochastic gradient methods and deep learning, Mathematical
Programming 188, 2021); and so does a mean of such passes with weights that sum to 1. A choice is looked for here, and
it is shown by the programs that make it: what is found need not be trusted. That the weights sum to 1 is what tells a
tie that is divided from a tie that is paid in full to each.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from verify.evaluate.array import Array
from verify.evaluate.ties import Tie

OWN = 0
"""The number of the choice that the program itself makes, among those of a tie."""


Choice = tuple[int, ...]
"""For each tie the number of its choice."""


def tie_choice_outcomes(ties: Sequence[Tie], choice: Choice, tied: Mapping[int, Array]) -> dict[int, Array]:
    """The outcomes of comparisons that a choice asks for, for `verify.evaluate.decided_ties.decide_ties`."""
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


def tie_choices_alike(ties: Sequence[Tie]) -> Iterator[MeanChoice]:
    """Choices that decide all ties of an operation alike, where these are not too many; and the mean of all choices."""
    sites = list(dict.fromkeys(tie.site for tie in ties))
    few = 3 ** len(sites) <= _COMBINATIONS
    for of_site in itertools.product((OWN, 1, -1), repeat=len(sites)) if few else ():
        which = dict(zip(sites, of_site, strict=True))
        yield MeanChoice((1.0,), (tuple(range(len(tie.choices))[which[tie.site]] for tie in ties),))
    yield coupled_tie_choices(
        [np.array([0.0] + [1 / (len(tie.choices) - 1)] * (len(tie.choices) - 1)) for tie in ties]
    )


_COMBINATIONS = 81

MOST = 400
"""Choices at ties, in all, up to which each tie is decided by itself."""


def count_tie_choices(ties: Sequence[Tie]) -> int:
    """The number of choices at ties, one by one."""
    return sum(len(tie.choices) - 1 for tie in ties)


def coupled_tie_choices(shares: Sequence[Array]) -> MeanChoice:
    """A mean of few choices in which each tie's choices have these shares.

    All ties are decided by one number between 0 and 1: each choice has an interval as long as its share.
    """
    ends = [_ends(of_tie) for of_tie in shares]
    intervals = list(itertools.pairwise(sorted({Fraction(0), *itertools.chain.from_iterable(ends)})))
    return MeanChoice(
        tuple(float(high - low) for low, high in intervals),
        tuple(tuple(bisect.bisect_right(of_tie, low) for of_tie in ends) for low, _ in intervals),
    )


def _ends(shares: Array) -> list[Fraction]:
    """The ends of intervals as long as the shares, without rounding; the largest share is what the others leave."""
    exact = [Fraction(float(share)) for share in shares]
    largest = int(np.argmax(shares))
    exact[largest] = Fraction(1) - sum(exact[:largest]) - sum(exact[largest + 1 :])
    return list(itertools.accumulate(exact))
