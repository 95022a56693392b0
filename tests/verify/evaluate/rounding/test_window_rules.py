"""Deviations through convolutions, windows, and max-pooling's derivative."""

import numpy as np
import pytest

from verify.evaluate.rounding.deviating import Deviating
from verify.evaluate.rounding.passing_rules import PASSING

from ..bounds.test_window_rules import CONVOLUTIONS, WINDOWS
from .first_order import SAMPLES, assert_first_order, carried, drawn, sampling
from .first_order import quiet as quiet


@pytest.mark.parametrize("which", ["both", "first", "second"])
@pytest.mark.parametrize(("lhs", "rhs", "parameters"), CONVOLUTIONS)
def test_convolutions(lhs, rhs, parameters, which):
    rng = np.random.default_rng(13)
    operands = [drawn(rng, shape) for shape in (lhs, rhs)]
    if which != "both":
        operands[which == "first"].deviation = None
    assert_first_order("conv_general_dilated", parameters, operands)


@pytest.mark.parametrize("name", ["reduce_window_sum", "reduce_window_max", "reduce_window_min"])
@pytest.mark.parametrize(("whole", "parameters"), WINDOWS)
def test_windows(name, whole, parameters):
    if name != "reduce_window_sum" and "base_dilation" in parameters:
        return  # a window with nothing inside has no extreme
    assert_first_order(name, parameters, [drawn(np.random.default_rng(14), whole)])


def test_what_is_added_to_windows():
    """A deviation of the number moves along; a sample that takes another entry adds the whole number there."""
    parameters = {"window_dimensions": (2,), "window_strides": (1,), "padding": ((0, 0),), "out_shape": (4,)}
    at, rng = sampling(), np.random.default_rng(15)
    source, chosen = drawn(rng, (3,)), np.array([[True, False], [False, True], [True, False]])
    value = np.array([source.value[0], 0.0, source.value[1] + source.value[2], 0.0])
    moved = PASSING["add_to_windows"](at, parameters, value, [source, Deviating(chosen)])
    expected = source.deviation @ np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 1, 0]])
    np.testing.assert_allclose(moved, expected)
    flips = np.zeros((SAMPLES, 3, 2), dtype=bool)
    flips[0, 2] = True
    exact = Deviating(source.value)
    moved = PASSING["add_to_windows"](at, parameters, value, [exact, Deviating(chosen, flips)])
    assert not moved[1:].any()
    np.testing.assert_allclose(at.at.u * moved[0], [0, 0, -source.value[2], source.value[2]])
    assert PASSING["add_to_windows"](at, parameters, value, [exact, Deviating(chosen)]) is None


def test_of_entries_that_may_be_the_largest_each_sample_takes_one():
    parameters = {"window_dimensions": (3,), "window_strides": (3,), "padding": ((0, 0),), "smallest": False}
    a = Deviating(np.array([1.0, 1.0, 0.5, 2.0, 1.0, 0.0]))
    a.deviation = np.random.default_rng(16).standard_normal((SAMPLES, 6))
    value = carried("largest_in_window", sampling(), parameters, a.value)
    taken = value ^ PASSING["largest_in_window"](sampling(), parameters, value, [a])
    assert (taken.sum(axis=-1) == 1).all()
    assert 0 < taken[:, 0, 0].sum() < SAMPLES
    assert not taken[:, 0, 2].any()
    assert taken[:, 1, 0].all()
    assert PASSING["largest_in_window"](sampling(either=False), parameters, value, [a]) is None
    certain = Deviating(a.value)
    assert PASSING["largest_in_window"](sampling(), parameters, value, [certain]) is None


def test_windows_of_two_axes_each_take_one_entry_in_each_sample():
    """Beside two windows in which two entries are equal there is one that is sure of its largest."""
    parameters = {
        "window_dimensions": (2, 1),
        "window_strides": (2, 1),
        "padding": ((0, 0), (0, 0)),
        "smallest": False,
    }
    a = Deviating(np.array([[1.0, 1.0, 5.0], [1.0, 2.0, 5.0]]))
    a.deviation = np.random.default_rng(21).standard_normal((SAMPLES, 2, 3))
    value = carried("largest_in_window", sampling(), parameters, a.value)
    assert value.shape == (1, 3, 2)
    taken = value ^ PASSING["largest_in_window"](sampling(), parameters, value, [a])
    assert (taken.sum(axis=-1) == 1).all()
    firsts = taken[:, 0, :, 0].sum(axis=0)
    assert 0 < firsts[0] < SAMPLES
    assert firsts[1] == 0
    assert 0 < firsts[2] < SAMPLES
