"""Coordinates in the drawing of a network."""

from tests.verify.checks.html.drawn import tensors
from verify.checks.html.svg_network import svg_layer_strip, svg_network

CASE = {"layer_sizes": (2, 3, 1), "batch": 4}


def test_layers_in_order_with_the_first_that_is_wrong_from_the_output():
    layers = svg_layer_strip(tensors((0, (0, 0)), (1, 0), (3, 0)))
    assert [layer["name"] for layer in layers] == ["layer 1", "layer 2"]
    assert [layer["outside"] for layer in layers] == [2, 1]
    assert [layer["first"] for layer in layers] == [False, True]
    assert not any(layer["first"] for layer in svg_layer_strip(tensors()))


def test_tensors_of_no_layer_stand_for_themselves():
    found = tensors()
    for name, tensor in zip("abcd", found, strict=True):
        tensor.update(name=name, layer=0)
    assert [layer["name"] for layer in svg_layer_strip(found)] == ["a", "b", "c", "d"]
    assert svg_network({"rank": 2}, found) is None
    assert svg_network({"layer_sizes": (2, 3, 1)}, found)["status"] is False


def test_a_network_marks_connections_and_units():
    drawn = svg_network(CASE, tensors((0, (1, 2)), (3, 0)))
    assert len(drawn["edges"]) == 2 * 3 + 3
    assert [edge[4] for edge in drawn["edges"]].count("outside") == 1
    assert [status for _, _, status, _ in drawn["units"]] == ["input"] * 2 + ["within"] * 3 + ["outside"]
    assert all(0 < x < drawn["width"] and 0 < y < drawn["height"] for x, y, _, _ in drawn["units"])


def test_a_wide_layer_is_drawn_in_part():
    shapes = ((2, 40), (40,))
    drawn = svg_network({"layer_sizes": (2, 40)}, tensors(shapes=shapes))
    assert [rest for *_, rest in drawn["units"]] == [0] * 7 + [35]
    binned = svg_network({"layer_sizes": (2, 400)}, tensors(shapes=((2, 400), (400,))))
    assert {edge[4] for edge in binned["edges"]} == {"unknown"}
