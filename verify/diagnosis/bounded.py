"""Arrays that carry their own error bounds, so that a formula written in NumPy bounds itself.

A `Bounded` behaves as a NumPy array in the few operations that a backpropagation needs, and each of them applies the
rule of `verify.evaluate.bounds`. The code that makes a wrong gradient therefore also says, entry by entry, how far
any other evaluation of the same wrong formula may lie from it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from numpy.lib.mixins import NDArrayOperatorsMixin

from verify.evaluate.array import Array
from verify.evaluate.bounds import RULES, evaluate_literal
from verify.evaluate.bounds.arithmetic import EXACT, REFERENCE_ROUNDOFF, Arithmetic, Pair

_UFUNCS = {
    "add": "add",
    "subtract": "sub",
    "multiply": "mul",
    "divide": "div",
    "negative": "neg",
    "absolute": "abs",
    "square": "square",
    "exp": "exp",
    "log": "log",
    "tanh": "tanh",
    "sqrt": "sqrt",
    "sign": "sign",
    "maximum": "max",
    "minimum": "min",
    "greater": "gt",
    "greater_equal": "ge",
    "less": "lt",
    "less_equal": "le",
    "equal": "eq",
    "bitwise_and": "and",
    "invert": "not",
}
_LOGICAL = ("bitwise_and", "invert")
_MATMUL = {"dimension_numbers": (((1,), (0,)), ((), ()))}
_MOVES = ("roll", "repeat", "flip")


@functools.cache
def _arithmetic(dtype: str) -> Arithmetic:
    """Return what one rounding in a dtype costs, next to one of the float64 value that is computed here."""
    return Arithmetic.judging(dtype, {})


class Bounded(NDArrayOperatorsMixin):
    """An array of float64 values, each with a bound on what another evaluation may differ by.

    Parameters
    ----------
    value
        Array of float64, or of outcomes (bool).
    bound
        Bounds, or doubts (bool), of a shape that broadcasts to the value's.
    at
        The arithmetic in which the judged code computes.
    roundings
        How often the arithmetic of the bound itself can have rounded, one after the other.
    """

    def __init__(self, value: Array, bound: Array, at: Arithmetic, roundings: int = 0) -> None:
        self.value, self.bound, self.at, self.roundings = value, bound, at, roundings

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the value."""
        return self.value.shape

    @property
    def ndim(self) -> int:
        """The number of axes of the value."""
        return self.value.ndim

    @property
    def dtype(self) -> np.dtype[Any]:
        """The format that the judged code computes in."""
        return self.at.dtype

    @property
    def T(self) -> Bounded:  # noqa: N802 - NumPy's name
        """The transpose."""
        return self._moved(lambda array: array.T)

    def __len__(self) -> int:
        return len(self.value)

    def __getitem__(self, index: Any) -> Bounded:
        return self._moved(lambda array: array[index])

    def reshape(self, *shape: int) -> Bounded:
        """The same numbers in another shape."""
        return self._moved(lambda array: array.reshape(*shape))

    def copy(self) -> Bounded:
        """A copy that shares no memory."""
        return Bounded(self.value.copy(), np.array(self.bound), self.at, self.roundings)

    def _moved(self, move: Callable[[Array], Array]) -> Bounded:
        bound = self.bound if self.bound.ndim == 0 else move(np.broadcast_to(self.bound, self.shape))
        return Bounded(np.asarray(move(self.value)), bound, self.at, self.roundings)

    def astype(self, dtype: npt.DTypeLike) -> Bounded:
        """The same numbers in another float format.

        Rounding is monotone: what lies within [v - e, v + e] comes out between what its two ends become.
        """
        target = np.dtype(dtype)
        if np.finfo(target.type).eps <= np.finfo(self.at.dtype.type).eps:
            return Bounded(self.value, self.bound, _arithmetic(str(target)), self.roundings)
        with np.errstate(all="ignore"):
            low, value, high = (
                np.asarray(v, dtype=target).astype(np.float64)
                for v in (self.value - self.bound, self.value, self.value + self.bound)
            )
            bound = np.maximum(abs(high - value), abs(low - value))
        return Bounded(value, bound, _arithmetic(str(target)), self.roundings + 2)

    def sum(self, axis: int | None = None, keepdims: bool = False) -> Bounded:
        """The sum along an axis, or of all entries, in any order."""
        return self._reduced("reduce_sum", axis, keepdims)

    def max(self, axis: int | None = None, keepdims: bool = False) -> Bounded:
        """The largest entry along an axis, or of all."""
        return self._reduced("reduce_max", axis, keepdims)

    def mean(self, axis: int | None = None, keepdims: bool = False) -> Bounded:
        """The mean along an axis, or of all entries."""
        n = self.value.size if axis is None else self.shape[axis]
        return cast("Bounded", self.sum(axis, keepdims) / n)

    def _reduced(self, name: str, axis: int | None, keepdims: bool) -> Bounded:
        axes = tuple(range(self.ndim)) if axis is None else (axis % self.ndim,)
        pair = RULES[name](self.at, {"axes": axes}, _numbers(self))
        if keepdims:
            kept = [1 if i in axes else n for i, n in enumerate(self.shape)]
            pair = pair[0].reshape(kept), np.broadcast_to(pair[1], pair[0].shape).reshape(kept)
        return _of(pair, self.at, self.roundings + 16 + self.value.size)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *operands: Any, **options: Any) -> Any:
        out = options.pop("out", None)
        if method != "__call__" or options:
            return NotImplemented
        name = ufunc.__name__
        at = _finest(operands)
        bounded = [
            operand if isinstance(operand, Bounded) else _constant(operand, at) for operand in operands
        ]
        # NumPy's promotion: an operation is carried out in the finer of its operands' formats.
        pairs = [(b.value, b.bound) if name in _LOGICAL else _numbers(b) for b in bounded]
        roundings = max(b.roundings for b in bounded) + 16
        with np.errstate(all="ignore"):
            if name == "matmul":
                roundings += bounded[0].shape[-1]
                pair = RULES["dot_general"](at, _MATMUL, *pairs)
            elif name == "power":
                pair = RULES["integer_pow"](at, {"y": int(operands[1])}, pairs[0])
            elif name in _UFUNCS:
                pair = RULES[_UFUNCS[name]](at, {}, *pairs)
            else:
                return NotImplemented
            if name == "exp":
                pair = _overflowed(pair, at)
        result = _of(pair, at, roundings)
        if out is None:
            return result
        (target,) = out
        if target.shape != result.shape:
            raise ValueError(f"out has shape {target.shape}; the result has {result.shape}")
        target.value, target.bound, target.roundings = result.value, result.bound, result.roundings
        return target

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        name = function.__name__
        if name == "where":
            return _select(*args)
        if name == "clip":
            array, low, high = args
            return np.minimum(np.maximum(array, low), high)
        if name in ("zeros_like", "ones_like"):
            return Bounded(function(self.value), EXACT, self.at)
        if name == "round":
            return _rounded(*args, **kwargs)
        if name in _MOVES:
            return args[0]._moved(lambda array: function(array, *args[1:], **kwargs))
        return NotImplemented

    def contains(self, result: Array, extra: Array | float = 0.0) -> bool:
        """Tell whether a result can be an evaluation of this formula: same shape, every entry within its bound.

        Where the formula has no finite value, the result must have none. ``extra`` is added to the bounds: what
        the way of reading the result off may have cost.
        """
        result = np.asarray(result)
        if result.shape != self.shape:
            return False
        finite = np.isfinite(self.value)
        with np.errstate(all="ignore"):
            distance = abs(result - self.value)
        inside = (distance <= self.widened + extra) | ~np.isfinite(self.widened)
        return bool(np.all(np.where(finite, inside, ~np.isfinite(result))))

    @property
    def widened(self) -> Array:
        """The bound, of the value's shape, with what its own arithmetic can have lost."""
        slack = 1 / (1 - self.roundings * REFERENCE_ROUNDOFF)
        bound = np.broadcast_to(self.bound, self.shape) * slack
        return np.where(np.isnan(bound), np.inf, bound)


