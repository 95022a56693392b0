"""Predictions of mistakes in plain floats: quick enough to try thousands, and to solve for the numbers in them.

Nothing is proved here. A hypothesis that is far off is dropped, and one that is near goes on to be judged entry by
entry with its bounds (`verify.diagnosis.evidence`).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from verify.diagnosis.evidence import BOTH, Evidence, Kinds
from verify.diagnosis.mistakes.in_some_places import BY_ROW, SomePlaces, in_some_rows, places_like_rows
from verify.diagnosis.mistakes.mistake import Mistake, compose_mistakes, wrong_gradient
from verify.diagnosis.mistakes.right_backprop import (
    RIGHT,
    BackpropNet,
    backprop_backward,
    backprop_forward,
    backprop_start,
    right_storage,
)
from verify.evaluate.array import Array
from verify.reference.tensors import layers_of_tensors
from verify.reference.truth import tensors_of

PLAIN = ("ordinary", "soft_labels", "missing_class")
"""Regimes in which what is near is near: no number is so extreme that a rounding decides."""

NEAR = {"float64": 1e-6, "float32": 2e-3}
"""In units of a tensor's largest entry. What is named has to be nearer: within its bounds."""

_STEPS = 25
_LEAST = 0.02
"""Of the residual: the least part that a number must be able to account for to be solved for."""


