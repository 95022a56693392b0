"""The arithmetic operations, functions and comparisons, sums and products, of balls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import flint
import numpy as np

from verify.evaluate import moves
from verify.evaluate.array import Array
from verify.evaluate.balls.ball_arrays import Rule, Sizes, exact_balls, for_each_ball
from verify.evaluate.merged_sums import IN_ANY_ORDER

# A comparison is True, False, or None where the balls overlap and it cannot be known.


def _greater(a: Any, b: Any) -> bool | None:
    return True if a > b else (False if a <= b else None)


def _greater_equal(a: Any, b: Any) -> bool | None:
    return True if a >= b else (False if a < b else None)


def _equal(a: Any, b: Any) -> bool | None:
    if a is None or b is None:
        return None
    return True if a is b or a == b else (False if a != b else None)


def _not(a: bool | None) -> bool | None:
    return None if a is None else not a


def _and(a: bool | None, b: bool | None) -> bool | None:
    return False if a is False or b is False else (None if a is None or b is None else True)


def _select(which: bool | None, a: Any, b: Any) -> Any:
    """One of two balls, or of two outcomes; in doubt, what holds both."""
    if which is not None:
        return b if which else a
    if isinstance(a, (bool, np.bool_, type(None))):
        return a if a == b else None
    return a.union(b)


def _sign(a: Any) -> Any:
    return flint.arb(1) if a > 0 else flint.arb(-1) if a < 0 else flint.arb(0) if a == 0 else flint.arb(0, 1)


def _power(a: Any, b: Any) -> Any:
    if b.is_exact() and b.is_integer() and abs(b) <= _MOST_PRODUCTS:  # also where the base may be 0 or less
        power = flint.arb(1)
        for _ in range(int(abs(float(b)))):
            power *= a
        return power if b >= 0 else 1 / power
    if a == 0 and b > 0:
        return flint.arb(0)
    return a**b


_MOST_PRODUCTS = 64


def _nearest_even(a: Any) -> Any:
    low, high = (a - 0.5).ceil(), (a + 0.5).floor()
    if low == high:
        return low
    return 2 * (low / 2).ceil() if a.is_exact() else low.union(high)  # exact: half-way between two integers


def _nearest_away(a: Any) -> Any:
    return (
        (a + 0.5).floor()
        if a >= 0
        else (a - 0.5).ceil()
        if a <= 0
        else (a - 0.5).ceil().union((a + 0.5).floor())
    )


def _any(a: bool | None, b: bool | None) -> bool | None:
    return _not(_and(_not(a), _not(b)))


def _logistic(a: Any) -> Any:
    if a < 0:  # the exponential that cannot overflow
        small = a.exp()
        return small / (1 + small)
    return 1 / (1 + (-a).exp())


def _number(a: Any) -> Any:
    """An outcome as a ball; a ball as it is."""
    if a is None:
        return flint.arb(0.5, 0.5)
    return flint.arb(int(a)) if isinstance(a, (bool, np.bool_)) else a


def _truncated(a: Any) -> Any:
    """A ball without its fraction, towards 0."""
    return a.floor() if a >= 0 else a.ceil() if a <= 0 else a.floor().union(a.ceil())


def _convert_element_type(sizes: Sizes, parameters: Mapping[str, Any], a: Array) -> Array:
    numbers = np.asarray(_numbers(a))
    return np.asarray(_integers(numbers)) if np.dtype(parameters["new_dtype"]).kind in "iu" else numbers


_numbers, _integers = np.frompyfunc(_number, 1, 1), np.frompyfunc(_truncated, 1, 1)


def _integer_pow(sizes: Sizes, parameters: Mapping[str, Any], a: Array) -> Array:
    """A power by repeated products: Arb's own power of a ball around 0 is not a number."""
    power = exact_balls(np.ones(a.shape))
    for _ in range(abs(parameters["y"])):
        power = power * a
    return np.asarray(power if parameters["y"] >= 0 else 1 / power)


def _dot_general(sizes: Sizes, parameters: Mapping[str, Any], a: Array, b: Array) -> Array:
    return moves.multiply_as_matrices(parameters, a, b)


