"""Places are sets of numbers for every n; a mistake in some of them leaves the others right."""

import itertools

import numpy as np
import pytest

from verify.case.case import Case
from verify.diagnosis.mistakes import CATALOGUE, wrong_gradient
from verify.diagnosis.mistakes.in_some_places import (
    chosen_places,
    in_some_layers,
    in_some_rows,
    places_like_rows,
)
from verify.reference.spec import Spec

NAMED = {mistake.name: mistake for mistake in CATALOGUE}
CASE = Case((3, 4, 4, 2), 5, seed=3)


@pytest.mark.parametrize(
    ("places", "said", "mask"),
    [
        (chosen_places([1], "layer"), "layer 2 alone", [0, 1, 0, 0]),
        (chosen_places([0], "layer", end=True), "layer 1 from the end alone", [0, 0, 0, 1]),
        (chosen_places([0], "layer", others=True), "all layers but layer 1", [0, 1, 1, 1]),
        (chosen_places([2, 0], "row"), "rows 1, 3 alone", [1, 0, 1, 0]),
        (
            chosen_places([2, 0], "row", end=True, others=True),
            "all rows but rows 1, 3 from the end",
            [1, 0, 1, 0],
        ),
    ],
)
def test_places_are_counted_from_either_end(places, said, mask):
    assert places.said == said
    assert places.mask(4).tolist() == [bool(m) for m in mask]


def test_every_set_of_rows_has_places_that_are_it_and_each_is_another_in_larger_batches():
    for mask in itertools.product((False, True), repeat=5):
        found = list(places_like_rows(mask)) if any(mask) and not all(mask) else []
        assert all(places.mask(5).tolist() == list(mask) for places in found)
        larger = [tuple(places.mask(9).tolist()) for places in found]
        assert len(set(larger)) >= 3 or not found


def test_a_mistake_in_one_layer_leaves_the_others():
    right = wrong_gradient(Spec())(*CASE.arrays())
    wrong = wrong_gradient(Spec(), in_some_layers(NAMED["bias_sign"], chosen_places([1], "layer")))(
        *CASE.arrays()
    )
    for i, (a, b) in enumerate(zip(right, wrong, strict=True)):
        np.testing.assert_array_equal(a.weight, b.weight, strict=True)
        np.testing.assert_array_equal(b.bias, -a.bias if i == 1 else a.bias, strict=True)


def test_a_constant_stays_one_in_some_layers():
    somewhere = in_some_layers(NAMED["bias_scaled"], chosen_places([0], "layer", end=True))
    right = wrong_gradient(Spec())(*CASE.arrays())
    wrong = wrong_gradient(Spec(), somewhere.with_constant(4.0))(*CASE.arrays())
    assert somewhere.usual == NAMED["bias_scaled"].usual
    np.testing.assert_array_equal(wrong[-1].bias, 4 * right[-1].bias, strict=True)
    np.testing.assert_array_equal(wrong[0].bias, right[0].bias, strict=True)


def test_rows_that_are_left_out_add_nothing():
    params, x, y = CASE.arrays()
    spec = Spec(reduction="sum")
    cut = wrong_gradient(spec, in_some_rows(NAMED["rows_left_out"], chosen_places([0, 3], "row")))(
        params, x, y
    )
    kept = [1, 2, 4]
    expected = wrong_gradient(spec)(params, x[kept], y[kept])
    for a, b in zip(cut, expected, strict=True):
        np.testing.assert_allclose(a.weight, b.weight, rtol=1e-12, strict=True)
        np.testing.assert_allclose(a.bias, b.bias, rtol=1e-12, strict=True)


def test_a_mistake_in_all_rows_but_none_is_the_mistake():
    everywhere = in_some_rows(NAMED["softmax_diagonal"], chosen_places([17], "row", others=True))
    for a, b in zip(
        wrong_gradient(Spec(), everywhere)(*CASE.arrays()),
        wrong_gradient(Spec(), NAMED["softmax_diagonal"])(*CASE.arrays()),
        strict=True,
    ):
        np.testing.assert_array_equal(a.weight, b.weight, strict=True)
