"""Evaluators: a meaning for each primitive operation of a program that JAX traced.

May import: nothing of verify.

`program` is JAX's jaxpr as a flat list of operations, which `flattening` makes of it, and `backward` of any function;
`simplify` makes it shorter; `bounds` (NumPy, with error bounds), `balls` (certified), `rounding` (under random
rounding) and `xla` (JAX itself) carry it out; `moves` has the operations that only move numbers,
`windows` and `indexing` what windows and indices choose.
"""
