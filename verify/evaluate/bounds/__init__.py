"""JAX's derivative in NumPy, every number with a bound on the rounding error that it can carry.

One table of rules, by kind: `operations`, `functions`, `comparisons`, `ordering`, `windows`, `indexing`, and the moves;
`evaluation` puts them together.
"""

from verify.evaluate.bounds.arithmetic import EXACT, Arithmetic, Pair
from verify.evaluate.bounds.evaluation import RULES, evaluate_literal, evaluate_with_bounds

__all__ = ["EXACT", "RULES", "Arithmetic", "Pair", "evaluate_literal", "evaluate_with_bounds"]
