"""Observations of a gradient function in a few calls, for hypotheses to account for.

The calls are made on widths that no search uses, so a function that remembers has nothing to remember yet.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from verify.case.arrays import Arrays, WeightedArrays
from verify.case.case import Call, Case, labels_of_case
from verify.evaluate.array import Array
from verify.evaluate.formats import is_floating_format
from verify.reference.spec import Spec
from verify.reference.truth import GradientFunction
from verify.subject.answered_call import call_function
from verify.subject.failed import Failed
from verify.subject.recovered import Recovered

Tensors = list[list[Array]]

# (layer sizes, batch, regime). Widths beside those of `verify.case`: equal ones, where mistakes of shape do not
# raise; unequal ones, where they do; no hidden layer; several; one row; and the regimes in which mistakes hide.
_PROBES = (
    ((7, 9, 14, 11), 7, "soft_labels"),
    ((9, 7, 7, 7, 14), 9, "ordinary"),
    ((7, 7, 7, 7), 7, "ordinary"),
    ((9, 11, 7), 1, "batch_1"),
    ((11, 9), 7, "ordinary"),
    ((9, 14, 9), 7, "missing_class"),
    ((7, 11, 9), 9, "ties"),
    ((9, 11, 13), 7, "extreme_logits"),
    ((13, 9, 7), 7, "saturated"),
    ((13, 7), 7, "saturated"),
    ((13, 11, 9), 7, "tiny"),
    ((11, 13), 9, "extreme_logits"),  # rows so far apart that in some, exp underflows beside the others
)


def observed_cases(spec: Spec, dtype: str, labels: str = "rows", layers: int | None = None) -> list[Case]:
    """The cases on which a gradient function is observed; all of one depth where it can have no other."""
    kinds = labels_of_case(spec.targets, labels)
    return [
        Case(
            _of_depth(sizes, layers), batch, dtype, regime, kinds[regime == "soft_labels"], seed=1000 + 10 * i
        )
        for i, (sizes, batch, regime) in enumerate(_PROBES)
    ]


def _of_depth(sizes: tuple[int, ...], layers: int | None) -> tuple[int, ...]:
    hidden = sizes[1:-1] or sizes[:1]
    return (
        sizes
        if layers is None
        else (sizes[0], *(hidden[i % len(hidden)] for i in range(layers - 1)), sizes[-1])
    )


@dataclass
class ObservedCall:
    """The outcome of one call.

    ``returned`` and ``kept`` are the gradient when it was returned and after the last call, layer by layer; None
    where the call raised, or returned no arrays. ``extra`` is what a recovery of each tensor may have cost.
    ``left`` are params, x and y after the last call.
    """

    call: Call
    returned: Tensors | None
    kept: Tensors | None
    extra: list[list[Any]]
    left: list[Array]

    @functools.cached_property
    def inputs_untouched(self) -> bool:
        """Tell whether params, x and y are, after the last call, what was given."""
        params, x, y, *_ = self.call.arrays()
        given = [*(tensor for layer in params for tensor in layer), x, y]
        return all(now.tobytes() == was.tobytes() for now, was in zip(self.left, given, strict=True))


@dataclass
class Observation:
    """A few calls of a gradient function on one architecture, one after the other."""

    case: Case
    seen: list[ObservedCall]

    @property
    def repeats(self) -> bool:
        """Tell whether the second call, which is the first again, returned the same bits."""
        return observed_same(self.seen[0].returned, self.seen[1].returned)


def observed_same(first: Tensors | None, second: Tensors | None) -> bool:
    """Tell whether two results are the same to the bit."""
    if first is None or second is None:
        return first is second
    return len(first) == len(second) and all(
        a.tobytes() == b.tobytes()
        for layer, other in zip(first, second, strict=True)
        for a, b in zip(layer, other, strict=True)
    )


def _observed_calls(case: Case) -> list[Call]:
    """The calls of an observation: one twice, one of the same shapes with other numbers, and one of fewer rows."""
    return [
        Call(case),
        Call(case),
        Call(replace(case, seed=case.seed + 1)),
        Call(replace(case, seed=case.seed + 2), (case.batch + 1) // 2),
    ]


def observe(gradient: GradientFunction, case: Case) -> Observation:
    """Make the calls, and note what came of them."""
    seen: list[ObservedCall] = []
    live: list[tuple[Tensors | None, Arrays | WeightedArrays]] = []
    for call in _observed_calls(case):
        arrays = call.arrays()
        try:
            answer = call_function(gradient, arrays)
        except Failed:
            answer = None
        result = _tensors(answer)
        extra = [list(layer) for layer in answer.error] if isinstance(answer, Recovered) else []
        returned = None if result is None else [[tensor.copy() for tensor in layer] for layer in result]
        seen.append(ObservedCall(call, returned, None, extra, []))
        live.append((result, arrays))
    for item, (result, arrays) in zip(seen, live, strict=True):
        item.kept = result
        item.left = [*(tensor for layer in arrays.params for tensor in layer), arrays.x, arrays.y]
    return Observation(case, seen)


def _tensors(result: Any) -> Tensors | None:
    """A result as lists of arrays, whatever their shapes; None where it is nothing of the kind."""
    try:
        layers = [[np.asarray(tensor) for tensor in layer] for layer in result]
    except (TypeError, ValueError):
        return None
    usable = all(len(layer) == 2 and all(is_floating_format(t.dtype) for t in layer) for layer in layers)
    return layers if usable and layers else None


def observed_tensors(
    seen: ObservedCall, result: Tensors, layers: Sequence[Any]
) -> Iterator[tuple[Array, Any, Any]]:
    """The tensors of a result, a prediction's beside each, and what reading the result off may have cost."""
    extra = seen.extra or [[0.0] * len(layer) for layer in result]
    for got, predicted, cost in zip(result, layers, extra, strict=True):
        yield from zip(got, predicted, cost, strict=True)