class Sketch:
    """The first calls of the evidence in plain float64, and predictions for them."""

    def __init__(self, evidence: Evidence) -> None:
        self.spec = evidence.spec
        dtype = evidence.observations[0].case.dtype
        self.near_enough, self._sharp = NEAR[dtype], 1e3 * float(np.finfo(dtype).eps)
        plain = [o for o in evidence.observations if o.case.regime in PLAIN]
        self.observations = [o for o in plain if o.seen[0].returned is not None] or plain
        self.observed = [*self.observations]
        """These, and then those with extreme numbers: for solving alone."""
        self.observed += [
            o for o in evidence.observations if o not in plain and o.seen[0].returned is not None
        ]
        self._given = [o.seen[0].call.inputs() for o in self.observed]
        self._nets: list[BackpropNet] = []
        self._starts: dict[Any, Any] = {}
        self._results: dict[int, Array] = {}
        for *params, x, y in self._given:
            with np.errstate(all="ignore"):
                self._nets.append(backprop_forward(RIGHT, self.spec, layers_of_tensors(params), x, y))

    def _backward(self, k: int, mistakes: Sequence[Mistake]) -> Iterator[Any]:
        """The layers that mistakes of formula give in the first call of observation k, last layer first."""
        pieces = compose_mistakes(mistakes)
        if pieces.keep is not right_storage:
            *params, x, y = self._given[k]
            return backprop_backward(
                pieces, backprop_forward(pieces, self.spec, layers_of_tensors(params), x, y)
            )
        key = k, pieces.output, pieces.delta, pieces.reduce
        if key not in self._starts:
            self._starts[key] = backprop_start(pieces, self._nets[k])
        return backprop_backward(pieces, self._nets[k], self._starts[key])

    def predicted(self, k: int, mistakes: Sequence[Mistake]) -> list[Array] | None:
        """The tensors that mistakes of formula give in the first call of observation k; None where they raise."""
        try:
            with np.errstate(all="ignore"):
                layers = compose_mistakes(mistakes).finish(list(self._backward(k, mistakes))[::-1])
            return [np.asarray(tensor) for tensor in tensors_of(layers)]
        except (ValueError, IndexError):
            return None

    def near(self, mistakes: Sequence[Mistake], kinds: Kinds = BOTH) -> bool:
        """Tell whether mistakes may account for the first calls."""
        if any("keep" in m.pieces or (m.state and not m.first_call_right) for m in mistakes):
            return True
        pure = [m for m in mistakes if not m.state]
        with np.errstate(all="ignore"):
            return all(self._near(k, pure, kinds) for k in range(len(self.observations)))

    def _near(self, k: int, pure: Sequence[Mistake], kinds: Kinds) -> bool:
        returned = self.observations[k].seen[0].returned
        if returned is None or any("finish" in mistake.pieces for mistake in pure):
            predicted = self.predicted(k, pure)
            if returned is None or predicted is None:
                return returned is None and predicted is None
            layers = iter([predicted[i : i + 2] for i in range(0, len(predicted), 2)][::-1])
        else:
            layers = self._backward(k, pure)
        try:
            return all(
                i % 2 not in kinds or self._alike(got[i % 2], np.asarray(layer[i % 2]))
                for got, layer in zip(returned[::-1], layers, strict=True)
                for i in (1, 0)
            )
        except (ValueError, IndexError):  # it raises, or has another number of layers
            return False

    def _alike(self, a: Array, b: Array) -> bool:
        if a.shape != b.shape:
            return False
        scale = max(float(abs(a).max(initial=0.0)), float(abs(b).max(initial=0.0)))
        return not np.isfinite(scale) or bool(abs(a - b).max(initial=0.0) <= self.near_enough * scale)

    def may_be(self, mistake: Mistake) -> bool:
        """Tell whether, with some of its usual constants, a mistake changes each tensor that was seen to be wrong."""
        for k in range(min(len(self.observations), 2)):
            right, returned = self.predicted(k, ()), self.observations[k].seen[0].returned
            if returned is None or right is None:
                continue
            got = [tensor for layer in returned for tensor in layer]
            wrong = {i for i, (a, b) in enumerate(zip(got, right, strict=False)) if not self._alike(a, b)}
            for variant in mistake.variants:
                made = self.predicted(k, [variant])
                if made is not None:
                    wrong -= {i for i in wrong if not self._alike(made[i], right[i])}
            if wrong:
                return False
        return True

    # --- numbers

    def solved(self, mistake: Mistake) -> Iterator[Mistake]:
        """The mistake with the numbers for its constant that fit best, simple numbers first."""
        tried: set[float] = set()
        for k, start in itertools.product(self._telling(mistake), mistake.usual):
            number = self._fitted(k, mistake, start)
            if number is None or any(abs(number - other) <= 1e-9 * abs(number) for other in tried):
                continue
            tried.add(number)
            for simple in _simple(number, self.near_enough):
                yield mistake.with_constant(simple)

    def _telling(self, mistake: Mistake) -> list[int]:
        """The first observations whose result changes with the constant of a mistake."""
        found = []
        for k in range(len(self.observed)):
            numbers = mistake.usual if len(mistake.usual) > 1 else (*mistake.usual, 1.5 * mistake.usual[0])
            vectors = [self._vector(k, [mistake.with_constant(number)]) for number in numbers]
            made = [v for v in vectors if v is not None and v.shape == vectors[0].shape]  # type: ignore[union-attr]
            if len(made) > 1 and any(not np.array_equal(made[0], v, equal_nan=True) for v in made[1:]):
                found.append(k)
            if len(found) == 2:
                break
        return found

    def _fitted(self, k: int, mistake: Mistake, start: float) -> float | None:
        """Gauss and Newton's method for one number, from a usual one."""
        got = self._result(k)
        number = start
        for step_number in range(_STEPS):
            here = self._vector(k, [mistake.with_constant(number)])
            step = 1e-6 * max(abs(number), 1e-3)
            there = self._vector(k, [mistake.with_constant(number + step)])
            if here is None or there is None or not here.shape == there.shape == got[: here.size].shape:
                return None
            with np.errstate(all="ignore"):
                slope, residual = (there - here) / step, got[: here.size] - here
                usable = np.isfinite(slope) & np.isfinite(residual)
                slope, residual = slope[usable], residual[usable]
                square, along = float(slope @ slope), float(slope @ residual)
                if not square > 0:
                    return None
                if not step_number and along * along < _LEAST * square * float(residual @ residual):
                    return None
            number += along / square
            if not np.isfinite(number):
                return None
            if abs(along / square) <= 1e-13 * abs(number):
                break
        return number

    def _result(self, k: int) -> Array:
        if k not in self._results:
            calls = self.observed[k].seen[:3]
            left = [array for seen in calls for array in seen.left[:-1]]
            self._results[k] = _joined([*(seen.returned for seen in calls), [left]])
        return self._results[k]

    def _vector(self, k: int, mistakes: Sequence[Mistake]) -> Array | None:
        """The entries that the first call returns, one after the other; with a memory, those of three calls."""
        if not any(m.state for m in mistakes):
            first = self.predicted(k, mistakes)
            return None if first is None else np.concatenate([tensor.ravel() for tensor in first])
        function = wrong_gradient(self.spec, *mistakes)
        results = []
        try:
            left = []
            for seen in self.observed[k].seen[:3]:
                *params, x, y = (array.copy() for array in seen.call.inputs())
                results.append([list(layer) for layer in function(layers_of_tensors(params), x, y)])
                left += [*params, x]
        except (ValueError, IndexError):
            return None
        return _joined([*results, [left]])

    # --- rows

    def rows(self, mistake: Mistake) -> Iterator[SomePlaces]:
        """The sets of rows in which the mistake may have been made, from what each row adds to a layer's tensors."""
        if not (mistake.of_rows or mistake.pieces.keys() <= BY_ROW) or mistake.state:
            return
        returned = self.observations[0].seen[0].returned
        right = self.predicted(0, ())
        if returned is None or right is None:
            return
        got = [tensor for layer in returned for tensor in layer]
        n = len(self._given[0][-1])
        if [t.shape for t in got] != [t.shape for t in right]:
            return
        one = [self.predicted(0, [in_some_rows(mistake, _only(r))]) for r in range(n)]
        if any(p is None or [t.shape for t in p] != [t.shape for t in right] for p in one):
            return
        for last in range(len(right) - 2, -1, -2):
            added = np.stack(
                [np.concatenate([(p[last + j] - right[last + j]).ravel() for j in (0, 1)]) for p in one if p],
                1,
            )
            off = np.concatenate([(got[last + j] - right[last + j]).ravel() for j in (0, 1)])
            scale = max(
                float(abs(t).max(initial=0.0)) for t in (*right[last : last + 2], *got[last : last + 2])
            )
            if not (np.isfinite(added).all() and np.isfinite(off).all()):
                return
            telling = abs(added).max(axis=0) > self._sharp * scale
            if not telling.any():
                continue
            share = np.zeros(n)
            share[telling] = np.linalg.lstsq(added[:, telling], off, rcond=1e-9)[0]
            mask = share > 0.5
            room = 1e-3 * abs(off).max(initial=0.0) + self._sharp * scale
            if abs(added @ mask - off).max(initial=0.0) <= room and mask.any():
                unknown = np.flatnonzero(~telling)[:4]
                for bits in itertools.product((False, True), repeat=len(unknown)):
                    mask[unknown] = bits
                    yield from places_like_rows(mask.tolist())
            return


def _only(row: int) -> SomePlaces:
    return SomePlaces(f"row {row + 1}", lambda i, _: i == row)


def _joined(results: Sequence[Any]) -> Array:
    parts = [
        np.asarray(t, dtype=float).ravel() for result in results if result for layer in result for t in layer
    ]
    return np.concatenate(parts) if parts else np.zeros(0)


def _simple(number: float, precision: float) -> Iterator[float]:
    """Numbers as near to this one as it is known, those with the fewest digits first, and the number itself."""
    room = 100 * precision * abs(number)
    candidates = [float(f"{number:.{digits}g}") for digits in range(1, 8)]
    candidates.append(float(Fraction(number).limit_denominator(1000)))
    near = [candidate for candidate in candidates if abs(candidate - number) <= room]
    yield from dict.fromkeys([*near[:3], number])
