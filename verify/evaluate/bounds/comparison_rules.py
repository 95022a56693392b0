"""Bounds of comparisons and of what they select: a pair (outcome, doubt), doubt where either outcome may be.

In these rules the operands are pairs (a, ea), (b, eb). A result in square brackets is the error before its own
rounding, which `Arithmetic.rounded` adds. "Exact" means that the operation itself never rounds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from verify.evaluate.array import Array
from verify.evaluate.bounds.arithmetic import Arithmetic, Pair, full_errors, with_own_rounding
from verify.evaluate.bounds.rule_table import Rule, enter_rule
from verify.evaluate.program import NoRule

RULES: dict[str, Rule] = {}
rule = enter_rule(RULES)


def _comparison(outcome: Callable[[Array, Array], Array]) -> Rule:
    def compare(at: Arithmetic, _: Any, a: Pair, b: Pair) -> Pair:
        """The outcome, in doubt where the intervals overlap or an error is NaN; never for a number and itself."""
        result = outcome(a[0], b[0])
        if a is b:
            return result, np.zeros_like(result)
        if a[0].dtype == bool:
            return result, a[1] | b[1]
        doubt = with_own_rounding(a[1] + b[1])
        return result, ~(abs(a[0] - b[0]) > doubt) & (doubt != 0)

    return compare


RULES.update(
    gt=_comparison(np.greater),
    ge=_comparison(np.greater_equal),
    lt=_comparison(np.less),
    le=_comparison(np.less_equal),
    eq=_comparison(np.equal),
    ne=_comparison(np.not_equal),
)


@rule("and")
def _and(at: Arithmetic, _: Any, a: Pair, b: Pair) -> Pair:
    return a[0] & b[0], a[1] | b[1]


@rule("or")
def _or(at: Arithmetic, _: Any, a: Pair, b: Pair) -> Pair:
    return a[0] | b[0], a[1] | b[1]


@rule("not")
def _not(at: Arithmetic, _: Any, a: Pair) -> Pair:
    return ~a[0], a[1]


@rule("either")
def _either(at: Arithmetic, _: Any, a: Pair, where: Pair) -> Pair:
    """An outcome that may be either where it is said so: how `verify.evaluate.ties` holds every choice."""
    return a[0], a[1] | where[0]


@rule("reduce_or")
def _reduce_or(at: Arithmetic, parameters: Mapping[str, Any], a: Pair) -> Pair:
    """The outcome of any, in doubt where one of them is, unless another is certainly true."""
    axes, doubt = parameters["axes"], full_errors(*a)
    return a[0].any(axis=axes), doubt.any(axis=axes) & ~(a[0] & ~doubt).any(axis=axes)


@rule("reduce_and")
def _reduce_and(at: Arithmetic, parameters: Mapping[str, Any], a: Pair) -> Pair:
    """The outcome of all, in doubt where one of them is, unless another is certainly false."""
    axes, doubt = parameters["axes"], full_errors(*a)
    return a[0].all(axis=axes), doubt.any(axis=axes) & (a[0] | doubt).all(axis=axes)


@rule("select_n")
def _select_n(at: Arithmetic, _: Any, which: Pair, *branches: Pair) -> Pair:
    """The chosen branch; in doubt, also the distance to the other. This makes a kink of relu exact."""
    if len(branches) != 2:
        raise NoRule(
            "the gradient of this loss uses select_n among more than two branches: nest jnp.where instead"
        )
    (v0, e0), (v1, e1) = branches
    v = np.where(which[0], v1, v0)
    own = np.where(which[0], e1, e0)
    if v.dtype == bool:
        return v, own | which[1] & (e0 | e1 | (v0 != v1))
    either = np.maximum(abs(v - v0) + e0, abs(v - v1) + e1)
    return v, np.where(which[1], either, own)


@rule("sign")
def _sign(at: Arithmetic, _: Any, a: Pair) -> Pair:  # in doubt (by 2) where the interval reaches 0
    return np.sign(a[0]), np.where(~(abs(a[0]) > with_own_rounding(a[1])) & (a[1] != 0), 2.0, 0.0)


@rule("is_finite")
def _is_finite(at: Arithmetic, _: Any, a: Pair) -> Pair:  # in doubt where nothing is known
    return np.isfinite(a[0]), ~np.isfinite(a[1])
