"""JAX's formula at the working precision: every number is held in the dtype that is judged."""

import jax.numpy as jnp
import numpy as np
import pytest

from verify.case.case import Case
from verify.evaluate.bounds.arithmetic import Arithmetic
from verify.evaluate.program import NoRule
from verify.reference.derivative import traced_derivative
from verify.reference.spec import Spec
from verify.reference.truth import Truth

from . import working


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_results_are_of_the_dtype_and_near_the_reference(dtype):
    case = Case((4, 5, 3), 6, dtype)
    truth = Truth.of(Spec(), case.inputs(), dtype)
    at = Arithmetic.alone(dtype, case.sizes)
    for result, (value, bound) in zip(
        working.evaluate(traced_derivative(Spec(), case.sizes), case.inputs(), at),
        [truth.loss, *truth.tensors],
        strict=True,
    ):
        assert result.dtype == np.dtype(dtype)
        assert np.all(abs(result - value) <= bound)
        assert dtype == "float64" or np.any(result != value)  # it did round


def test_a_kink_is_decided_as_it_comes():
    case = Case((4, 5, 3), 4, "float32", "ties")
    program = traced_derivative(Spec("relu"), case.sizes)
    results = working.evaluate(program, case.inputs(), Arithmetic.alone("float32", case.sizes))
    assert all(np.isfinite(result).all() for result in results)


def test_outcomes_combine():
    def loss(params, x, y):
        z = x @ params[0].weight
        return jnp.sum(jnp.where((z > 0) & ~(z > 0.5) | (z < -0.5), z, 2 * z) * y)

    case = Case((3, 2), 5)
    at = Arithmetic.alone("float64", case.sizes)
    _, dweight, _ = working.evaluate(traced_derivative(loss, case.sizes), case.inputs(), at)
    [layer], x, y = case.arrays()
    z = x @ layer.weight
    slope = np.where((z > 0) & ~(z > 0.5) | (z < -0.5), 1, 2)
    np.testing.assert_allclose(dweight, x.T @ (slope * y), rtol=1e-12)


def test_a_primitive_without_a_rule_is_named():
    def loss(params, x, y):
        return jnp.sum(jnp.sinh(x @ params[0][0])) + jnp.sum(y)

    case = Case((3, 2), 2)
    with pytest.raises(NoRule, match="for which the working-precision evaluator has no rule"):
        working.evaluate(
            traced_derivative(loss, case.sizes), case.inputs(), Arithmetic.alone("float64", case.sizes)
        )
