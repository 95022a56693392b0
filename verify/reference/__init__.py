"""The reference: a Spec, its forward pass and loss in JAX, their derivative with bounds, and the comparison with it.

May import: evaluate.
"""
