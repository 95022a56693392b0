"""The evaluators: one derivative, carried out by XLA, by NumPy with error bounds, and by certified balls.

`program` holds JAX's derivative as a flat list of primitive operations; `bounds` and `balls` are tables of rules
for these operations; `xla` runs ``jax.value_and_grad`` itself.
"""