def bounded(array: Array, dtype: str) -> Bounded:
    """An array of float64 that the judged code was given, exactly, in a dtype."""
    return Bounded(np.array(array, dtype=np.float64), EXACT, _arithmetic(dtype))


def _of(pair: Pair, at: Arithmetic, roundings: int) -> Bounded:
    return Bounded(np.asarray(pair[0]), np.asarray(pair[1]), at, roundings)


def _finest(operands: Any) -> Arithmetic:
    return min((o.at for o in operands if isinstance(o, Bounded)), key=lambda at: at.u)


def _constant(value: Any, at: Arithmetic) -> Bounded:
    return _of(evaluate_literal(at, value), at, 1)


def _numbers(operand: Bounded) -> Pair:
    """A pair of numbers; outcomes become 0 or 1, off by 1 where in doubt."""
    if operand.value.dtype == bool:
        return operand.value.astype(float), np.asarray(operand.bound, dtype=float)
    return operand.value, operand.bound


def _overflowed(pair: Pair, at: Arithmetic) -> Pair:
    """Infinite where the judged format has no number as large: float64 holds what float32 does not."""
    return np.where(pair[0] > float(np.finfo(at.dtype.type).max), np.inf, pair[0]), pair[1]


def _select(condition: Any, yes: Any, no: Any) -> Bounded:
    at = _finest((condition, yes, no))
    which, first, second = (
        part if isinstance(part, Bounded) else _constant(part, at) for part in (condition, yes, no)
    )
    pair = RULES["select_n"](
        at, {}, (which.value, which.bound.astype(bool)), _numbers(second), _numbers(first)
    )
    return _of(pair, at, max(which.roundings, first.roundings, second.roundings) + 16)


def _rounded(array: Bounded, decimals: int = 0) -> Bounded:
    """Round to decimals: monotone, as a change of format is. The decimal itself is then rounded like any number."""
    low, value, high = (
        np.round(v, decimals) for v in (array.value - array.bound, array.value, array.value + array.bound)
    )
    pair = array.at.rounded(value, np.maximum(abs(high - value), abs(low - value)))
    return _of(pair, array.at, array.roundings + 16)
