"""Where things lie in the drawings."""

import math
from dataclasses import asdict

import numpy as np
import pytest

from verify.checks.entries import summarise_entries
from verify.checks.html.drawings import (
    SHADES,
    draw_histogram,
    draw_map,
    draw_network,
    draw_row_bars,
    draw_scatter,
    draw_strip,
    draw_values,
    shade,
    tint,
)
from verify.oracle.errors import Errors
from verify.reference.judge import judge

CASE = {"layer_sizes": (2, 3, 1), "batch": 4}


def tensors(*off, shapes=((2, 3), (3,), (3, 1), (1,)), value=1.0):
    """The tensors of a gradient of ones, off by 1 at the places (tensor, index)."""
    truth = [(np.ones(shape), np.full(shape, 1e-3)) for shape in shapes]
    got = [np.full(shape, value) for shape in shapes]
    for tensor, index in off:
        got[tensor][index] += 1
    return [asdict(tensor) for tensor in summarise_entries(judge(truth, got, "float64").entries)]


@pytest.mark.parametrize(
    ("ratio", "name"),
    [
        (0.0, "none"), (1e-9, "low"), (1e-3, "low"), (0.05, "middle"), (0.2, "high"), (1.0, "high"),
        (np.nextafter(1.0, 2), "over"), (1e4, "far"), (1e9, "farther"), (1e13, "farthest"),
        (math.inf, "farthest"), (math.nan, "vague"),
    ],
)  # fmt: skip
def test_a_shade_changes_at_the_bound(ratio, name):
    assert SHADES[shade(ratio)][0] == name


def test_a_map_has_every_field_once_and_a_line_round_what_is_outside():
    weight = tensors((0, (0, 1)), (0, (0, 2)))[0]
    drawn = draw_map(weight)
    assert (drawn["rows"], drawn["columns"]) == (2, 3)
    paths = dict(drawn["paths"])
    assert paths["over"] == "M1 0h2v1h-2z"
    assert paths["none"] == "M0 0h1v1h-1zM0 1h3v1h-3z"
    assert drawn["edge"] == "M1 0h2M1 1h2M1 0v1M3 0v1"
    assert draw_map(tensors()[0])["edge"] == ""


def test_fields_of_a_map_are_square():
    drawn = draw_map(tensors()[0])
    assert drawn["width"] / drawn["columns"] == drawn["height"] / drawn["rows"]


def test_a_map_says_how_many_entries_it_has_where_they_are_binned():
    weight = tensors(shapes=((100, 3), (3,)))[0]
    assert (draw_map(weight)["rows"], draw_map(weight)["entries"]) == (34, (100, 3))
    assert draw_map(tensors()[1])["entries"] == (1, 3)


@pytest.mark.parametrize(
    ("share", "colour"),
    [(0, 0), (0.03, 0), (0.05, 1), (-0.2, -2), (1.0, 3), (-1.0, -3), (1.1, 4), (-math.inf, 9), (math.nan, 9)],
)
def test_a_tint_has_the_size_and_the_sign(share, colour):
    assert tint(share) == colour


def test_a_transposed_gradient_shows_in_the_maps_of_values():
    truth = [(np.array([[1.0, 0.0], [-1.0, 1.0]]), np.full((2, 2), 1e-3)), (np.zeros(2), np.full(2, 1e-3))]
    got = [truth[0][0].T, np.full(2, 5.0)]
    weight, bias = (asdict(t) for t in summarise_entries(judge(truth, got, "float64").entries))
    expected, returned = draw_values(weight)
    assert dict(expected["paths"])["n3"] == "M0 1h1v1h-1z"
    assert dict(returned["paths"])["n3"] == "M1 0h1v1h-1z"
    assert [paths for paths, _ in draw_values(bias)[0]["paths"]] == ["0"]
    assert [paths for paths, _ in draw_values(bias)[1]["paths"]] == [
        "p4"
    ]  # more than the largest, which is 0


def test_binned_values_are_means():
    truth = [(np.arange(64.0).reshape(64, 1), np.ones((64, 1))), (np.zeros(1), np.ones(1))]
    weight = summarise_entries(judge(truth, [truth[0][0], np.zeros(1)], "float64").entries)[0]
    assert weight.valued == (4, 1)
    assert weight.expected[:2] == ((1.5,), (5.5,))
    assert weight.got == weight.expected


@pytest.mark.parametrize(("factor", "words"), [(2.0, "slope 2"), (-1.0, "slope −1"), (1 / 32, "slope 1/32")])
def test_a_factor_is_drawn_as_a_line_with_its_slope(factor, words):
    truth = [(np.arange(1.0, 7).reshape(2, 3), np.full((2, 3), 1e-9)), (np.ones(3), np.full(3, 1e-9))]
    got = [factor * truth[0][0], np.ones(3)]
    weight, bias = (asdict(t) for t in summarise_entries(judge(truth, got, "float64").entries))
    drawn = draw_scatter(weight)
    assert drawn["slope"] == words
    x0, y0, x1, y1 = drawn["fit"]
    assert (y0 - y1) / (x1 - x0) == pytest.approx(factor, abs=0.01)
    assert all(drawn["left"] <= x <= drawn["left"] + drawn["side"] for x in (x0, x1))
    assert draw_scatter(bias)["fit"] is None


