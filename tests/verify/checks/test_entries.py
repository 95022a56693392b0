"""The entries of a comparison, few enough to draw."""

import math
from dataclasses import asdict

import numpy as np
import pytest

from verify.checks.entries import FIELDS, PAIRS, SIDE, WORST, _factor, summarise_entries
from verify.reference.judge import judge


def entries_of(*tensors, factor=1.0, off=()):
    """A comparison with values 1, 2, ... and bounds of 1e-9; entries named in ``off`` (tensor, index) are off by 1."""
    truth = [(np.arange(1.0, math.prod(s) + 1).reshape(s), np.full(s, 1e-9)) for s in tensors]
    got = [factor * value for value, _ in truth]
    for tensor, index in off:
        got[tensor][index] += 1
    return judge(truth, got, "float64").entries


def test_each_tensor_has_a_map_of_its_own_shape():
    weight, bias = summarise_entries(entries_of((2, 3), (3,), off=[(0, (1, 2))]))
    assert (weight.name, weight.layer, weight.shape) == ("weight of layer 1", 1, (2, 3))
    assert (weight.size, weight.outside) == (6, 1)
    assert weight.binned == (1, 1)
    assert weight.ratios[0] == (0.0, 0.0, 0.0)
    assert weight.ratios[1] == pytest.approx((0.0, 0.0, 1e9))
    assert (bias.name, len(bias.ratios), bias.outside) == ("bias of layer 1", 1, 0)
    assert bias.ratios == ((0.0, 0.0, 0.0),)


def test_the_worst_entries_are_exact():
    weight, _ = summarise_entries(entries_of((2, 3), (3,), off=[(0, (1, 2)), (0, (0, 1))]))
    first = weight.worst[0]
    assert {first.index, weight.worst[1].index} == {(1, 2), (0, 1)}
    assert first.got - first.expected == 1.0
    assert (first.error, first.bound) == (1.0, 1e-9)
    assert len(weight.worst) == WORST


def test_a_large_tensor_is_binned_and_an_entry_that_is_off_still_shows():
    weight, bias = summarise_entries(entries_of((1000, 700), (700,), off=[(0, (999, 0))]))
    rows, columns = weight.binned
    assert (rows, columns) == (21, 15)
    assert len(weight.ratios) == -(-1000 // rows) <= SIDE
    assert len(weight.ratios[0]) == -(-700 // columns) <= SIDE
    assert weight.ratios[-1][0] == pytest.approx(1e9)
    assert sum(ratio > 1 for row in weight.ratios for ratio in row) == 1
    assert len(bias.ratios[0]) == -(-700 // bias.binned[1])
    assert len(weight.pairs) <= PAIRS


def test_many_tensors_share_the_fields():
    shapes = [(60, 60), (60,)] * 50
    tensors = summarise_entries(entries_of(*shapes))
    assert len(tensors) == 100
    assert sum(len(row) for tensor in tensors for row in tensor.ratios) <= FIELDS
    assert sum(len(tensor.pairs) for tensor in tensors) <= PAIRS


def test_an_array_of_more_dimensions_has_all_but_the_first_in_a_row():
    kernel, _ = summarise_entries(entries_of((2, 3, 4), (2,), off=[(0, (1, 2, 3))]))
    assert (len(kernel.ratios), len(kernel.ratios[0])) == (2, 12)
    assert kernel.ratios[1][11] > 1
    assert kernel.worst[0].index == (1, 2, 3)


@pytest.mark.parametrize("factor", [2.0, -1.0, 0.125])
def test_a_factor_that_all_entries_share_is_said(factor):
    weight, bias = summarise_entries(entries_of((2, 3), (3,), factor=factor))
    assert weight.factor == pytest.approx(factor)
    assert bias.factor == pytest.approx(factor)


def test_no_factor_is_looked_for_below_the_smallest_number_of_the_format():
    expected = np.array([1e-60, 2e-60])
    assert _factor(np.array([0.0, 0.0], dtype=np.float32), expected) is None


def test_no_factor_where_there_is_none():
    assert summarise_entries(entries_of((2, 3), (3,), off=[(0, (0, 0))]))[0].factor is None
    assert summarise_entries(entries_of((2, 3), (3,)))[0].factor is None


def test_one_number_among_zeros_shows_no_factor():
    truth = [(np.array([[0.0, 0.0, -1.0]]), np.full((1, 3), 1e-9)), (np.ones(3), np.full(3, 1e-9))]
    got = [0.8 * truth[0][0], truth[1][0]]
    assert summarise_entries(judge(truth, got, "float64").entries)[0].factor is None
    assert summarise_entries(entries_of((2, 3), (3,), factor=0.0))[0].factor is None
    assert summarise_entries(entries_of((2, 3), (3,), factor=math.nan))[0].factor is None


def test_an_infinite_bound_and_a_nan_are_told_from_the_others():
    truth = [(np.ones((1, 3)), np.array([[1e-9, np.inf, 1e-9]])), (np.zeros(3), np.full(3, 1e-9))]
    weight, _ = summarise_entries(
        judge(truth, [np.array([[1.0, 5.0, np.nan]]), np.zeros(3)], "float64").entries
    )
    assert weight.ratios[0][0] == 0.0
    assert math.isnan(weight.ratios[0][1])
    assert weight.ratios[0][2] == math.inf
    assert weight.outside == 1


def test_a_tensor_without_entries_has_an_empty_map():
    weight, bias = summarise_entries(entries_of((2, 3), (0,)))
    assert (bias.ratios, bias.pairs, bias.worst, bias.size) == ((), (), (), 0)
    assert weight.size == 6


def test_plain_data_alone():
    def plain(data):
        if isinstance(data, dict):
            return all(map(plain, data.values()))
        if isinstance(data, (tuple, list)):
            return all(map(plain, data))
        return type(data) in (int, float, str, bool, type(None))

    assert all(plain(asdict(tensor)) for tensor in summarise_entries(entries_of((4, 3), (3,), factor=2.0)))
