"""JAX's derivative in Arb balls: an interval around every entry that certainly holds the true gradient.

A ball is a midpoint and a radius (F. Johansson, Arb: efficient arbitrary-precision midpoint-radius interval
arithmetic, IEEE Transactions on Computers 66, 2017), from python-flint. The bits are quadrupled until the balls
are far narrower than the rounding of the format that is judged.
"""

from verify.evaluate.balls.ball_arrays import (
    FIRST_PRECISION,
    LAST_PRECISION,
    ball_distance,
    ball_middle,
    ball_radius,
    exact_balls,
)
from verify.evaluate.balls.evaluation import (
    RULES,
    ball_evaluation_seconds,
    evaluate_at_precision,
    evaluate_certified,
    evaluate_in_balls,
)

__all__ = [
    "FIRST_PRECISION",
    "LAST_PRECISION",
    "RULES",
    "ball_distance",
    "ball_evaluation_seconds",
    "ball_middle",
    "ball_radius",
    "evaluate_at_precision",
    "evaluate_certified",
    "evaluate_in_balls",
    "exact_balls",
]
