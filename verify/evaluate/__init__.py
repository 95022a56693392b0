"""Evaluators: a meaning for each primitive operation of a program that JAX traced.

May import: nothing of verify.

`program` is JAX's jaxpr as a flat list of operations, which `flattening` makes of it, and `backward_program` of any
function;
`simplify` makes it shorter; `bounds` (NumPy, with error bounds), `balls` (certified), `rounding` (under random
rounding) and `xla` (JAX itself) carry it out; `moves` has the operations that only move numbers,
`windows`, `convolution_as_product` and `indexing` what windows and indices choose, `ties` and `tie_choices` where
a derivative is a choice.
"""
