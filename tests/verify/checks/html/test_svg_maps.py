"""Coordinates in the maps of a tensor."""

import math
from dataclasses import asdict

import numpy as np
import pytest

from tests.verify.checks.html.drawn import tensors
from verify.checks.entries import summarise_entries
from verify.checks.html.svg_maps import SHADES, map_shade, map_tint, svg_map, svg_value_maps
from verify.reference.judge import judge


@pytest.mark.parametrize(
    ("ratio", "name"),
    [
        (0.0, "none"), (1e-9, "low"), (1e-3, "low"), (0.05, "middle"), (0.2, "high"), (1.0, "high"),
        (np.nextafter(1.0, 2), "over"), (1e4, "far"), (1e9, "farther"), (1e13, "farthest"),
        (math.inf, "farthest"), (math.nan, "vague"),
    ],
)  # fmt: skip
def test_a_shade_changes_at_the_bound(ratio, name):
    assert SHADES[map_shade(ratio)][0] == name


def test_a_map_has_every_field_once_and_a_line_round_what_is_outside():
    weight = tensors((0, (0, 1)), (0, (0, 2)))[0]
    drawn = svg_map(weight)
    assert (drawn["rows"], drawn["columns"]) == (2, 3)
    paths = dict(drawn["paths"])
    assert paths["over"] == "M1 0h2v1h-2z"
    assert paths["none"] == "M0 0h1v1h-1zM0 1h3v1h-3z"
    assert drawn["edge"] == "M1 0h2M1 1h2M1 0v1M3 0v1"
    assert svg_map(tensors()[0])["edge"] == ""


def test_fields_of_a_map_are_square():
    drawn = svg_map(tensors()[0])
    assert drawn["width"] / drawn["columns"] == drawn["height"] / drawn["rows"]


def test_a_map_says_how_many_entries_it_has_where_they_are_binned():
    weight = tensors(shapes=((100, 3), (3,)))[0]
    assert (svg_map(weight)["rows"], svg_map(weight)["entries"]) == (34, (100, 3))
    assert svg_map(tensors()[1])["entries"] == (1, 3)


@pytest.mark.parametrize(
    ("share", "colour"),
    [(0, 0), (0.03, 0), (0.05, 1), (-0.2, -2), (1.0, 3), (-1.0, -3), (1.1, 4), (-math.inf, 9), (math.nan, 9)],
)
def test_a_tint_has_the_size_and_the_sign(share, colour):
    assert map_tint(share) == colour


def test_a_transposed_gradient_shows_in_the_maps_of_values():
    truth = [(np.array([[1.0, 0.0], [-1.0, 1.0]]), np.full((2, 2), 1e-3)), (np.zeros(2), np.full(2, 1e-3))]
    got = [truth[0][0].T, np.full(2, 5.0)]
    weight, bias = (asdict(t) for t in summarise_entries(judge(truth, got, "float64").entries))
    expected, returned = svg_value_maps(weight)
    assert dict(expected["paths"])["n3"] == "M0 1h1v1h-1z"
    assert dict(returned["paths"])["n3"] == "M1 0h1v1h-1z"
    assert [paths for paths, _ in svg_value_maps(bias)[0]["paths"]] == ["0"]
    assert [paths for paths, _ in svg_value_maps(bias)[1]["paths"]] == [
        "p4"
    ]  # more than the largest, which is 0


def test_binned_values_are_means():
    truth = [(np.arange(64.0).reshape(64, 1), np.ones((64, 1))), (np.zeros(1), np.ones(1))]
    weight = summarise_entries(judge(truth, [truth[0][0], np.zeros(1)], "float64").entries)[0]
    assert weight.valued == (4, 1)
    assert weight.expected[:2] == ((1.5,), (5.5,))
    assert weight.got == weight.expected
