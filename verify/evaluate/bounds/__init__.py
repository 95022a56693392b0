"""JAX's derivative in NumPy, every number with a bound on the rounding error that it can carry.

One table of rules, by kind: `operation_rules`, `merged_sum_rules`, `function_rules`, `comparison_rules`,
`ordering_rules`, `window_rules`, `indexing_rules`, and the moves; `evaluation` puts them together.
"""

from verify.evaluate.bounds.arithmetic import EXACT, Arithmetic, Pair
from verify.evaluate.bounds.evaluation import RULES, evaluate_literal, evaluate_with_bounds

__all__ = ["EXACT", "RULES", "Arithmetic", "Pair", "evaluate_literal", "evaluate_with_bounds"]