def _cumsum(sizes: Sizes, parameters: Mapping[str, Any], a: Array) -> Array:
    axis = parameters["axis"]
    ordered = np.flip(a, axis) if parameters["reverse"] else a
    sums = np.asarray(np.add.accumulate(ordered, axis))
    return np.flip(sums, axis) if parameters["reverse"] else sums


def _round(sizes: Sizes, parameters: Mapping[str, Any], a: Array) -> Array:
    to_even = int(parameters["rounding_method"]) == 1
    return (for_each_ball(_nearest_even) if to_even else for_each_ball(_nearest_away))(sizes, parameters, a)


def _reduction(ufunc: Any) -> Rule:
    def reduce(sizes: Sizes, parameters: Mapping[str, Any], a: Array) -> Array:
        for axis in sorted(parameters["axes"], reverse=True):
            a = np.asarray(ufunc.reduce(a, axis=axis))
        return a

    return reduce


_larger = np.frompyfunc(lambda a, b: a.max(b), 2, 1)
_smaller = np.frompyfunc(lambda a, b: a.min(b), 2, 1)

RULES: dict[str, Rule] = {
    "add": for_each_ball(lambda a, b: a + b),
    "add_any": for_each_ball(lambda a, b: a + b),
    "sub": for_each_ball(lambda a, b: a - b),
    "mul": for_each_ball(lambda a, b: a * b),
    "div": for_each_ball(lambda a, b: a / b),
    "neg": for_each_ball(lambda a: -a),
    "abs": for_each_ball(lambda a: abs(a)),
    "square": for_each_ball(lambda a: a * a),
    "one_minus_square": for_each_ball(lambda a: 1 - a * a),
    "integer_pow": _integer_pow,
    "exp": for_each_ball(lambda a: a.exp()),
    "expm1": for_each_ball(lambda a: a.expm1()),
    "log": for_each_ball(lambda a: a.log()),
    "log1p": for_each_ball(lambda a: a.log1p()),
    "sqrt": for_each_ball(lambda a: a.sqrt()),
    "rsqrt": for_each_ball(lambda a: a.rsqrt()),
    "pow": for_each_ball(_power),
    "exp2": for_each_ball(lambda a: flint.arb(2) ** a),
    "sin": for_each_ball(lambda a: a.sin()),
    "cos": for_each_ball(lambda a: a.cos()),
    "erf": for_each_ball(lambda a: a.erf()),
    "erfc": for_each_ball(lambda a: a.erfc()),
    "floor": for_each_ball(lambda a: a.floor()),
    "ceil": for_each_ball(lambda a: a.ceil()),
    "round": _round,
    "rem": for_each_ball(lambda a, b: a - b * _truncated(a / b)),
    "logistic": for_each_ball(_logistic),
    "tanh": for_each_ball(lambda a: a.tanh()),
    "max": for_each_ball(lambda a, b: a.max(b)),
    "min": for_each_ball(lambda a, b: a.min(b)),
    "clamp": for_each_ball(lambda low, a, high: a.max(low).min(high)),
    "gt": for_each_ball(_greater),
    "lt": for_each_ball(lambda a, b: _greater(b, a)),
    "ge": for_each_ball(_greater_equal),
    "le": for_each_ball(lambda a, b: _greater_equal(b, a)),
    "eq": for_each_ball(_equal),
    "ne": for_each_ball(lambda a, b: _not(_equal(a, b))),
    "not": for_each_ball(_not),
    "and": for_each_ball(_and),
    "or": for_each_ball(_any),
    "reduce_or": _reduction(np.frompyfunc(_any, 2, 1)),
    "reduce_and": _reduction(np.frompyfunc(_and, 2, 1)),
    "select_n": for_each_ball(_select),
    "sign": for_each_ball(_sign),
    "is_finite": for_each_ball(lambda a: True if a.is_finite() else None),
    "convert_element_type": _convert_element_type,
    "reduce_sum": _reduction(np.add),
    "reduce_max": _reduction(_larger),
    "reduce_min": _reduction(_smaller),
    "cumsum": _cumsum,
    "dot_general": _dot_general,
    **dict.fromkeys(IN_ANY_ORDER, lambda sizes, parameters, total, *_: total),
}
