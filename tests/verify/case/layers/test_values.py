import numpy as np
import pytest

from verify.case.layers.values import REGIMES, fill_layer_values
from verify.reference.layers import reference_in_table
from verify.reference.reference import Reference

AFFINE = reference_in_table("affine")


def arrays(regime, reference=AFFINE, seed=3):
    setting = reference.at(dict.fromkeys(reference.symbols, 4), {})
    return fill_layer_values(setting, "float64", regime, seed)


@pytest.mark.parametrize("regime", REGIMES)
def test_a_seed_gives_the_same_numbers_and_no_cotangent_is_uniform(regime):
    inputs, [cotangent] = arrays(regime)
    fill_layer_values.cache_clear()
    again, _ = arrays(regime)
    assert all(np.array_equal(inputs[name], again[name]) for name in inputs)
    assert len(np.unique(cotangent)) == cotangent.size


def test_ties_have_equal_numbers_and_zeros():
    inputs, _ = arrays("ties")
    assert len(np.unique(inputs["x"])) < inputs["x"].size


def test_equal_rows_are_equal_in_every_input():
    inputs, _ = arrays("equal_rows")
    assert np.array_equal(inputs["x"][0], inputs["x"][-1])


def test_constant_lines():
    inputs, _ = arrays("constant")
    x = inputs["x"]
    assert np.ptp(x, axis=0).max() == 0 or np.ptp(x, axis=1).max() == 0


def test_integers_choices_and_positive_inputs_are_what_they_say():
    reference = Reference.of(
        lambda x, i, m, v: x * m * v,
        {"x": "n n", "i": "n n", "m": "n n", "v": "n n"},
        integers={"i": "n"},
        choices={"m": (0.0, 2.0)},
        positive=("v",),
    )
    inputs, _ = arrays("ordinary", reference)
    assert inputs["i"].dtype.kind == "i"
    assert 0 <= inputs["i"].min() <= inputs["i"].max() < 4
    assert set(np.unique(inputs["m"])) <= {0.0, 2.0}
    assert inputs["v"].min() > 0
