"""Deviations through gather and scatter."""

import numpy as np
import pytest

from verify.evaluate.rounding import indexing_rules
from verify.evaluate.rounding.deviating import Deviating
from verify.evaluate.rounding.passing_rules import PASSING

from ..bounds.test_indexing_rules import DROP, INDEXED, ROWS
from .first_order import assert_first_order, carried, drawn, sampling
from .first_order import quiet as quiet


@pytest.mark.parametrize("name", sorted(indexing_rules.PASSING))
def test_what_indices_move(name):
    rng = np.random.default_rng(17)
    parameters, numbers, indices = INDEXED[name]
    fixed = [Deviating(np.asarray(index, dtype=float)) for index in indices]
    first, *rest = [drawn(rng, shape) for shape in numbers]
    operands = [first, *rest, *fixed] if name.startswith("dynamic") else [first, *fixed, *rest]
    assert_first_order(name, parameters, operands)
    value = carried(name, sampling(), parameters, *(operand.value for operand in operands))
    fixed[0].deviation = drawn(rng, fixed[0].value.shape).deviation
    unknown = PASSING[name](sampling(), parameters, value, operands)
    assert np.isinf(unknown).all()


def test_what_fills_a_place_outside_does_not_deviate():
    parameters = {"dimension_numbers": ROWS, "mode": DROP, "fill_value": 7.0, "out_shape": (2, 4)}
    a, indices = drawn(np.random.default_rng(22), (5, 4)), Deviating(np.array([[9.0], [3.0]]))
    found = PASSING["gather"](sampling(), parameters, np.zeros((2, 4)), [a, indices])
    assert not found[:, 0].any()
    np.testing.assert_array_equal(found[:, 1], a.deviation[:, 3])
