"""What a table of rules is made of.

A rule takes operands as pairs (value, error) and returns the pair of its result; what a pair says, and why
`Arithmetic.rounded` is what one rounding costs, stands in `verify.evaluate.arithmetic`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from verify.evaluate.bounds.arithmetic import Array, Pair

Rule = Callable[..., Pair]
"""``rule(at, parameters, *operands)``: the pair of the result."""


def entering(table: dict[str, Rule]) -> Callable[..., Callable[[Rule], Rule]]:
    """A decorator that enters a rule into a table, under the names of its primitives."""

    def rule(*names: str) -> Callable[[Rule], Rule]:
        def enter(function: Rule) -> Rule:
            table.update(dict.fromkeys(names, function))
            return function

        return enter

    return rule


def full(v: Array, e: Array) -> Array:
    """The errors in the shape of the values."""
    return e if e.shape == v.shape else np.broadcast_to(e, v.shape)


def surely(e: Array) -> Array:
    """An error with what its own arithmetic may have rounded off, for where it is subtracted or compared.

    Elsewhere every term is positive and the slack in `verify.evaluate.bounds.evaluate` covers that, some thousands
    of 2**-53.
    """
    return e * (1 + 2.0**-30)


def ends(v: Array, e: Array) -> tuple[Array, Array]:
    """Numbers below and above all of an interval: v itself where the error is 0, also where it is less than an ulp."""
    inexact = e != 0
    low, high = np.nextafter(v - surely(e), -np.inf), np.nextafter(v + surely(e), np.inf)
    return np.where(inexact, low, v), np.where(inexact, high, v)
