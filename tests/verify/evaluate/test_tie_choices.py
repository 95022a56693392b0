from fractions import Fraction

import numpy as np
import pytest

from verify.evaluate.tie_choices import (
    OWN,
    MeanChoice,
    count_tie_choices,
    coupled_tie_choices,
    tie_choice_outcomes,
    tie_choices_alike,
)
from verify.evaluate.ties import Tie

OWN_CHOICE = ("as the reference", ())


def kink(site, i=0, place=0):
    """A tie of a number with a constant, by operation i at one place."""
    sides = ("from below", ((i, place, False),)), ("from above", ((i, place, True),))
    return Tie(site, (OWN_CHOICE, *sides))


def largest(site, count):
    """A tie of so many largest numbers."""
    names = ["the first of equals", *["one of equals"] * (count - 2), "the last of equals"]
    outcomes = [tuple((9, k, k == n) for k in range(count)) for n in range(count)]
    return Tie(site, (OWN_CHOICE, *zip(names, outcomes, strict=True)))


def test_a_choice_asks_for_the_outcomes_of_its_ties_alone():
    ties = [kink("a", 3, 0), kink("a", 3, 2), kink("b", 5, 1), kink("b", 5, 3), largest("c", 2)]
    tied = {3: np.ones(3, bool), 5: np.ones((2, 2), bool), 9: np.ones(2, bool)}
    outcomes = tie_choice_outcomes(ties, (1, 2, 2, OWN, OWN), tied)
    assert {i: outcome.tolist() for i, outcome in outcomes.items()} == {
        3: [False, None, True],
        5: [[None, True], [None, None]],
    }
    assert tie_choice_outcomes(ties, (OWN,) * 5, tied) == {}
    assert tie_choice_outcomes(ties, (OWN, OWN, OWN, OWN, 2), tied)[9].tolist() == [False, True]


@pytest.mark.parametrize(
    ("choices", "described"),
    [
        ([(1, 1)], "from below"),
        ([(OWN, OWN)], "as the reference"),
        ([(2, 1)], "from above and from below, each tie by itself"),
        ([(OWN, 2)], "from above and as the reference, each tie by itself"),
        ([(1, 1), (2, 2)], "a mean of the choices from above, from below"),
        ([(1, OWN), (2, OWN)], "a mean of the choices from above, from below, as the reference"),
    ],
)
def test_a_choice_in_words(choices, described):
    mean = MeanChoice((1 / len(choices),) * len(choices), tuple(choices))
    assert mean.described([kink("a"), kink("b")]) == described


def test_the_ties_of_an_operation_are_decided_alike():
    ties = [kink("a"), largest("b", 3), kink("a")]
    *alone, mean = tie_choices_alike(ties)
    assert [choice.weights for choice in alone] == [(1.0,)] * 9
    assert [choice.choices for choice in alone] == [
        ((a, b, a),)
        for a in (OWN, 1, 2)
        for b in (OWN, 1, 3)  # the first and the last of each
    ]
    # Each of the two choices of a kink has a half, each of the three of equal numbers a third.
    assert mean.choices == ((1, 1, 1), (1, 2, 1), (2, 2, 2), (2, 3, 2))
    np.testing.assert_allclose(mean.weights, [1 / 3, 1 / 6, 1 / 6, 1 / 3], rtol=1e-15)


@pytest.mark.parametrize(("sites", "count"), [(1, 3), (3, 27), (4, 81), (5, 0)])
def test_not_more_than_81_choices_are_made_alike(sites, count):
    *alone, mean = tie_choices_alike([kink(site) for site in range(sites)])
    assert len(set(alone)) == len(alone) == count
    assert mean == MeanChoice((0.5, 0.5), ((1,) * sites, (2,) * sites))


def test_the_number_of_choices_is_that_of_those_that_are_not_the_reference():
    assert count_tie_choices([]) == 0
    assert count_tie_choices([kink("a"), kink("b"), largest("c", 4)]) == 2 + 2 + 4


def shares_of(mean, ties):
    """For each tie, the exact share of each of its choices in a mean."""
    found = [[Fraction(0)] * count for count in ties]
    for weight, choice in zip(mean.weights, mean.choices, strict=True):
        for t, number in enumerate(choice):
            found[t][number] += Fraction(weight)
    return found


@pytest.mark.parametrize(
    "shares",
    [
        [(0.5, 0.5), (0.25, 0.75)],
        [(0.5, 0.25, 0.25), (0.25, 0.5, 0.25), (0.25, 0.25, 0.5)],
        [(0.0, 1.0), (1.0, 0.0), (0.0, 0.5, 0.5)],
        [(0.125, 0.0, 0.875)],
    ],
)
def test_a_mean_has_the_shares_that_it_was_made_of(shares):
    mean = coupled_tie_choices([np.array(of_tie) for of_tie in shares])
    assert shares_of(mean, [len(of_tie) for of_tie in shares]) == [list(of_tie) for of_tie in shares]
    assert sum(map(Fraction, mean.weights)) == 1
    assert len(set(mean.choices)) == len(mean.choices) <= 1 + sum(len(of_tie) - 1 for of_tie in shares)


def test_ties_with_the_same_shares_choose_together():
    mean = coupled_tie_choices([np.array([0.25, 0.75]), np.array([0.25, 0.75])])
    assert mean == MeanChoice((0.25, 0.75), ((0, 0), (1, 1)))


@pytest.mark.parametrize("largest_at", [0, 1, 2])
def test_the_largest_share_is_what_the_others_leave(largest_at):
    shares = np.full(3, 0.125)
    shares[largest_at] = 0.5
    expected = [Fraction(1, 8)] * 3
    expected[largest_at] = Fraction(3, 4)
    assert shares_of(coupled_tie_choices([shares]), [3]) == [expected]
