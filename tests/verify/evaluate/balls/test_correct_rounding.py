"""Numbers are rounded as IEEE 754 says, from balls that leave no doubt."""

from fractions import Fraction

import flint
import numpy as np

from verify.evaluate.balls.ball_arrays import exact_middle_and_radius
from verify.evaluate.balls.correct_rounding import correctly_rounded_balls, correctly_rounded_tensors


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


def test_the_precision_grows_until_every_tensor_is_rounded():
    asked = []

    def at_precision(bits):
        asked.append(bits)
        doubt = 1e-30 if len(asked) < 3 else 0
        return [np.array([flint.arb(0.1)]), np.array([flint.arb(1 + 2.0**-24, doubt)])]

    first, second = correctly_rounded_tensors(at_precision, "float32")
    assert asked == sorted(asked)
    assert len(asked) == 3
    np.testing.assert_array_equal(first, np.float32([0.1]), strict=True)
    np.testing.assert_array_equal(second, np.float32([1]), strict=True)


def test_a_doubt_at_every_precision_is_no_result():
    certain, doubtful = np.array([flint.arb(1)]), np.array([flint.arb("nan")])
    assert correctly_rounded_tensors(lambda bits: [certain, doubtful], "float32") is None
