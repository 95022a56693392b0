"""JAX's formula in NumPy at the working precision: every operand and every result held in one dtype."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from verify.evaluate.array import Array
from verify.evaluate.bounds import EXACT, RULES, Arithmetic, Pair
from verify.evaluate.program import Program, require_rules, run_program


def evaluate(program: Program, inputs: list[Array], at: Arithmetic) -> list[Array]:
    """The loss and the gradient's tensors as the formula gives them when computed in ``at.dtype`` throughout."""
    require_rules(program, RULES, "the working-precision evaluator")
    values: list[Any] = [None] * program.slots
    for slot, value in program.constants:
        values[slot] = (_held(np.asarray(value), at.dtype), EXACT)
    for slot, array in zip(program.inputs, inputs, strict=True):
        values[slot] = (array.astype(at.dtype), EXACT)
    with np.errstate(all="ignore"):
        return [value for value, _ in run_program(program, _ROUNDED, at, values)]


def _rounded(rule: Callable[..., Pair]) -> Callable[..., Pair]:
    def rounded(at: Arithmetic, parameters: Any, *operands: Pair) -> Pair:
        value, _ = rule(at, parameters, *operands)
        return _held(value, at.dtype), _NO_DOUBT if value.dtype == bool else EXACT

    return rounded


def _held(value: Array, dtype: npt.DTypeLike) -> Array:
    return value if value.dtype == bool else value.astype(dtype)


_NO_DOUBT = np.zeros((), dtype=bool)
_ROUNDED = {name: _rounded(rule) for name, rule in RULES.items()}
