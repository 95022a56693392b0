"""A program carried out in balls, at a precision that is doubled until they are narrow."""

from __future__ import annotations

from typing import Any

import flint
import numpy as np
import numpy.typing as npt

from verify.evaluate import moves
from verify.evaluate.balls import elementwise, indexing, ordering, windows
from verify.evaluate.balls.numbers import (
    FIRST_PRECISION,
    LAST_PRECISION,
    Array,
    Rule,
    Sizes,
    exactly,
    middle,
    radius,
)
from verify.evaluate.program import Program, require_rules, run


def _as_balls(move: moves.Move) -> Rule:
    return lambda sizes, parameters: exactly(move(sizes, parameters))


RULES: dict[str, Rule] = {
    **elementwise.RULES,
    **ordering.RULES,
    **windows.RULES,
    **indexing.RULES,
    **moves.MOVES,
    **{name: _as_balls(moves.MOVES[name]) for name in ("iota", "dim_as_value")},
}


def evaluate(program: Program, inputs: list[Array], sizes: Sizes) -> list[Array]:
    """The loss and the gradient's tensors as arrays of balls, at the working precision of ``flint.ctx``.

    Parameters
    ----------
    program
        JAX's derivative: `verify.reference.derivative.traced`.
    inputs
        weight, bias, weight, bias, ..., x, y as float64 arrays, taken as exact.
    sizes
        The batch ``b`` and the widths ``n0, n1, ...``.
    """
    require_rules(program, RULES, "the certified evaluator")
    values: list[Any] = [None] * program.slots
    for slot, value in program.constants:
        values[slot] = exactly(value)
    for slot, array in zip(program.inputs, inputs, strict=True):
        values[slot] = exactly(array)
    return run(program, RULES, sizes, values)


def at_precision(program: Program, inputs: list[Array], sizes: Sizes, bits: int) -> list[Array]:
    """`evaluate` at a working precision of so many bits."""
    with flint.ctx.workprec(bits):
        return evaluate(program, inputs, sizes)


def certified(program: Program, inputs: list[Array], sizes: Sizes, dtype: npt.DTypeLike) -> list[Array]:
    """Balls narrow enough to judge results in ``dtype``: radius at most u/1024 of the entry, or eta/1024.

    Where the truth itself is not one number (a kink of relu that the inputs hit exactly in no precision), the
    last precision's balls are returned.
    """
    info = np.finfo(np.dtype(dtype).type)
    precision = FIRST_PRECISION
    while True:
        balls = at_precision(program, inputs, sizes, precision)
        if precision >= LAST_PRECISION or all(_narrow(tensor, info) for tensor in balls):
            return balls
        precision *= 4


def _narrow(tensor: Array, info: np.finfo[Any]) -> bool:
    midpoint = middle(tensor)
    return bool(np.all(1024 * radius(tensor) <= float(info.eps) / 2 * abs(midpoint) + float(info.tiny)))
