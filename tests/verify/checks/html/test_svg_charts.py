"""Coordinates in the charts."""

import math
from dataclasses import asdict

import numpy as np
import pytest

from tests.verify.checks.html.drawn import tensors
from verify.checks.entries import summarise_entries
from verify.checks.html.svg_charts import svg_histogram, svg_row_bars, svg_scatter
from verify.oracle.error_histogram import ErrorCounter
from verify.reference.judge import judge


@pytest.mark.parametrize(("factor", "words"), [(2.0, "slope 2"), (-1.0, "slope −1"), (1 / 32, "slope 1/32")])
def test_a_factor_is_drawn_as_a_line_with_its_slope(factor, words):
    truth = [(np.arange(1.0, 7).reshape(2, 3), np.full((2, 3), 1e-9)), (np.ones(3), np.full(3, 1e-9))]
    got = [factor * truth[0][0], np.ones(3)]
    weight, bias = (asdict(t) for t in summarise_entries(judge(truth, got, "float64").entries))
    drawn = svg_scatter(weight)
    assert drawn["slope"] == words
    x0, y0, x1, y1 = drawn["fit"]
    assert (y0 - y1) / (x1 - x0) == pytest.approx(factor, abs=0.01)
    assert all(drawn["left"] <= x <= drawn["left"] + drawn["side"] for x in (x0, x1))
    assert svg_scatter(bias)["fit"] is None


def test_points_of_twice_the_truth_lie_on_a_line_of_slope_two():
    weight = tensors(value=2.0)[0]
    weight["pairs"] = [(0.0, 0.0, True), (1.0, 2.0, False), (-1.0, -2.0, False), (1.0, math.nan, False)]
    drawn = svg_scatter(weight)
    (x0, y0, _), (x1, y1, within), (x2, y2, _) = drawn["points"]
    assert (y0 - y1) / (x1 - x0) == pytest.approx(2, rel=0.01)
    assert (y2 - y0) / (x0 - x2) == pytest.approx(2, rel=0.01)
    assert not within
    assert drawn["left_out"] == 1
    inside = (drawn["left"], drawn["left"] + drawn["side"])
    assert all(inside[0] < x < inside[1] for x, _, _ in drawn["points"])
    left, bottom, right, top = drawn["diagonal"]
    assert (bottom - top) == pytest.approx(right - left)


def test_axes_that_differ_are_told():
    weight = tensors()[0]
    weight["pairs"] = [(1.0, 1000.0, False)]
    assert not svg_scatter(weight)["alike"]
    weight["pairs"] = []
    assert svg_scatter(weight)["alike"]


def test_bars_of_rows_go_from_zero_to_their_shares():
    drawn = svg_row_bars([1.0, 1e-9, -1.0, 1 / 32])
    assert [label for *_, label in drawn["bars"]] == ["1", "0", "−1", "1/32"]
    assert [right for *_, right, _, _ in drawn["bars"]] == [True, False, False, False]
    (_, top, height, *_), none, (_, below, down, *_), _ = drawn["bars"]
    assert top == drawn["one"]
    assert height == pytest.approx(drawn["zero"] - drawn["one"])
    assert none[2] == 0
    assert below == drawn["zero"]
    assert down == pytest.approx(height, abs=0.2)


def counted(*ratios):
    errors = ErrorCounter()
    truth = [(np.ones((len(ratios), 1)), np.full((len(ratios), 1), 2.0**-10)), (np.ones(1), np.ones(1))]
    got = [1 + np.array(ratios)[:, None] * 2.0**-10, np.ones(1)]
    errors.add("ties", "float64", judge(truth, got, "float64").entries)
    return asdict(errors.histograms()[0])


def test_a_histogram_has_a_bar_begin_at_the_bound():
    drawn = svg_histogram(counted(0.9, 1.1, 1e9))
    within = [x for x, _, _, beyond in drawn["bars"] if not beyond]
    beyond = [x for x, _, _, beyond in drawn["bars"] if beyond]
    assert len(within) == 1
    assert within[0] + drawn["bar"] <= drawn["one"] + 0.1
    assert min(beyond) == drawn["one"]
    assert (drawn["beyond"], drawn["total"], drawn["exact"]) == (2, 4, 1)
    assert drawn["rows"][0]["name"] == "ties"


@pytest.mark.parametrize("ratios", [(0.0,), (0.5,), (1e-9, 1e15), tuple(10.0**k for k in range(-9, 17))])
def test_a_histogram_keeps_its_width_and_loses_nothing(ratios):
    drawn = svg_histogram(counted(*ratios))
    assert drawn["width"] < 350
    assert drawn["total"] == len(ratios) + 1
    assert all(x + drawn["bar"] < drawn["width"] for x, *_ in drawn["bars"])
    assert 2 <= len(drawn["ticks"]) <= 12
