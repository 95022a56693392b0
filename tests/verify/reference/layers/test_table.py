import pytest

from tests.verify.reference.layers.right import RIGHT
from verify.reference.layers import NAMES, reference_in_table


def test_every_reference_has_a_correct_backward_pass_in_the_tests():
    assert set(NAMES) == set(RIGHT)


def test_an_unknown_name_is_refused_with_the_nearest_one():
    with pytest.raises(ValueError, match=r"got 'conv2'.*did you mean 'conv2d'"):
        reference_in_table("conv2")
