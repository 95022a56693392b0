import pytest

from verify.reference.shapes import Shape, parse_shapes, shape_leaves


def test_axes_are_names_numbers_and_their_sums_and_products():
    shape = Shape("n g*c h+1 3")
    assert shape.at({"n": 2, "g": 3, "c": 4, "h": 5}) == (2, 12, 6, 3)
    assert shape.symbols == ["n", "g", "c", "h"]


def test_an_empty_text_is_a_number():
    assert Shape("").at({}) == ()


@pytest.mark.parametrize("text", ["n/2", "f(n)", "n.real", "2.5", "n +"])
def test_other_axes_are_refused(text):
    with pytest.raises(ValueError, match="shapes"):
        Shape(text, "shapes['x']")


def test_structures_are_named_by_how_a_leaf_is_reached():
    tree = parse_shapes({"b": "m", "w": ["n m", (2, "m")]}, "shapes['p']")
    assert [name for name, _ in shape_leaves(tree, "p")] == ["p['b']", "p['w'][0]", "p['w'][1]"]


def test_what_is_no_shape_is_refused():
    with pytest.raises(ValueError, match=r"shapes\['x'\].*got 2.5"):
        parse_shapes(2.5, "shapes['x']")
