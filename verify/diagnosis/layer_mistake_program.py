"""The gradients of a layer's mistake as a program, traced once for each setting of the reference."""

from __future__ import annotations

import functools
from typing import Any

import jax

from verify.diagnosis.mistakes.layers import LayerMistake
from verify.evaluate.flattening import flatten_jaxpr
from verify.evaluate.program import Program
from verify.reference.reference import Setting


@functools.lru_cache(maxsize=4096)
def layer_mistake_program(mistake: LayerMistake, setting: Setting) -> Program:
    """The mistake's gradients at some sizes, as a program of the inputs of the reference's."""
    backward = setting.backward
    leaves = [*backward.argument_leaves, *backward.output_leaves]

    def wrong(*flat: Any) -> Any:
        inputs = jax.tree.unflatten(backward.arguments, flat[: len(backward.argument_leaves)])
        dout = setting.cotangent(flat[len(backward.argument_leaves) :])
        return mistake.of(setting.reference, dout, tuple(inputs), dict(setting.options))

    with jax.enable_x64(True):
        program = flatten_jaxpr(jax.make_jaxpr(wrong)(*leaves))
        shapes = [tuple(leaf.shape) for leaf in jax.tree.leaves(jax.eval_shape(wrong, *leaves))]
    wanted = [tuple(leaf.shape) for leaf in backward.argument_leaves]
    judged = [wanted[i] for i in backward.differentiated]
    expected = [judged[i] for i in setting.judged]
    if shapes != expected:
        raise ValueError(f"{mistake.name} gives gradients of the shapes {shapes}; they must have {expected}")
    return program
