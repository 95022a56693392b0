"""JAX's derivative in NumPy, every number with a bound on the rounding error that it can carry.

Here a program is carried out with the rules of the other modules.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np

from verify.evaluate import moves
from verify.evaluate.array import Array
from verify.evaluate.bounds import (
    comparison_rules,
    function_rules,
    indexing_rules,
    merged_sum_rules,
    operation_rules,
    ordering_rules,
    window_rules,
)
from verify.evaluate.bounds.arithmetic import (
    EXACT,
    LIBRARY_ULPS,
    REFERENCE_ROUNDOFF,
    Arithmetic,
    Pair,
    full_errors,
    with_own_rounding,
)
from verify.evaluate.bounds.operation_rules import truncate_rule
from verify.evaluate.bounds.rule_table import Rule
from verify.evaluate.program import Program, require_rules, run_program

__all__ = ["EXACT", "RULES", "Arithmetic", "Pair", "evaluate_literal", "evaluate_with_bounds"]


def _moved(move: moves.Move) -> Rule:
    """A primitive that moves numbers does not round: their bounds move along."""

    def moved(at: Arithmetic, parameters: Mapping[str, Any], *pairs: Pair) -> Pair:
        v = move(at.sizes, parameters, *[v for v, _ in pairs])
        if all(e is EXACT for _, e in pairs):
            return v, EXACT
        return v, move(at.sizes, parameters, *[full_errors(v, e) for v, e in pairs])

    return moved


def _cancelling_shift(at: Arithmetic, _: Any, a: Pair) -> Pair:
    """A shift m that the result does not depend on: another evaluation, at m' = m + d, gives the same function.

    All its exponentials are those at m times exp(-d), so relative errors are the same. What remains of d: z - m' is
    rounded instead of z - m, which is u ea, and so is the logarithm of the sum of the exponentials, which is
    2 LIBRARY_ULPS u ea. Twice the sum of both enters with m, and from there every exponential. An underflow is
    scaled by exp(-d) too; so this holds for d up to 1/2, which `Arithmetic.eta` has room for.
    """
    return a[0], np.where(a[1] <= 0.5, 2 * (1 + 2 * LIBRARY_ULPS) * at.u * a[1], a[1])


def _convert_element_type(at: Arithmetic, parameters: Mapping[str, Any], a: Pair) -> Pair:
    """Sizes and outcomes become floats exactly (an outcome in doubt is off by 1); floats stay as they are.

    A size beyond the format's integers, and a conversion to a narrower float, would round. A float that becomes
    an integer loses its fraction.
    """
    target = np.dtype(parameters["new_dtype"])
    if a[0].dtype == bool:
        return a[0].astype(float), a[1].astype(float)
    if target.kind in "iu":
        return truncate_rule(*a)
    narrower = target.kind == "f" and target.itemsize < a[0].itemsize
    if target.kind != "f" or not (narrower or np.any(abs(a[0]) > 1 / at.u)):
        return a
    v, e = at.rounded(a[0], a[1] + np.finfo(target.type).eps / 2 * abs(a[0]) if narrower else a[1])
    return v, np.where(np.isinf(v), a[1], e)


RULES: dict[str, Rule] = {
    **operation_rules.RULES,
    **function_rules.RULES,
    **comparison_rules.RULES,
    **ordering_rules.RULES,
    **window_rules.RULES,
    **indexing_rules.RULES,
    **merged_sum_rules.RULES,
    **{name: _moved(move) for name, move in moves.MOVES.items()},
    "convert_element_type": _convert_element_type,
}


def _with_infinities(name: str) -> Rule:
    rule = operation_rules.RULES[name]
    commutes = name == "mul"
    of_zero = name in ("mul", "div")  # infinity times (over) a number that may be 0 is in doubt

    def careful(at: Arithmetic, parameters: Mapping[str, Any], a: Pair, b: Pair) -> Pair:
        """Keep what an exact infinity makes of a finite number infinite, exactly: such are logits that a
        mask removes.
        """
        v, e = rule(at, parameters, a, b)
        known = _infinite(a) & _finite(b, of_zero)
        if commutes or not of_zero:
            known = known | (_infinite(b) & _finite(a, of_zero))
        return v, np.where(known, 0.0, e)

    return careful


def _infinite(a: Pair) -> Array:
    return np.asarray(np.isinf(a[0]) & (a[1] == 0))


def _finite(a: Pair, surely_not_zero: bool) -> Array:
    finite = np.asarray(np.isfinite(a[0]) & np.isfinite(a[1]))
    return finite & (abs(a[0]) > with_own_rounding(a[1])) if surely_not_zero else finite


_OF_INFINITIES = ("add", "add_any", "sub", "mul", "div")


def _table(shifts_cancel: bool, infinities: bool) -> dict[str, Rule]:
    table = dict(RULES)
    if infinities:
        table.update({name: _with_infinities(name) for name in _OF_INFINITIES})
    if shifts_cancel:
        table["stop_gradient"] = _cancelling_shift
    return table


_TABLES = {
    (shifts, infinities): _table(shifts, infinities)
    for shifts in (False, True)
    for infinities in (False, True)
}

RULES_OF_SHIFTS = _TABLES[True, False]


def evaluate_literal(at: Arithmetic, value: Any) -> Pair:
    """A constant of the formula: exact where the judged format holds it, else off by its rounding.

    [u abs(c) + eta], infinite where it overflows. Constants below the smallest normal number may be flushed to 0.
    """
    given = np.asarray(value)
    if given.dtype == bool:
        return given, np.zeros((), dtype=bool)
    constant = given.astype(float)
    if given.dtype.kind in "iu":
        return constant, EXACT
    with np.errstate(over="ignore"):
        inexact = (constant.astype(at.dtype) != constant) | ((abs(constant) < at.eta) & (constant != 0))
    if not inexact.any():
        return constant, EXACT
    with np.errstate(over="ignore"):
        return constant, np.where(inexact, at.rounded(constant, EXACT)[1], 0.0)


@functools.lru_cache(maxsize=1024)
def _literals(program: Program, at: Arithmetic) -> list[tuple[int, Pair]]:
    """The program's constants by slot; they are the same for every size."""
    return [(slot, evaluate_literal(at, value)) for slot, value in program.constants]


