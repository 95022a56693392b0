"""Bounds of sums whose terms are added in any order, also those of the sums that are added: see `merged_sums`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from verify.evaluate import moves
from verify.evaluate.array import Array
from verify.evaluate.bounds.arithmetic import EXACT, Arithmetic, Pair, full_errors
from verify.evaluate.bounds.rule_table import Rule, enter_rule
from verify.evaluate.convolution_as_product import convolution_as_product, convolution_terms
from verify.evaluate.merged_sums import MERGED_SUM

RULES: dict[str, Rule] = {}
rule = enter_rule(RULES)


@rule(MERGED_SUM)
def _merged_sum(at: Arithmetic, parameters: Mapping[str, Any], total: Pair, *operands: Pair) -> Pair:
    """[sum e_i + sum (N - n_i) u M_i], for N = sum n_i terms in all, of which part i has n_i, of magnitudes M_i.

    In any order, N terms that are products make an error of at most N u sum(M): see dot_general, and reduce_sum for
    those that are not. Of these, n_i u M_i (or n_i - 1) are in e_i already, which also holds what the terms themselves
    are off by. A part that is no sum is one term, with ``|v| + e`` for M. Parts that are 0, as outside of a window,
    are none. What an exact infinity makes infinite stays exact: such are logits that a mask removes.
    """
    error = _error_in_any_order(at, parameters["parts"], total[0], operands)
    infinite = np.isinf(total[0])
    return total[0], np.where(infinite & (total[1] == 0), 0.0, error) if infinite.any() else error


def _error_in_any_order(
    at: Arithmetic, parts: Sequence[Any], total: Array, operands: Sequence[Pair]
) -> Array:
    added, made_of = operands[: len(parts)], iter(operands[len(parts) :])
    error: Array = np.zeros(())
    magnitudes, counts = [], []
    for (name, items, moved), (v, e) in zip(parts, added, strict=True):
        n, magnitude = (1, abs(v)) if name is None else _terms(at, name, dict(items), made_of)
        own = full_errors(v, e)
        for move, parameters in moved:
            outside = [np.zeros(())] * (move == "pad")
            magnitude, own = (
                moves.MOVES[move](at.sizes, dict(parameters), array, *outside) for array in (magnitude, own)
            )
        magnitude = np.broadcast_to(magnitude + own, total.shape)
        error = error + own
        magnitudes.append(magnitude)
        counts.append(np.where(magnitude > 0, n, 0))
    terms, largest = np.sum(counts, axis=0), np.sum(magnitudes, axis=0)
    if not error.any() and at.sums_exactly(largest, *added):
        return EXACT
    others = np.sum([(terms - n) * (at.u * m) for n, m in zip(counts, magnitudes, strict=True)], axis=0)
    # A number below eta may be flushed to 0 also where nothing is added to it.
    underflow = np.where((terms > 1) | (largest < at.eta), terms * at.eta, 0.0)
    return error + np.where(at.overflows(largest), np.inf, others) + underflow


def _terms(at: Arithmetic, name: str, parameters: Mapping[str, Any], made_of: Any) -> tuple[int, Array]:
    """Return how many terms a sum has, at most, and the sum of their magnitudes."""
    a = abs(next(made_of)[0])
    if name == "reduce_sum":
        magnitude = np.add.reduce(a, parameters["axes"])
        return a.size // max(magnitude.size, 1), magnitude
    b = abs(next(made_of)[0])
    if name == "dot_general":
        (inner, _), _ = parameters["dimension_numbers"]
        n = math.prod([a.shape[axis] for axis in inner])
        return n, moves.multiply_as_matrices(parameters, a, b)
    terms = convolution_terms(at.sizes, parameters, a.shape, b.shape)
    return int(terms.max(initial=0)), convolution_as_product(at.sizes, parameters, a, b)
