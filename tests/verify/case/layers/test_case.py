import numpy as np

from verify.case.layers.case import LayerCase
from verify.reference.layers import reference_in_table

CASE = LayerCase((("n", 2), ("d", 3), ("m", 4)), layout="strided", seed=1)


def test_arrays_are_fresh_in_the_cases_layout():
    first, second = CASE.arrays(reference_in_table("affine")), CASE.arrays(reference_in_table("affine"))
    assert not first.inputs["x"].flags["C_CONTIGUOUS"]
    first.inputs["x"][...] = 0
    assert second.inputs["x"].any()
    assert [a.shape for a in (*first.inputs.values(), *first.cotangents)] == [(2, 3), (3, 4), (4,), (2, 4)]


def test_a_case_is_described_and_its_repr_makes_it_again():
    assert CASE.described() == "n=2 d=3 m=4, float64, strided inputs"
    assert eval(repr(CASE)) == CASE
    assert CASE.extent < LayerCase((("n", 9), ("d", 3), ("m", 4))).extent


def test_the_same_numbers_in_every_layout():
    contiguous = LayerCase(CASE.sizes, seed=1).arrays(reference_in_table("affine"))
    np.testing.assert_array_equal(
        CASE.arrays(reference_in_table("affine")).inputs["x"], contiguous.inputs["x"]
    )
