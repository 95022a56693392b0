"""Calls in which nothing is said of infinity and NaN."""

import numpy as np
import pytest

from mlp_ref.quiet import quietly


def test_what_is_called_quietly_neither_warns_nor_raises_nor_changes_how_others_do():
    big = np.array([1e308, 0.0])
    before = np.geterr()
    with np.errstate(all="raise"):
        np.testing.assert_array_equal(quietly(lambda v: v * v / v, big), [np.inf, np.nan])
        with pytest.raises(FloatingPointError):
            big * big
        with pytest.raises(ZeroDivisionError):
            quietly(lambda: 1 // 0)
    assert np.geterr() == before


def test_quiet_calls_may_be_nested():
    assert quietly(quietly, abs, -3) == 3
