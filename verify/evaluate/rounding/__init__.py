"""JAX's derivative under random rounding: for each entry the standard deviation that rounding gives it.

`deviating` has values with samples, which `sampling` draws, `passing_rules` a rule for each primitive; `evaluation`
puts them together.
"""

from verify.evaluate.rounding.evaluation import evaluate_under_rounding
from verify.evaluate.rounding.quantile import SAMPLES, band_quantile

__all__ = ["SAMPLES", "band_quantile", "evaluate_under_rounding"]
