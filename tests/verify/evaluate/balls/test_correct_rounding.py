"""Numbers are rounded as IEEE 754 says, from balls that leave no doubt."""

from fractions import Fraction

import flint
import numpy as np

from verify.evaluate.balls.ball_arrays import exact_middle_and_radius
from verify.evaluate.balls.correct_rounding import correctly_rounded_balls


def test_a_ball_is_taken_exactly():
    with flint.ctx.workprec(300):
        ball = flint.arb(1) / 3
    middle, radius = exact_middle_and_radius(ball)
    assert middle != Fraction(1, 3)
    assert abs(middle - Fraction(1, 3)) <= radius < Fraction(1, 2**290)


def test_a_ball_that_leaves_a_doubt_is_not_rounded():
    balls = np.array([flint.arb(0.1), flint.arb(2)], dtype=object)
    np.testing.assert_array_equal(
        correctly_rounded_balls(balls, "float32"), np.array([0.1, 2], dtype="float32"), strict=True
    )
    half_way = 1 + 2.0**-24
    np.testing.assert_array_equal(
        correctly_rounded_balls(np.array([flint.arb(half_way)], dtype=object), "float32"), np.float32([1])
    )
    assert correctly_rounded_balls(np.array([flint.arb(half_way, 1e-30)], dtype=object), "float32") is None
    assert (
        correctly_rounded_balls(np.array([flint.arb(half_way, 1e-30)], dtype=object), "float64") is not None
    )
    assert correctly_rounded_balls(np.array([flint.arb("nan")], dtype=object), "float64") is None
    assert correctly_rounded_balls(np.array([flint.arb(1e300)], dtype=object), "float32") is None
