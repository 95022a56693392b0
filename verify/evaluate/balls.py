"""JAX's derivative in Arb balls: an interval around every entry that certainly holds the true gradient.

A ball is a midpoint and a radius (F. Johansson, Arb: efficient arbitrary-precision midpoint-radius interval
arithmetic, IEEE Transactions on Computers 66, 2017), from python-flint. The precision is doubled until the balls
are far narrower than the rounding of the format that is judged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import flint
import numpy as np
import numpy.typing as npt

from verify.evaluate import moves
from verify.evaluate.program import Program, require_rules, run

Array = npt.NDArray[Any]
Sizes = Mapping[str, int]
"""The batch ``b`` and the widths ``n0, n1, ...``."""

FIRST_PRECISION, LAST_PRECISION = 192, 49_152
"""Bits. A softmax of logits a thousand apart needs 1,443 for its smallest probability to have a digit."""


def _each(function: Callable[..., Any]) -> Callable[..., Array]:
    """A function of balls as a function of arrays of balls."""
    ufunc = np.frompyfunc(function, function.__code__.co_argcount, 1)
    return lambda sizes, parameters, *arrays: np.asarray(ufunc(*arrays))


# A comparison is True, False, or None where the balls overlap and it cannot be known.


def _greater(a: Any, b: Any) -> bool | None:
    return True if a > b else (False if a <= b else None)


def _greater_equal(a: Any, b: Any) -> bool | None:
    return True if a >= b else (False if a < b else None)


def _equal(a: Any, b: Any) -> bool | None:
    return True if a is b or a == b else (False if a != b else None)


def _not(a: bool | None) -> bool | None:
    return None if a is None else not a


def _and(a: bool | None, b: bool | None) -> bool | None:
    return False if a is False or b is False else (None if a is None or b is None else True)


def _select(which: bool | None, a: Any, b: Any) -> Any:
    return a.union(b) if which is None else (b if which else a)


def _sign(a: Any) -> Any:
    return flint.arb(1) if a > 0 else flint.arb(-1) if a < 0 else flint.arb(0) if a == 0 else flint.arb(0, 1)


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
    """By products: Arb's own power of a ball around 0 is not a number."""
    power = exactly(np.ones(a.shape))
    for _ in range(abs(parameters["y"])):
        power = power * a
    return np.asarray(power if parameters["y"] >= 0 else 1 / power)


def _dot_general(sizes: Sizes, parameters: Mapping[str, Any], a: Array, b: Array) -> Array:
    product = moves.left_matrices(parameters, a) @ moves.right_matrices(parameters, b)
    return moves.restored(parameters, product, a, b)


def _as_balls(move: moves.Move) -> Callable[..., Array]:
    return lambda sizes, parameters: exactly(move(sizes, parameters))


def _reduction(ufunc: Any) -> Callable[..., Array]:
    def reduce(sizes: Sizes, parameters: Mapping[str, Any], a: Array) -> Array:
        return np.asarray(ufunc.reduce(a, axis=parameters["axes"]))

    return reduce


_larger = np.frompyfunc(lambda a, b: a.max(b), 2, 1)
_smaller = np.frompyfunc(lambda a, b: a.min(b), 2, 1)

RULES: dict[str, Callable[..., Array]] = {
    "add": _each(lambda a, b: a + b),
    "add_any": _each(lambda a, b: a + b),
    "sub": _each(lambda a, b: a - b),
    "mul": _each(lambda a, b: a * b),
    "div": _each(lambda a, b: a / b),
    "neg": _each(lambda a: -a),
    "abs": _each(lambda a: abs(a)),
    "square": _each(lambda a: a * a),
    "one_minus_square": _each(lambda a: 1 - a * a),
    "integer_pow": _integer_pow,
    "exp": _each(lambda a: a.exp()),
    "expm1": _each(lambda a: a.expm1()),
    "log": _each(lambda a: a.log()),
    "log1p": _each(lambda a: a.log1p()),
    "sqrt": _each(lambda a: a.sqrt()),
    "logistic": _each(_logistic),
    "tanh": _each(lambda a: a.tanh()),
    "max": _each(lambda a, b: a.max(b)),
    "min": _each(lambda a, b: a.min(b)),
    "clamp": _each(lambda low, a, high: a.max(low).min(high)),
    "gt": _each(_greater),
    "lt": _each(lambda a, b: _greater(b, a)),
    "ge": _each(_greater_equal),
    "le": _each(lambda a, b: _greater_equal(b, a)),
    "eq": _each(_equal),
    "ne": _each(lambda a, b: _not(_equal(a, b))),
    "not": _each(_not),
    "and": _each(_and),
    "or": _each(lambda a, b: _not(_and(_not(a), _not(b)))),
    "select_n": _each(_select),
    "sign": _each(_sign),
    "is_finite": _each(lambda a: True if a.is_finite() else None),
    "convert_element_type": _convert_element_type,
    "reduce_sum": _reduction(np.add),
    "reduce_max": _reduction(_larger),
    "reduce_min": _reduction(_smaller),
    "dot_general": _dot_general,
    **{
        name: lambda sizes, parameters, *arrays, _move=move: _move(sizes, parameters, *arrays)
        for name, move in moves.MOVES.items()
    },
    **{name: _as_balls(moves.MOVES[name]) for name in ("iota", "dim_as_value")},
}


def _exact(value: Any) -> Any:
    """A float of any width as a ball of radius zero: a long double is the sum of some doubles."""
    leading = float(value)
    ball = flint.arb(leading)
    while isinstance(value, np.longdouble) and np.isfinite(leading) and value != leading:
        value = value - leading
        leading = float(value)
        with flint.ctx.workprec(FIRST_PRECISION):  # more bits than any long double has
            ball += flint.arb(leading)
    return ball


_ball = np.frompyfunc(_exact, 1, 1)
_as_float = np.frompyfunc(lambda ball: float(ball.mid()), 1, 1)
_radius = np.frompyfunc(lambda ball: float(ball.rad()), 1, 1)


def exactly(array: npt.ArrayLike) -> Array:
    """An array of floats (or truths) as an array of balls of radius zero."""
    array = np.asarray(array)
    return array.astype(object) if array.dtype == bool else np.asarray(_ball(array), dtype=object)


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
    midpoint, radius = middle(tensor), np.asarray(_radius(tensor), dtype=float)
    return bool(np.all(1024 * radius <= float(info.eps) / 2 * abs(midpoint) + float(info.tiny)))


def middle(tensor: Array) -> npt.NDArray[np.float64]:
    """The midpoints of an array of balls, rounded to float64."""
    return np.asarray(_as_float(tensor), dtype=float)


def distance(tensor: Array, result: Array) -> npt.NDArray[np.float64]:
    """An upper bound on the distance between each entry of a result and the true value its ball holds."""
    return np.asarray(_distance(tensor, exactly(result)), dtype=float)


_distance = np.frompyfunc(lambda ball, value: float(abs(ball - value).upper()), 2, 1)
