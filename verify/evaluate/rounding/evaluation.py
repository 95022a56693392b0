"""JAX's derivative under random rounding: for each entry the standard deviation that rounding gives it.

The model. Each operation rounds as in the standard model, ``fl(x op y) = (x op y) (1 + d) + t``, within the same sizes
as in `verify.evaluate.bounds`; but the errors, given those before them, have mean zero. To the first order in u, the
error of an entry is then a martingale, ``E = sum_i c_i d_i`` with ``abs(d_i) <= s_i``: by Hoeffding's lemma, for any
distribution of the ``d_i``,

    P(abs(E) > t sigma) <= 2 exp(-t**2 / 2),    sigma**2 = sum_i (c_i s_i)**2

(Azuma's inequality; M. P. Connolly, N. J. Higham and T. Mary, Stochastic rounding and its probabilistic backward error
analysis, SIAM J. Sci. Comput. 43, 2021, for rounding errors; no independence is needed). sigma is estimated from K
evaluations in which each ``d_i`` is a normal number with standard deviation ``s_i``: their deviations from the
reference are normal with standard deviation sigma, so that ``K S**2 / sigma**2``, S their root mean square, is
chi-squared with K degrees of freedom, and independent of E. With its moment generating function,

    P(abs(E) > q S) <= 2 (1 + q**2 / K) ** (-K / 2),

the tail of a Student's t in closed form, without any claim that E itself is normal. `band_quantile` solves it for q.

A sum of n terms in an order that is not known: every partial sum, of any bracketing, is at most the larger of the
positive and of the negative terms together, ``M = (sum abs(t) + abs(sum t)) / 2``. n - 1 additions and n products
(whose squared errors are at most ``2 M**2``) make ``s = sqrt(n + 1) u M``, or ``sqrt(n) u sum abs(t)`` if that is less.
"""

from __future__ import annotations

import collections
import functools
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from verify.evaluate.array import Array
from verify.evaluate.bounds import RULES, evaluate_literal
from verify.evaluate.bounds.arithmetic import EXACT, Arithmetic, Pair
from verify.evaluate.bounds.evaluation import RULES_OF_SHIFTS, rules_of_evaluation
from verify.evaluate.bounds.operation_rules import is_integral
from verify.evaluate.convolution_as_product import (
    convolution_columns,
    convolution_of_product,
    convolution_terms,
)
from verify.evaluate.formats import limits
from verify.evaluate.merged_sums import IN_ANY_ORDER
from verify.evaluate.program import Operation, Program, require_rules
from verify.evaluate.rounding.deviating import Deviating
from verify.evaluate.rounding.passing_rules import PASSING
from verify.evaluate.rounding.quantile import SAMPLES
from verify.evaluate.rounding.sampling import SampleDraws, Sampling


def evaluate_under_rounding(
    program: Program,
    inputs: list[Array],
    at: Arithmetic,
    quantile: float,
    samples: int = SAMPLES,
    either: bool = True,
) -> list[Pair]:
    """The gradient's tensors, in the program's order, as pairs (value, sigma); the function's own values are left out.

    Parameters
    ----------
    program
        JAX's derivative: `verify.reference.derivative.traced_derivative`.
    inputs
        weight, bias, weight, bias, ..., x, y: what the judged code was given, held in float64 without rounding.
    at
        The arithmetic whose roundings are drawn: `Arithmetic.judging` for the judged dtype.
    quantile
        How many sigma the band reaches: as far as that, functions bend and comparisons are in doubt.
    samples
        K.
    either
        Whether a choice in doubt, such as the side of relu's kink, may fall on either side; else it falls as the
        reference's does.

    Returns
    -------
    list of (value, sigma)
        float64 arrays of one shape. Sigma is infinite where rounding may do anything.

    Raises
    ------
    NoRule
        When the program has a primitive without a rule.
    """
    require_rules(program, PASSING, "random rounding")
    wanted = program.outputs[program.values :]
    with np.errstate(all="ignore"):
        carried = _carried_out(program, inputs, at)
        sigmas: dict[int, Array] = {}
        own: dict[int, Array | None] = {}
        for part in _parts(samples, either, max(value.size for value, _ in carried.values())):
            sampling = Sampling(at, len(part), quantile, SampleDraws(part.start), _narrow(at.dtype), either)
            for slot, result in _results(program, carried, sampling):
                spread = result.spread() * np.sqrt(len(part) / samples)
                sigmas[slot] = np.hypot(sigmas[slot], spread) if part.start else spread
                own[slot] = result.own  # not drawn: the same for every part
    for slot in wanted:
        if (rest := own[slot]) is not None:
            sigmas[slot] = np.hypot(sigmas[slot], rest)
    return [_finished(carried[slot][0], at.u * sigmas[slot]) for slot in wanted]


