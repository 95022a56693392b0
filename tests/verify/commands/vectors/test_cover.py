"""A greedy cover takes few candidates, cheap ones first."""

import numpy as np

from verify.commands.vectors.cover import cover


def test_each_is_caught_as_often_as_asked_where_it_can_be():
    caught = np.array([[1, 1, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], dtype=bool)
    assert cover(caught, np.ones(4), 1) == [0, 3]
    assert cover(caught, np.ones(4), 2) == [0, 1, 2, 3]
    assert cover(caught, np.ones(4), np.array([2, 1, 1])) == [0, 1, 3]


def test_what_takes_few_numbers_is_taken_first():
    caught = np.array([[1, 1], [1, 0], [0, 1]], dtype=bool)
    assert cover(caught, np.array([10, 1, 1]), 1) == [1, 2]


def test_what_nothing_catches_asks_for_nothing():
    assert cover(np.zeros((2, 3), dtype=bool), np.ones(2)) == []