def evaluate_with_bounds(program: Program, inputs: list[Array], at: Arithmetic) -> list[Pair]:
    """The loss and the gradient's tensors, in the program's order, as pairs (value, bound).

    Parameters
    ----------
    program
        JAX's derivative: `verify.reference.derivative.traced_derivative`, or
        `verify.evaluate.backward_program.traced_backward`.
    inputs
        What the judged code was given, held in float64 without rounding, in the program's order: weight, bias, weight,
        bias, ..., x, y for a network. Integers are float64 here too, truths are bool.
    at
        The arithmetic that the bounds are for.

    Returns
    -------
    list of (value, bound)
        float64 arrays of one shape. A bound is infinite where rounding may do anything.

    Raises
    ------
    NoRule
        When the program has a primitive without a rule.
    """
    require_rules(program, RULES, "the bound")
    values: list[Any] = [None] * program.slots
    for slot, pair in _literals(program, at):
        values[slot] = pair
    for slot, array in zip(program.inputs, inputs, strict=True):
        values[slot] = (array, _NO_DOUBT if array.dtype == bool else EXACT)
    with np.errstate(all="ignore"):
        pairs = run_program(program, rules_of_evaluation(program, inputs), at, values)
        slack = 1 / (1 - _bound_roundings(program, values) * REFERENCE_ROUNDOFF)
        return [_finished(value, bound, slack) for value, bound in pairs]


def rules_of_evaluation(program: Program, inputs: list[Array]) -> dict[str, Rule]:
    """The table that a program is carried out with: whether its shifts cancel, and whether there are infinities."""
    infinities = _has_infinities(program) or bool(np.isinf(np.concatenate([a.ravel() for a in inputs])).any())
    return _TABLES[program.shifts_cancel, infinities]


@functools.lru_cache(maxsize=1024)
def _has_infinities(program: Program) -> bool:
    return any(np.isinf(np.asarray(value, dtype=float)).any() for _, value in program.constants)


_NO_DOUBT = np.zeros((), dtype=bool)


def _bound_roundings(program: Program, values: list[Any]) -> int:
    """Return how often the arithmetic of a bound itself can round, one after the other.

    Every term of a bound is positive (where one is subtracted, see `with_own_rounding`), so k roundings change it
    by a factor of at most 1 / (1 - k u). A rule has at most 64, counting eight for a function of NumPy's; a sum or
    a product of matrices as many more as it has terms, which are entries of an array of the program.
    """
    most_terms: int = max(pair[0].size for pair in values if pair is not None)
    return len(program.operations) * (64 + most_terms)


def _finished(value: Array, bound: Array, slack: float) -> Pair:
    """The bound in the shape of the value, with its slack; infinite where either is not a number."""
    return value, np.where(np.isfinite(value) & (bound >= 0), bound * slack, np.inf)
