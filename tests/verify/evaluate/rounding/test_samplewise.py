"""Deviations through cumulative sums and sorting: each sample as the value."""

import numpy as np
import pytest

from verify.evaluate.rounding.deviating import Deviating
from verify.evaluate.rounding.passing_rules import PASSING
from verify.evaluate.rounding.samplewise import samplewise_in_turn

from .first_order import assert_first_order, drawn, sampling
from .first_order import quiet as quiet


def test_sorted_sequences():
    a = drawn(np.random.default_rng(10), (3, 4))
    assert_first_order("top_k", {"axis": 1, "k": 2, "which_result": 0}, [a])
    parameters = {"dimension": 1, "num_keys": 1}
    assert_first_order("sort", {**parameters, "which_result": 0}, [a, Deviating(np.zeros((3, 4)))])
    assert (
        PASSING["sort"](sampling(), {**parameters, "which_result": 1}, a.value, [a, Deviating(a.value)])
        is None
    )


@pytest.mark.parametrize("which", ["first", "second", "third", "all"])
def test_a_function_that_is_linear_in_each_operand(which):
    """a b c deviates by da b c + a db c + a b dc."""
    rng = np.random.default_rng(20)
    a, b, c = operands = [drawn(rng, (3,)) for _ in range(3)]
    expected = (
        a.deviation * b.value * c.value + a.value * b.deviation * c.value + a.value * b.value * c.deviation
    )
    for name, operand in zip(("first", "second", "third"), operands, strict=True):
        if which not in ("all", name):
            expected = expected - operand.deviation / operand.value * a.value * b.value * c.value
            operand.deviation = None
    product = samplewise_in_turn(lambda sizes, parameters, a, b, c: a * b * c)
    found = product(sampling(), {}, a.value * b.value * c.value, operands)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    exact = [Deviating(operand.value) for operand in operands]
    assert product(sampling(), {}, a.value, exact) is None
