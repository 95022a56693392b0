import pytest

from verify.case.layers.case import LayerCase
from verify.checks.layer_cross_check import worst_certified_error, worst_xla_error
from verify.reference.layers import reference_in_table

CASES = {
    "affine": LayerCase((("n", 2), ("d", 3), ("m", 2)), dtype="float32"),
    "softmax": LayerCase((("n", 2), ("d", 3)), regime="extreme"),
    "max_pool2d": LayerCase(
        (("n", 1), ("c", 1), ("h", 3), ("w", 3)), (("size", 2), ("stride", 1)), regime="ties"
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_xla_and_balls_agree_with_the_bounds(name):
    assert worst_xla_error(reference_in_table(name), CASES[name]) <= 1
    assert worst_certified_error(reference_in_table(name), CASES[name]) <= 1
