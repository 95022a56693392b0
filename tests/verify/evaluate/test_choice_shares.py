"""Gradients that are linear in the choices at ties, or nearly: which shares give which is known."""

import numpy as np
import pytest
import scipy.optimize

from verify.evaluate.choice_shares import solve_choice_shares
from verify.evaluate.ties import Tie


def ties_with(*counts):
    """Ties with so many choices each, the reference's own included."""
    return [Tie(t, tuple((f"choice {n}", ()) for n in range(count))) for t, count in enumerate(counts)]


class Linear:
    """A gradient that is the sum of a number for each tie's choice: ``effects[t][n]``, that of the reference first."""

    def __init__(self, value, effects, bound=None):
        self.value = np.array(value, dtype=float)
        self.effects = [np.array(of_tie, dtype=float) for of_tie in effects]
        self.bound = np.full(self.value.shape, 1e-9) if bound is None else np.array(bound, dtype=float)
        self.ties = ties_with(*map(len, self.effects))

    def __call__(self, choice):
        parts = [of_tie[number] for of_tie, number in zip(self.effects, choice, strict=True)]
        return self.value + sum(parts), self.bound

    def solutions(self, found):
        """The choice, and the shares of each mean, of every round."""
        solved = list(solve_choice_shares(self.ties, self, np.array(found, dtype=float)))
        assert len(solved) % 4 == 0
        assert all(nearest.weights == (1.0,) for nearest in solved[::4])
        return [
            (solved[k].choices[0], *map(self.shares, solved[k + 1 : k + 4])) for k in range(0, len(solved), 4)
        ]

    def shares(self, mean):
        assert sum(mean.weights) == pytest.approx(1, rel=1e-15)
        assert min(mean.weights) > 0
        shares = [np.zeros(len(of_tie)) for of_tie in self.effects]
        for weight, choice in zip(mean.weights, mean.choices, strict=True):
            for of_tie, number in zip(shares, choice, strict=True):
                of_tie[number] += weight
        return shares


def assert_shares(shares, expected, **tolerance):
    for got, of_tie in zip(shares, expected, strict=True):
        np.testing.assert_allclose(got, of_tie, **{"rtol": 1e-12, "atol": 1e-15, **tolerance})


KINK = [[0.0, 0.0], [-3.0, -6.0], [1.0, 2.0]]
"""A tie: what from below and from above add to the gradient."""


@pytest.mark.parametrize("number", [0, 1, 2])
def test_one_choice_is_found(number):
    gradient = Linear([10.0, 20.0], [KINK])
    found, _ = gradient((number,))
    first, *more = gradient.solutions(found)
    assert first[0] == (number,)
    assert_shares(first[1], [np.eye(3)[number]])
    assert len(more) == (number != 0)  # a round beside each choice that came closest, until it stays
    assert all(again[0] == (number,) for again in more)


def test_a_mean_is_found():
    gradient = Linear([10.0, 20.0], [[[0.0, 0.0], [1.0, 2.0]]])
    [(nearest, near, few, even)] = gradient.solutions([10.3, 20.6])
    assert nearest == (0,)
    for shares in (near, few, even):
        assert_shares(shares, [[0.7, 0.3]])


