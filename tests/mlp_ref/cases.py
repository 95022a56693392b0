"""Parameters and a batch for tests of the network."""

import numpy as np

from mlp_ref import softmax
from mlp_ref.params import as_layers, parameter_count


def random_case(seed, sizes, batch, loss="cross_entropy", dtype=np.float64):
    rng = np.random.default_rng(seed)
    params = as_layers(rng.normal(size=parameter_count(sizes)).astype(dtype), sizes)
    x = rng.normal(size=(batch, sizes[0])).astype(dtype)
    outputs = rng.normal(size=(batch, sizes[-1])).astype(dtype)
    return params, x, outputs if loss == "mse" else softmax(outputs)
