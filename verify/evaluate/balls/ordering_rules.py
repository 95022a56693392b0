"""The largest of some balls, and their sorted sequence: what their overlap leaves open stays open."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping
from typing import Any

import flint
import numpy as np

from verify.evaluate.array import Array
from verify.evaluate.balls.ball_arrays import Rule, Sizes
from verify.evaluate.program import NoRule


def is_largest_ball(number: Any, numbers: list[Any], leads: Any) -> bool | None:
    """Tell whether a ball is the largest (``leads(a, b)``: a > b) of some; None where it cannot be known."""
    if any(leads(other, number) for other in numbers):
        return False
    return (
        True if all(other is number or other == number or leads(number, other) for other in numbers) else None
    )


def _greater(a: Any, b: Any) -> bool:
    return bool(a > b)


def _less(a: Any, b: Any) -> bool:
    return bool(a < b)


def _is_largest(sizes: Sizes, parameters: Mapping[str, Any], a: Array) -> Array:
    axes = parameters["axes"]
    leads = _less if parameters["smallest"] else _greater
    result = np.empty(a.shape, dtype=object)
    kept = [axis for axis in range(a.ndim) if axis not in axes]
    rows, outcomes = (np.moveaxis(array, kept, range(len(kept))) for array in (a, result))
    for place in np.ndindex(*(a.shape[axis] for axis in kept)):
        numbers = list(rows[place].ravel())
        of_row = [is_largest_ball(number, numbers, leads) for number in numbers]
        outcomes[place] = np.array(of_row, dtype=object).reshape(np.shape(outcomes[place]))
    return result


def _along(function: Any, axis: int, *arrays: Array) -> Array:
    """A function of rows (lists of balls) along an axis, as a function of arrays."""
    rows = [np.moveaxis(array, axis, -1) for array in arrays]
    results = [function(*(list(row[place]) for row in rows)) for place in np.ndindex(*rows[0].shape[:-1])]
    whole = np.empty((len(results), len(results[0]) if results else rows[0].shape[-1]), dtype=object)
    for i, result in enumerate(results):
        whole[i] = result
    return np.moveaxis(whole.reshape([*rows[0].shape[:-1], whole.shape[-1]]), -1, axis)


def _argument(leads: Any) -> Rule:
    def first_of(numbers: list[Any]) -> list[Any]:
        """The index of the first that is surely the largest, or a ball that holds every index."""
        for i, number in enumerate(numbers):
            outcome = is_largest_ball(number, numbers, leads)
            if outcome is not False:
                return [flint.arb(i) if outcome else _any_of([flint.arb(k) for k in range(len(numbers))])]
        return [_any_of([flint.arb(k) for k in range(len(numbers))])]

    def argument(sizes: Sizes, parameters: Mapping[str, Any], a: Array) -> Array:
        [axis] = parameters["axes"]
        return np.asarray(_along(first_of, axis, a)).squeeze(axis)

    return argument


def _any_of(balls: list[Any]) -> Any:
    return functools.reduce(lambda a, b: a.union(b), balls)


def _by_key(keys: list[Any], payload: list[Any], descending: bool) -> list[Any]:
    """The payload in the stable order of the keys; where keys overlap, balls that hold the whole payload."""
    if any(not (a == b or a < b or a > b) for a, b in itertools.combinations(keys, 2)):
        return [_any_of(payload)] * len(payload)
    order: list[int] = []
    for i, key in enumerate(keys):
        later = [n for n, j in enumerate(order) if (key > keys[j] if descending else key < keys[j])]
        order.insert(later[0] if later else len(order), i)
    return [payload[i] for i in order]


def _sort(sizes: Sizes, parameters: Mapping[str, Any], key: Array, *others: Array) -> Array:
    if parameters["num_keys"] != 1:
        raise NoRule(f"the gradient of this loss sorts by {parameters['num_keys']} keys: sort by one")
    payload = (key, *others)[parameters["which_result"]]
    return _along(lambda k, p: _by_key(k, p, False), parameters["dimension"], key, payload)


def _top_k(sizes: Sizes, parameters: Mapping[str, Any], a: Array) -> Array:
    def largest(numbers: list[Any]) -> list[Any]:
        payload = [flint.arb(i) for i in range(len(numbers))] if parameters["which_result"] else numbers
        return _by_key(numbers, payload, True)[: parameters["k"]]

    return _along(largest, parameters["axis"], a)


RULES: dict[str, Rule] = {
    "is_largest": _is_largest,
    "is_smallest": _is_largest,
    "argmax": _argument(_greater),
    "argmin": _argument(_less),
    "sort": _sort,
    "top_k": _top_k,
}
