"""XLA itself: right in dtype and value, and nothing of JAX's configuration changed."""

import jax
import jax.numpy as jnp
import numpy as np

from verify.case.case import Case
from verify.evaluate import xla


def squares(params, x, y):
    [(weight, bias)] = params
    return 0.5 * jnp.sum((x @ weight + bias[None, :] - y) ** 2)


def test_value_and_gradient_of_each_dtype():
    before = dict(jax.config.values)
    for dtype, digits in (("float64", 1e-12), ("float32", 1e-4)):
        case = Case((4, 3), 5, dtype, labels="real")
        [layer], x, y = case.arrays()
        loss, [gradient] = xla.evaluate_by_xla(squares, [layer], x, y)
        dz = x @ layer.weight + layer.bias - y
        assert loss.dtype == gradient.weight.dtype == gradient.bias.dtype == np.dtype(dtype)
        np.testing.assert_allclose(loss, 0.5 * (dz**2).sum(), rtol=digits)
        np.testing.assert_allclose(gradient.weight, x.T @ dz, rtol=digits, atol=digits)
        np.testing.assert_allclose(gradient.bias, dz.sum(axis=0), rtol=digits, atol=digits)
    assert dict(jax.config.values) == before
