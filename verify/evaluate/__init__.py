"""Evaluators: a meaning for each primitive operation of a program that JAX traced.

May import: nothing of verify.

`program` is JAX's jaxpr as a flat list of operations, which `flattening` makes of it, and `backward_program` of any
function; `simplify` makes it shorter, and `merged_sums` marks the sums whose terms may come in any order. `bounds`
(NumPy, with error bounds), `balls` (certified), `rounding` (under random rounding) and `xla` (JAX itself) carry it out;
`moves` has the operations that only move numbers, `windows`, `convolution_as_product` and `indexing` those of windows
and indices. `ties`, `tie_choices`, `decided_ties` and `choice_shares` are about the places where a derivative is a
choice. `formats` has the floating-point formats.
"""