def test_points_of_twice_the_truth_lie_on_a_line_of_slope_two():
    weight = tensors(value=2.0)[0]
    weight["pairs"] = [(0.0, 0.0, True), (1.0, 2.0, False), (-1.0, -2.0, False), (1.0, math.nan, False)]
    drawn = draw_scatter(weight)
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
    assert not draw_scatter(weight)["alike"]
    weight["pairs"] = []
    assert draw_scatter(weight)["alike"]


def test_bars_of_rows_go_from_zero_to_their_shares():
    drawn = draw_row_bars([1.0, 1e-9, -1.0, 1 / 32])
    assert [label for *_, label in drawn["bars"]] == ["1", "0", "−1", "1/32"]
    assert [right for *_, right, _, _ in drawn["bars"]] == [True, False, False, False]
    (_, top, height, *_), none, (_, below, down, *_), _ = drawn["bars"]
    assert top == drawn["one"]
    assert height == pytest.approx(drawn["zero"] - drawn["one"])
    assert none[2] == 0
    assert below == drawn["zero"]
    assert down == pytest.approx(height, abs=0.2)


def counted(*ratios):
    errors = Errors()
    truth = [(np.ones((len(ratios), 1)), np.full((len(ratios), 1), 2.0**-10)), (np.ones(1), np.ones(1))]
    got = [1 + np.array(ratios)[:, None] * 2.0**-10, np.ones(1)]
    errors.add("ties", "float64", judge(truth, got, "float64").entries)
    return asdict(errors.histograms()[0])


def test_a_histogram_has_a_bar_begin_at_the_bound():
    drawn = draw_histogram(counted(0.9, 1.1, 1e9))
    within = [x for x, _, _, beyond in drawn["bars"] if not beyond]
    beyond = [x for x, _, _, beyond in drawn["bars"] if beyond]
    assert len(within) == 1
    assert within[0] + drawn["bar"] <= drawn["one"] + 0.1
    assert min(beyond) == drawn["one"]
    assert (drawn["beyond"], drawn["total"], drawn["exact"]) == (2, 4, 1)
    assert drawn["rows"][0]["name"] == "ties"


@pytest.mark.parametrize("ratios", [(0.0,), (0.5,), (1e-9, 1e15), tuple(10.0**k for k in range(-9, 17))])
def test_a_histogram_keeps_its_width_and_loses_nothing(ratios):
    drawn = draw_histogram(counted(*ratios))
    assert drawn["width"] < 350
    assert drawn["total"] == len(ratios) + 1
    assert all(x + drawn["bar"] < drawn["width"] for x, *_ in drawn["bars"])
    assert 2 <= len(drawn["ticks"]) <= 12


def test_layers_in_order_with_the_first_that_is_wrong_from_the_output():
    layers = draw_strip(tensors((0, (0, 0)), (1, 0), (3, 0)))
    assert [layer["name"] for layer in layers] == ["layer 1", "layer 2"]
    assert [layer["outside"] for layer in layers] == [2, 1]
    assert [layer["first"] for layer in layers] == [False, True]
    assert not any(layer["first"] for layer in draw_strip(tensors()))


def test_tensors_of_no_layer_stand_for_themselves():
    found = tensors()
    for name, tensor in zip("abcd", found, strict=True):
        tensor.update(name=name, layer=0)
    assert [layer["name"] for layer in draw_strip(found)] == ["a", "b", "c", "d"]
    assert draw_network({"rank": 2}, found) is None
    assert draw_network({"layer_sizes": (2, 3, 1)}, found)["status"] is False


def test_a_network_marks_connections_and_units():
    drawn = draw_network(CASE, tensors((0, (1, 2)), (3, 0)))
    assert len(drawn["edges"]) == 2 * 3 + 3
    assert [edge[4] for edge in drawn["edges"]].count("outside") == 1
    assert [status for _, _, status, _ in drawn["units"]] == ["input"] * 2 + ["within"] * 3 + ["outside"]
    assert all(0 < x < drawn["width"] and 0 < y < drawn["height"] for x, y, _, _ in drawn["units"])


def test_a_wide_layer_is_drawn_in_part():
    shapes = ((2, 40), (40,))
    drawn = draw_network({"layer_sizes": (2, 40)}, tensors(shapes=shapes))
    assert [rest for *_, rest in drawn["units"]] == [0] * 7 + [35]
    binned = draw_network({"layer_sizes": (2, 400)}, tensors(shapes=((2, 400), (400,))))
    assert {edge[4] for edge in binned["edges"]} == {"unknown"}