def _finished(value: Array, sigma: Array) -> Pair:
    return value, np.where(np.isfinite(sigma) & np.isfinite(value), sigma, np.inf)


def _narrow(dtype: np.dtype[Any]) -> type[np.floating[Any]]:
    """The samples' own dtype: float32 wherever its range suffices."""
    return np.float64 if limits(dtype).exponent_bits > limits("float32").exponent_bits else np.float32


_PART = 2**22
"""Numbers in the largest array of samples: larger ones are slow to allocate, smaller ones slow to work through."""


def _parts(samples: int, either: bool, largest: int) -> list[range]:
    """The samples in parts that are small enough; in one, where they decide together what is in doubt."""
    size = samples if either else max(1, min(samples, _PART // largest))
    return [range(start, min(start + size, samples)) for start in range(0, samples, size)]


Carried = dict[int, tuple[Array, Array | None]]
"""By slot, a value, and the standard deviation of the roundings of the operation that made it, in units of u."""


def _carried_out(program: Program, inputs: list[Array], at: Arithmetic) -> Carried:
    """The values of all slots that the gradient needs, with the rounding of each operation alone."""
    carried: Carried = {}
    rules = rules_of_evaluation(program, inputs)
    for slot, constant in program.constants:
        value, error = evaluate_literal(at, constant)
        carried[slot] = value, error / at.u if error.any() else None
    for slot, array in zip(program.inputs, inputs, strict=True):
        carried[slot] = array, None
    for (name, parameters, slots, results), _, _ in _of_gradient(program):
        if name in IN_ANY_ORDER:  # what is added, and in which order, has its roundings already
            carried[results[0]] = carried[slots[0]][0], None
            continue
        pairs = [
            (value, _NO_DOUBT if value.dtype == bool else EXACT)
            for value, _ in (carried[slot] for slot in slots)
        ]
        value, error = rules[name](at, parameters, *pairs)
        rounds = error is not EXACT and error.dtype != bool and error.any()
        carried[results[0]] = value, _own(name, parameters, pairs, value, error, at) if rounds else None
    return carried


_NO_DOUBT = np.zeros((), dtype=bool)


def _results(program: Program, carried: Carried, sampling: Sampling) -> Iterator[tuple[int, Deviating]]:
    """The gradient's tensors, by slot, as some samples deviate from them."""
    wanted = program.outputs[program.values :]
    values = {slot: Deviating(carried[slot][0]) for slot in program.inputs}
    values |= {slot: Deviating(carried[slot][0], own=carried[slot][1]) for slot, _ in program.constants}
    for operation, alone, spent in _of_gradient(program):
        [slot] = operation.results
        values[slot] = _passed(program, operation, alone, values, carried[slot], sampling)
        for last in spent:
            if last in wanted:
                yield last, values[last]
            del values[last]
    for slot in set(wanted) & set(values):
        yield slot, values[slot]


@functools.lru_cache(maxsize=256)
def _of_gradient(program: Program) -> list[tuple[Operation, bool, list[int]]]:
    """The operations that the gradient needs.

    Beside each: whether its operand is used nowhere else, and the slots that nothing uses after it.
    """
    needed = set(program.outputs[program.values :])
    kept: list[Operation] = []
    for operation in reversed(program.operations):
        if needed.intersection(operation.results):
            needed.update(operation.operands)
            kept.append(operation)
    kept.reverse()
    uses = collections.Counter(program.outputs[program.values :])
    last: dict[int, int] = {}
    for i, operation in enumerate(kept):
        for slot in {*operation.operands, *operation.results}:
            last[slot] = i
        uses.update(operation.operands)
    return [
        (
            operation,
            [uses[slot] for slot in operation.operands] == [1],
            [slot for slot, at_last in last.items() if at_last == i],
        )
        for i, operation in enumerate(kept)
    ]


_SUMS_OF_TWO = ("add", "add_any", "sub")
_ONE_TO_ONE = ("transpose", "reshape", "squeeze", "expand_dims", "copy", "copy_p", "rev")


def _passed(
    program: Program,
    operation: Operation,
    alone: bool,
    values: dict[int, Deviating],
    carried: tuple[Array, Array | None],
    sampling: Sampling,
) -> Deviating:
    """One operation: the samples that its operands make, and its own rounding, not drawn yet."""
    name, parameters, slots, _ = operation
    value, own = carried
    operands = [values[slot] for slot in slots]
    if name == "stop_gradient" and program.shifts_cancel:  # see bounds: what a shift leaves of its error
        _, left = RULES_OF_SHIFTS[name](sampling.at, parameters, operands[0].excursion(sampling))
        return Deviating(value, own=left / sampling.at.u if left.any() else None)
    if name in _ONE_TO_ONE and alone and operands[0].own is not None:  # it moves along, still to be drawn
        own, operands[0].own = operands[0].own, None
        if own.ndim:
            own = RULES[name](sampling.at, parameters, (own, EXACT))[0]
    deviates = name in _SUMS_OF_TWO and any(operand.drawn(sampling) is not None for operand in operands)
    if deviates and own is None and not is_integral(parameters) and np.isfinite(value).all():
        # The sum is exact of small multiples of a quarter, but not of what deviates from them.
        own = sampling.at.rounded(value, EXACT)[1] / sampling.at.u
    if name in ("mul", "dot_general", "conv_general_dilated"):
        second = _second_order(sampling, name, parameters, operands)
        if second is not None:
            own = second if own is None else np.hypot(own, second)
    return Deviating(value, PASSING[name](sampling, parameters, value, operands), own)


def _own(
    name: str, parameters: Mapping[str, Any], pairs: list[Pair], value: Array, error: Array, at: Arithmetic
) -> Array:
    """The standard deviation of an operation's own roundings, in units of u, from the most that they can be."""
    error = error / at.u
    n: Any = 1
    if name == "reduce_sum":
        n = pairs[0][0].size // max(value.size, 1) - 1
    elif name == "dot_general":
        (inner, _), _ = parameters["dimension_numbers"]
        n = math.prod([pairs[0][0].shape[axis] for axis in inner])
    elif name == "conv_general_dilated":
        (lhs, _), (rhs, _) = pairs
        rows = convolution_terms(at.sizes, parameters, lhs.shape, rhs.shape)
        columns = convolution_columns(parameters, rhs)
        n = convolution_of_product(
            at.sizes, parameters, np.broadcast_to(rows, (len(columns), len(rows), columns.shape[2]))
        )
        n = np.maximum(n, 1)
    if (n if isinstance(n, int) else n.max(initial=0)) <= 1:
        return error
    terms = error / n  # the sum of their magnitudes
    return np.asarray(np.minimum(np.sqrt(n) * terms, np.sqrt(n + 1) * (terms + abs(value)) / 2))


def _second_order(
    sampling: Sampling, name: str, parameters: Mapping[str, Any], operands: list[Deviating]
) -> Array | None:
    """Return what the product of both deviations may add, in units of u, as far as the band reaches: ea eb.

    It is u times the first order, unless both values are 0, as slopes are in deep saturation. None where one is exact.
    """
    if any(operand.drawn(sampling) is None for operand in operands):
        return None
    (a, ea), (b, eb) = (operand.excursion(sampling) for operand in operands)
    errors = (np.broadcast_to(ea, a.shape), EXACT), (np.broadcast_to(eb, b.shape), EXACT)
    return np.asarray(RULES[name](sampling.at, parameters, *errors)[0] / (sampling.reach * sampling.at.u))
