"""JAX's derivative under random rounding: for each entry the standard deviation that rounding gives it.

`deviating` has values with samples, `passing` a rule for each primitive; `evaluation` puts them together.
"""

from verify.evaluate.rounding.evaluation import SAMPLES, evaluate_under_rounding, reach

__all__ = ["SAMPLES", "evaluate_under_rounding", "reach"]
