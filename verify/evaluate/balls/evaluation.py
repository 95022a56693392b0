"""A program carried out in balls, with four times as many bits again and again until they are narrow."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Any

import flint
import numpy as np
import numpy.typing as npt

from verify.evaluate import moves
from verify.evaluate.array import Array
from verify.evaluate.balls import elementwise_rules, indexing_rules, ordering_rules, window_rules
from verify.evaluate.balls.ball_arrays import (
    FIRST_PRECISION,
    LAST_PRECISION,
    Rule,
    Sizes,
    ball_middle,
    ball_radius,
    exact_balls,
)
from verify.evaluate.budget import Budget
from verify.evaluate.formats import Limits, limits
from verify.evaluate.program import Program, require_rules, run_program


def _as_balls(move: moves.Move) -> Rule:
    return lambda sizes, parameters: exact_balls(move(sizes, parameters))


RULES: dict[str, Rule] = {
    **elementwise_rules.RULES,
    **ordering_rules.RULES,
    **window_rules.RULES,
    **indexing_rules.RULES,
    **moves.MOVES,
    **{name: _as_balls(moves.MOVES[name]) for name in ("iota", "dim_as_value")},
}


def evaluate_in_balls(program: Program, inputs: list[Array], sizes: Sizes) -> list[Array]:
    """The program's outputs as arrays of balls, at the working precision of ``flint.ctx``.

    Parameters
    ----------
    program
        JAX's derivative: `verify.reference.derivative.traced_derivative`, or
        `verify.evaluate.backward_program.traced_backward`.
    inputs
        Float64 arrays in the program's order, taken as exact: weight, bias, weight, bias, ..., x, y for a network.
    sizes
        The batch ``b`` and the widths ``n0, n1, ...`` where the program's sizes are symbols.
    """
    require_rules(program, RULES, "the certified evaluator")
    values: list[Any] = [None] * program.slots
    for slot, value in program.constants:
        values[slot] = exact_balls(value)
    for slot, array in zip(program.inputs, inputs, strict=True):
        values[slot] = exact_balls(array)
    return run_program(program, RULES, sizes, values)


def evaluate_at_precision(program: Program, inputs: list[Array], sizes: Sizes, bits: int) -> list[Array]:
    """`evaluate_in_balls` at a working precision of so many bits."""
    with flint.ctx.workprec(bits):
        return evaluate_in_balls(program, inputs, sizes)


def evaluate_certified(
    program: Program,
    inputs: list[Array],
    sizes: Sizes,
    dtype: npt.DTypeLike,
    *,
    enough: Callable[[list[Array]], bool] | None = None,
    budget: Budget | None = None,
) -> list[Array]:
    """Balls narrow enough to judge results in ``dtype``: a radius of at most u/1024 of the entry, and eta/1024 more.

    Where the truth itself is not one number (a kink of relu that the inputs hit exactly in no precision), the
    last precision's balls are returned; likewise where the next precision would take longer than is left of a budget.

    Parameters
    ----------
    program, inputs, sizes
        As for `evaluate_in_balls`.
    dtype
        The format of the results.
    enough
        Says whether balls are narrow enough, where something else is asked of them.
    budget
        How long it may take; as long as it takes where nothing is said.
    """
    narrow = enough or (lambda balls: all(_narrow(tensor, limits(np.dtype(dtype))) for tensor in balls))
    precision = FIRST_PRECISION
    while True:
        start = time.monotonic()
        balls = evaluate_at_precision(program, inputs, sizes, precision)
        slower = _SLOWER * (time.monotonic() - start)
        if precision >= LAST_PRECISION or narrow(balls) or (budget is not None and slower > budget.left):
            return balls
        precision *= 4


_SLOWER = 8
"""How many times as long an evaluation takes with four times as many bits, where those are thousands."""

_SECONDS_A_PRODUCT = 6e-7
"""Seconds of an evaluation over the products of numbers in it, at the first precision."""


def ball_evaluation_seconds(sizes: Sizes) -> float:
    """Estimated seconds of the first evaluation of a network's derivative: three products of matrices a layer."""
    widths = [sizes[f"n{i}"] for i in range(len(sizes) - 1)]
    return 3 * sizes["b"] * sum(a * b for a, b in itertools.pairwise(widths)) * _SECONDS_A_PRODUCT


def _narrow(tensor: Array, at: Limits) -> bool:
    midpoint = ball_middle(tensor)
    return bool(np.all(1024 * ball_radius(tensor) <= at.eps / 2 * abs(midpoint) + at.tiny))
