import numpy as np
import pytest

from mlp_ref import Layer, as_layers, flatten
from mlp_ref.params import parameter_count, sizes_of_params


def test_layers_are_views_of_the_vector():
    flat = np.arange(17.0)
    layers = as_layers(flat, [2, 3, 2])
    assert [part.shape for layer in layers for part in layer] == [(2, 3), (3,), (3, 2), (2,)]
    np.testing.assert_array_equal(layers[0].weight, [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(layers[1].bias, [15, 16])
    layers[1].bias[:] = -1
    assert flat[-1] == -1


def test_flatten_undoes_as_layers_and_copies():
    flat = np.random.default_rng(0).normal(size=parameter_count([3, 4, 2]))
    layers = as_layers(flat, [3, 4, 2])
    again = flatten([Layer(np.asfortranarray(layer.weight), layer.bias) for layer in layers])
    np.testing.assert_array_equal(again, flat, strict=True)
    assert not np.shares_memory(again, flat)


def test_sizes_and_count():
    layers = as_layers(np.zeros(parameter_count([3, 4, 2])), [3, 4, 2])
    assert sizes_of_params(layers) == [3, 4, 2]
    assert parameter_count([3, 4, 2]) == 3 * 4 + 4 + 4 * 2 + 2


def test_a_vector_of_another_length_is_refused():
    with pytest.raises(ValueError, match=r"flat must have shape \(17,\) for layers \[2, 3, 2\], got \(16,\)"):
        as_layers(np.zeros(16), [2, 3, 2])
