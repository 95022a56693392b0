"""What a rule makes of small deviations, beside what the function itself makes of them."""

from typing import Any

import numpy as np
import pytest

from verify.evaluate.bounds import EXACT, RULES, Arithmetic
from verify.evaluate.rounding.deviating import Deviating
from verify.evaluate.rounding.passing_rules import PASSING
from verify.evaluate.rounding.sampling import Sampling

SAMPLES = 16


@pytest.fixture(autouse=True)
def quiet():
    with np.errstate(all="ignore"):  # as the evaluation does
        yield


def sampling(either=True, dtype="float32"):
    at = Arithmetic.judging(dtype, {"b": 2, "n0": 3})
    return Sampling(at, SAMPLES, 10.0, np.random.default_rng(0), np.float64, either)


def drawn(rng, shape, positive=False):
    """A value, and samples of a standard deviation of 3 u of it."""
    value = rng.uniform(0.3, 2, size=shape)
    value = value if positive else value * rng.choice([-1, 1], size=shape)
    return Deviating(value, 3 * rng.standard_normal((SAMPLES, *shape)))


def carried(name: str, at: Sampling, parameters: Any, *values: Any) -> Any:
    return RULES[name](at.at, parameters, *[(np.asarray(value), EXACT) for value in values])[0]


def assert_first_order(name, parameters, operands):
    """The samples of the result are, to the first order in u, what the function gives for each sample."""
    at = sampling()
    value = carried(name, at, parameters, *[operand.value for operand in operands])
    found = PASSING[name](at, parameters, value, operands)
    assert found is not None
    assert found.shape == (SAMPLES, *value.shape)
    for k in range(SAMPLES):
        moved = [o.value if o.deviation is None else o.value + at.at.u * o.deviation[k] for o in operands]
        exact = (carried(name, at, parameters, *moved) - value) / at.at.u
        np.testing.assert_allclose(found[k], exact, atol=1e-4 * max(1, abs(exact).max()), rtol=1e-4)
