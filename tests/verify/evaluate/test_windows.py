"""Windows and convolutions of any numbers are JAX's: floats here, and integers that are exact in every order."""

import numpy as np
import pytest

from verify.evaluate import windows

from .bounds.test_window_rules import WINDOWS, members


def integers(shape, seed=0):
    return np.random.default_rng(seed).integers(-9, 10, shape).astype(float)


@pytest.mark.parametrize(("whole", "parameters"), WINDOWS)
def test_the_entries_of_windows(whole, parameters):
    a = integers(whole)
    rows, view = (
        windows.window_entries({}, parameters, a, -99.0),
        windows.reduced_windows({}, parameters, a, -99.0),
    )
    assert windows.window_axes(view) == tuple(range(len(whole), 2 * len(whole)))
    for place, entries in members(whole, parameters).items():
        expected = [-99.0 if i is None else a[i] for i in entries]
        assert rows[place].tolist() == expected
        assert view[place].ravel().tolist() == expected


@pytest.mark.parametrize(("whole", "parameters"), WINDOWS[:3])
def test_where_the_entries_of_windows_lie(whole, parameters):
    found = windows.window_places({}, parameters, whole)
    for place, entries in members(whole, parameters).items():
        expected = [np.prod(whole) if i is None else np.ravel_multi_index(i, whole) for i in entries]
        assert found[place].tolist() == expected


def test_nothing_is_copied_where_nothing_is_spread():
    a = integers((4, 5))
    assert windows.spread_for_windows(a, [(0, 0), (0, 0)], (1, 1), 0) is a
    assert np.shares_memory(windows.sliding_windows(a, (2, 2), (1, 1), (1, 1)), a)
    assert not windows.sliding_windows(a, (2, 2), (1, 1), (1, 1)).flags.writeable


def test_a_window_that_does_not_fit_is_at_no_place():
    assert windows.sliding_windows(np.zeros((2, 5)), (3, 1), (1, 1), (1, 1)).shape == (0, 5, 3, 1)
