import numpy as np
import pytest

from mlp_ref import as_layers
from mlp_ref.initialisation import default_initialisation, initial_parameters

SIZES = [200, 100, 50]


def layers(init, dtype=np.float64, seed=0):
    flat = initial_parameters(SIZES, init, np.dtype(dtype), np.random.default_rng(seed))
    return as_layers(flat, SIZES)


def test_glorot_is_uniform_within_its_limit():
    for weight, bias in layers("glorot"):
        limit = np.sqrt(6 / sum(weight.shape))
        assert 0.99 * limit < np.abs(weight).max() <= limit
        assert weight.std() == pytest.approx(limit / np.sqrt(3), rel=0.05)
        assert not bias.any()


@pytest.mark.parametrize(("init", "scale"), [("he", lambda n: np.sqrt(2 / n)), ("normal", np.ones_like)])
def test_normal_initialisations_have_their_scale(init, scale):
    for weight, bias in layers(init):
        assert weight.std() == pytest.approx(scale(len(weight)), rel=0.05)
        assert abs(weight.mean()) < 0.05 * scale(len(weight))
        assert bias.any() == (init == "normal")


def test_both_dtypes_start_from_the_same_place():
    for wide, narrow in zip(layers("glorot"), layers("glorot", np.float32), strict=True):
        np.testing.assert_array_equal(wide.weight.astype(np.float32), narrow.weight, strict=True)


def test_relu_starts_with_he_and_the_others_with_glorot():
    assert [default_initialisation(h) for h in ("relu", "sigmoid", "tanh", "identity")] == ["he"] + 3 * [
        "glorot"
    ]
