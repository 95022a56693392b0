"""Indices move balls as they move floats; an index that is not known exactly leaves nothing known."""

import flint
import numpy as np
import pytest

from verify.evaluate import balls, bounds
from verify.evaluate.bounds.arithmetic import EXACT, Arithmetic

from ..bounds.test_indexing_rules import INDEXED


@pytest.mark.parametrize("name", sorted(INDEXED))
def test_at_exact_indices(name):
    parameters, shapes, indices = INDEXED[name]
    numbers = [
        np.random.default_rng(i).integers(-9, 10, shape).astype(float) for i, shape in enumerate(shapes)
    ]
    fixed = [np.asarray(index, dtype=float) for index in indices]
    order = [*numbers, *fixed] if name.startswith("dynamic") else [numbers[0], *fixed, *numbers[1:]]
    got = balls.RULES[name]({}, parameters, *map(balls.exact_balls, order))
    at = Arithmetic.judging("float64", {})
    expected, _ = bounds.RULES[name](at, parameters, *((array, EXACT) for array in order))
    np.testing.assert_array_equal(balls.ball_middle(got), expected)
    place = next(i for i, array in enumerate(order) if array is fixed[0])
    wide = [balls.exact_balls(array) for array in order]
    wide[place] = np.asarray(wide[place] + flint.arb(0, 1), dtype=object)
    unknown = balls.RULES[name]({}, parameters, *wide)
    assert unknown.shape == expected.shape
    assert not any(ball.is_finite() for ball in unknown.ravel())