def test_of_several_means_one_has_few_choices_and_one_even_shares():
    gradient = Linear([5.0], [[[0.0], [1.0], [1.0]]])
    (nearest, _, [few], [even]), *_ = gradient.solutions([5.6])
    assert nearest in [(1,), (2,)]
    np.testing.assert_allclose(sorted(few), [0, 0.4, 0.6], rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(even, [0.4, 0.3, 0.3], rtol=1e-12)


def test_even_shares_stay_where_they_give_the_gradient():
    gradient = Linear([5.0], [[[0.0], [1.0], [2.0], [3.0]]])
    *_, [even] = gradient.solutions([6.5])[0]
    np.testing.assert_allclose(even, [0.25] * 4, rtol=1e-12)


def test_even_shares_are_not_less_than_0():
    gradient = Linear([0.0], [[[0.0], [1.0], [3.0]]])
    *_, [few], [even] = gradient.solutions([0.1])[0]
    for shares in (few, even):
        assert (shares >= 0).all()
        assert shares @ [0, 1, 3] == pytest.approx(0.1, rel=1e-12)
    assert np.count_nonzero(few) == 2


@pytest.mark.parametrize(
    ("effects", "shares"),
    [
        ([[[0], [2], [1], [2]]], [[1, 0, 0, 0]]),
        ([[[0, 0], [0, -1], [3, 3], [2, -1], [-1, -1]]], [[0, 0, 0.5, 0.5, 0]]),
        (
            [[[0, 0, 0], [1, 0, -2], [0, -2, 3]], [[0, 0, 0], [0, 1, 2], [3, 2, 2], [0, -2, -1]]],
            [[0.625, 0, 0.375], [0, 0, 0, 1]],
        ),
    ],
)
def test_where_no_other_shares_give_the_gradient_the_even_ones_are_those(effects, shares):
    gradient = Linear(np.zeros(len(effects[0][0])), effects)
    found = sum(np.array(of_tie) @ effect for of_tie, effect in zip(shares, effects, strict=True))
    for means in gradient.solutions(found)[0][1:]:
        assert_shares(means, shares)


def test_ties_that_move_the_same_entries_are_solved_together():
    first, second, third = [[0, 0, 0], [1, 0, 0]], [[0, 0, 0], [0, 0, 2]], [[0, 0, 0], [4, 1, 8]]
    gradient = Linear([1.0, 2.0, 3.0], [first, second, third])
    (_, near, few, even), *_ = gradient.solutions([1 + 0.25 + 4 * 0.125, 2 + 0.125, 3 + 2 * 0.75 + 8 * 0.125])
    for shares in (near, few, even):
        assert_shares(shares, [[0.75, 0.25], [0.25, 0.75], [0.875, 0.125]])


def test_ties_that_move_different_entries_do_not_disturb_each_other():
    effects = [[[0, 0, 0], [1, 0, 0]], [[0, 0, 0], [0, 1e-6, 0]], [[0, 0, 0], [0, 0, np.inf]]]
    gradient = Linear([1.0, 2.0, 3.0], effects)
    (nearest, near, few, even), *_ = gradient.solutions([1.25, 2 + 0.75e-6, 3])
    assert nearest == (0, 1, 0)
    for shares in (near, few, even):
        assert_shares(shares[:1], [[0.75, 0.25]])
        assert_shares(shares[1:2], [[0.25, 0.75]], rtol=1e-9)
        assert_shares(shares[2:], [[1, 0]])  # of an infinite choice nothing is known


def test_a_tie_that_moves_nothing_stays_as_it_is():
    gradient = Linear([1.0], [[[0.0], [0.0]], [[0.0], [1.0]]])
    for nearest, *means in gradient.solutions([2.0]):
        assert nearest == (0, 1)
        for shares in means:
            assert_shares(shares, [[1, 0], [0, 1]])


@pytest.mark.parametrize("missing", [np.nan, np.inf])
def test_a_gradient_that_is_not_finite_has_no_shares(missing):
    gradient = Linear([1.0, missing], [[[0.0, 0.0], [1.0, 1.0]]])
    assert gradient.solutions([1.5, 2.0]) == []
    gradient = Linear([1.0, 2.0], [[[0.0, 0.0], [1.0, 1.0]]])
    [(nearest, *means)] = gradient.solutions([1.5, missing])
    assert nearest == (0,)
    for shares in means:
        assert_shares(shares, [[1, 0]])


def test_an_entry_counts_by_its_bound():
    """Beside bounds of 1 and 2, the share of 1 is (0 / 1**2 + 1 / 2**2) / (1 / 1**2 + 1 / 2**2)."""
    gradient = Linear([0.0, 0.0], [[[0, 0], [1, 1]]], bound=[1, 2])
    [(nearest, _, few, even)] = gradient.solutions([0, 1])
    assert nearest == (0,)
    assert_shares(few, [[0.8, 0.2]])
    assert_shares(even, [[0.8, 0.2]])


def test_an_entry_without_a_bound_does_not_count():
    gradient = Linear([0.0, 0.0, 0.0], [[[0, 0, 0], [1, 1, 1]]], bound=[np.inf, 1e-9, np.nan])
    [(_, _, few, even)] = gradient.solutions([7.0, 0.3, -5.0])
    assert_shares(few, [[0.7, 0.3]])
    assert_shares(even, [[0.7, 0.3]])
    gradient = Linear([0.0], [[[0], [1]]], bound=[np.inf])
    assert [nearest for nearest, *_ in gradient.solutions([1])] == [(0,)]


def test_an_exact_entry_counts_by_the_roundings_of_its_effects():
    """To each bound comes 2**-50 of the largest effect; so beside that, twice it, as in the test of bounds 1 and 2."""
    gradient = Linear([0.0, 0.0], [[[0, 0], [1, 1]]], bound=[0, 2.0**-50])
    [(_, _, few, even)] = gradient.solutions([0, 1])
    assert_shares(few, [[0.8, 0.2]])
    assert_shares(even, [[0.8, 0.2]])
    gradient = Linear([0.0, 0.0], [[[0, 0], [1, 4]]], bound=[0, 0])  # relative errors are least
    [(_, _, few, even)] = gradient.solutions([0, 4 / 3])
    assert_shares(few, [[5 / 6, 1 / 6]])
    assert_shares(even, [[5 / 6, 1 / 6]])


@pytest.mark.parametrize(("found", "nearest", "expected"), [(1.7, (1,), [0, 1]), (-0.4, (0,), [1, 0])])
def test_beyond_all_choices_the_closest_is_one_of_them(found, nearest, expected):
    gradient = Linear([0.0], [[[0.0], [1.0]]])
    first, *_ = gradient.solutions([found])
    assert first[0] == nearest
    for shares in first[1:]:
        assert_shares(shares, [expected], atol=1e-3)


def test_beyond_all_means_the_closest_is_at_the_edge():
    """Of the points (a, b) with a + b <= 1, (0.55, 0.45) is closest to (0.9, 0.8)."""
    gradient = Linear([0.0, 0.0], [[[0, 0], [1, 0], [0, 1]]], bound=[0.25, 0.25])
    _, _, few, even = gradient.solutions([0.9, 0.8])[0]
    assert_shares(few, [[0, 0.55, 0.45]])
    assert_shares(even, [[0, 0.55, 0.45]], atol=1e-3)


def test_beyond_all_means_equal_choices_have_even_shares():
    gradient = Linear([0.0, 0.0], [[[0, 0], [0, -1], [-2, 3], [0, -1]]], bound=[1, 1])
    *_, few, even = gradient.solutions([1, -2])[0]
    assert_shares(even, [[0, 0.5, 0, 0.5]])
    assert few[0][1] + few[0][3] == 1


def test_shares_are_solved_for_to_the_last_digits():
    random = np.random.default_rng(0)
    effects = [np.concatenate([np.zeros((1, 30)), random.standard_normal((n, 30))]) for n in (2, 3, 4, 2)]
    gradient = Linear(random.standard_normal(30), effects, bound=np.full(30, 1e-16))
    shares = [random.dirichlet(np.ones(len(of_tie))) for of_tie in effects]
    found = gradient.value + sum(of_tie @ effect for of_tie, effect in zip(shares, effects, strict=True))
    for got in gradient.solutions(found)[0][2:]:
        assert_shares(got, shares, rtol=0, atol=1e-15)


def test_shares_that_are_nearly_simple_are_tried_as_that():
    gradient = Linear([0.0], [[[0.0], [1.0]]])
    for share, simple in [(0.5001, 0.5), (0.4999, 0.5), (1e-4, 0), (0.9999, 1), (0.51, 0.51), (0.3, 0.3)]:
        _, near, few, _ = gradient.solutions([share])[0]
        assert_shares(near, [[1 - simple, simple]])
        assert_shares(few, [[1 - share, share]])
        assert simple == share or near[0][1] == simple


def test_simple_shares_still_sum_to_1():
    gradient = Linear([0.0, 0.0], [[[0, 0], [1, 0], [0, 1]]])
    _, near, few, _ = gradient.solutions([0.5001, 0.2])[0]
    assert_shares(near, [[0.2999, 0.5001, 0.2]])
    assert_shares(few, [[0.2999, 0.5001, 0.2]])


def test_ties_behind_one_another_are_found_round_by_round():
    """The second tie has an effect only beside the first one's own; the first one's is measured beside the second."""

    def evaluate(choice):
        return np.array([[[4.0, 0.0], [1.0, 0.0]], [[0.0, 4.0], [0.0, 2.0]]][choice[0]][choice[1]]), np.full(
            2, 1e-9
        )

    solved = list(solve_choice_shares(ties_with(2, 2), evaluate, np.array([0.0, 2.0])))
    assert len(solved) > 4
    assert (1, 1) in [mean.choices[0] for mean in solved[::4] if mean.weights == (1.0,)]


def test_the_search_ends():
    """Where each choice says that the other is closer, it goes on for some rounds."""

    def evaluate(choice):
        seen.append(choice)
        return np.array([0.0 if choice == beside[0] else 1.0]), np.full(1, 1e-9)

    seen, beside = [], [(0,)]
    rounds = 0
    for k, mean in enumerate(solve_choice_shares(ties_with(2), evaluate, np.array([1.0]))):
        if k % 4 == 0:
            assert mean.choices[0] != beside[0]
            rounds += 1
        beside[0] = mean.choices[0] if k % 4 == 3 else beside[0]
    assert 1 < rounds < 10


def test_where_the_least_squares_are_not_found_the_search_stays(monkeypatch):
    solve = scipy.optimize.nnls
    calls = []

    def nnls(matrix, target, maxiter):
        assert maxiter >= 3 * matrix.shape[1]  # SciPy's own default
        calls.append(matrix.shape)
        if len(calls) > 1:
            raise RuntimeError
        return solve(matrix, target, maxiter=maxiter)

    monkeypatch.setattr(scipy.optimize, "nnls", nnls)
    gradient = Linear([10.0, 20.0], [KINK])
    found, _ = gradient((2,))
    rounds = gradient.solutions(found)
    assert [nearest for nearest, *_ in rounds] == [(2,), (2,)]
    assert_shares(rounds[1][2], [[0, 0, 1]])
