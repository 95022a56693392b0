"""Mistakes of memory and side effects: the formula is right, and the function around it is not.

A network object lives as long as its widths stay the same, so a memory is kept for each list of widths. Each entry
wraps a gradient function; a wrapper called anew has forgotten everything.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from mlp_ref.params import Layer
from verify.diagnosis.mistakes.mistake import GradientOf, Mistake, MistakeConstant, State
from verify.reference.spec import Spec

FAMILY = "state"


def _widths(params: list[Layer]) -> tuple[int, ...]:
    return tuple(bias.shape[0] for _, bias in params) + params[0].weight.shape[:1]


def _copied(layers: list[Layer]) -> list[Layer]:
    return [Layer(weight.copy(), bias.copy()) for weight, bias in layers]


def _accumulated(gradient: GradientOf, spec: Spec) -> GradientOf:
    sums: dict[Any, list[Layer]] = {}

    def stateful(params: list[Layer], x: Any, y: Any) -> list[Layer]:
        new, old = gradient(params, x, y), sums.get(_widths(params))
        if old:
            new = [Layer(a.weight + b.weight, a.bias + b.bias) for a, b in zip(old, new, strict=True)]
        sums[_widths(params)] = new
        return _copied(new)

    return stateful


def _momentum(decay: float) -> State:
    def wrap(gradient: GradientOf, spec: Spec) -> GradientOf:
        velocities: dict[Any, list[Layer]] = {}

        def stateful(params: list[Layer], x: Any, y: Any) -> list[Layer]:
            new, old = gradient(params, x, y), velocities.get(_widths(params))
            if old:
                new = [
                    Layer(decay * a.weight + b.weight, decay * a.bias + b.bias)
                    for a, b in zip(old, new, strict=True)
                ]
            velocities[_widths(params)] = new
            return _copied(new)

        return stateful

    return wrap


def _stale(what: str, by_batch: bool = True) -> Any:
    def wrap(gradient: GradientOf, spec: Spec) -> GradientOf:
        first: dict[Any, Any] = {}

        def stateful(params: list[Layer], x: Any, y: Any) -> list[Layer]:
            key = (_widths(params), x.shape[0] if by_batch else None)
            if what == "gradient":
                if key not in first:
                    first[key] = _copied(gradient(params, x, y))
                return _copied(first[key])
            given = {"params": _copied(params), "x": x.copy(), "y": y.copy()}
            kept = first.setdefault(key, given)
            now = {"params": params, "x": x, "y": y, what: kept[what]}
            return gradient(now["params"], now["x"], now["y"])

        return stateful

    return wrap


def _stale_batch_size(gradient: GradientOf, spec: Spec) -> GradientOf:
    first: dict[Any, int] = {}

    def stateful(params: list[Layer], x: Any, y: Any) -> list[Layer]:
        n = first.setdefault(_widths(params), x.shape[0])
        layers = gradient(params, x, y)
        if n == x.shape[0]:
            return layers
        factor = x.shape[0] / n
        return [Layer(factor * weight, factor * bias) for weight, bias in layers]

    return stateful


def _reused_buffers(gradient: GradientOf, spec: Spec) -> GradientOf:
    buffers: dict[Any, list[Layer]] = {}

    def stateful(params: list[Layer], x: Any, y: Any) -> list[Layer]:
        new = gradient(params, x, y)
        kept = buffers.setdefault(_widths(params), new)
        for old, layer in zip(kept, new, strict=True):
            for buffer, tensor in zip(old, layer, strict=True):
                np.add(tensor, 0.0, out=buffer)
        return [Layer(*layer) for layer in kept]

    return stateful


def _updated_params(rate: float) -> State:
    def wrap(gradient: GradientOf, spec: Spec) -> GradientOf:
        def stateful(params: list[Layer], x: Any, y: Any) -> list[Layer]:
            layers = gradient(params, x, y)
            for (weight, bias), step in zip(params, layers, strict=True):
                np.subtract(weight, rate * step.weight, out=weight)
                np.subtract(bias, rate * step.bias, out=bias)
            return layers

        return stateful

    return wrap


def _labels_overwritten(gradient: GradientOf, spec: Spec) -> GradientOf:
    def stateful(params: list[Layer], x: Any, y: Any) -> list[Layer]:
        layers = gradient(params, x, y)
        np.subtract(1.0, y, out=y)
        return layers

    return stateful


def _inputs_centred(gradient: GradientOf, spec: Spec) -> GradientOf:
    def stateful(params: list[Layer], x: Any, y: Any) -> list[Layer]:
        np.subtract(x, x.mean(axis=0), out=x)
        return gradient(params, x, y)

    return stateful


def _inputs_overwritten(gradient: GradientOf, spec: Spec) -> GradientOf:
    def stateful(params: list[Layer], x: Any, y: Any) -> list[Layer]:
        layers = gradient(params, x, y)
        np.maximum(x, 0.0, out=x)
        return layers

    return stateful


def _one_row(gradient: GradientOf, spec: Spec) -> GradientOf:
    def stateful(params: list[Layer], x: Any, y: Any) -> list[Layer]:
        i = int(np.random.default_rng().integers(x.shape[0]))
        return gradient(params, x[i : i + 1], y[i : i + 1])

    return stateful


def _every_row(gradient: GradientOf, params: list[Layer], x: Any, y: Any) -> Iterator[list[Layer]]:
    for i in range(x.shape[0]):
        yield gradient(params, x[i : i + 1], y[i : i + 1])


def _shuffled(gradient: GradientOf, spec: Spec) -> GradientOf:
    def stateful(params: list[Layer], x: Any, y: Any) -> list[Layer]:
        k = int(np.random.default_rng().integers(x.shape[0]))
        return gradient(params, np.roll(x, k, axis=0), y)

    return stateful


def _every_shift(gradient: GradientOf, params: list[Layer], x: Any, y: Any) -> Iterator[list[Layer]]:
    for k in range(x.shape[0]):
        yield gradient(params, np.roll(x, k, axis=0), y)


def _dropped_inputs(x: Any, choice: int) -> Any:
    """x with some of its first three columns set to 0, as the bits of ``choice`` say, and the others doubled."""
    mask = np.array([2.0 * (choice >> j & 1) if j < 3 else 1.0 for j in range(x.shape[1])])
    return x * mask.astype(x.dtype) if not hasattr(x, "bound") else x * mask


def _dropout(gradient: GradientOf, spec: Spec) -> GradientOf:
    def stateful(params: list[Layer], x: Any, y: Any) -> list[Layer]:
        return gradient(params, _dropped_inputs(x, int(np.random.default_rng().integers(8))), y)

    return stateful


def _every_dropout(gradient: GradientOf, params: list[Layer], x: Any, y: Any) -> Iterator[list[Layer]]:
    for choice in range(8):
        yield gradient(params, _dropped_inputs(x, choice), y)


TABLE = (
    Mistake(
        "accumulated",
        FAMILY,
        "gradient += new",
        "gradient = new",
        "the buffers are not set to zero before each call",
        "until the second call",
        state=_accumulated,
    ),
    Mistake(
        "momentum_inside",
        FAMILY,
        "gradient = 0.9 * gradient + new",
        "gradient = new",
        "the optimiser's velocity is kept in the gradient's buffer",
        "until the second call",
        state=MistakeConstant(_momentum, 0.9),
    ),
    Mistake(
        "stale_gradient",
        FAMILY,
        "gradient = first gradient of this shape",
        "gradient = new",
        "a cache is keyed by shape",
        "until the second call",
        state=_stale("gradient"),
    ),
    Mistake(
        "stale_gradient_of_any_batch",
        FAMILY,
        "gradient = first gradient of these widths",
        "gradient = new",
        "a cache is made with the network, and never emptied",
        "until the second call",
        state=_stale("gradient", by_batch=False),
    ),
    Mistake(
        "stale_inputs",
        FAMILY,
        "x = first x of this shape",
        "x = x",
        "the forward pass runs only when there is no cache yet",
        "until the second call",
        state=_stale("x"),
    ),
    Mistake(
        "stale_labels",
        FAMILY,
        "y = first y of this shape",
        "y = y",
        "labels are stored at the first call",
        "until the second call",
        state=_stale("y"),
    ),
    Mistake(
        "stale_parameters",
        FAMILY,
        "params = first params of this shape",
        "params = params",
        "the network keeps its own copy, and the update changes another",
        "until the second call",
        state=_stale("params"),
    ),
    Mistake(
        "stale_batch_size",
        FAMILY,
        "divided by the batch of the first call",
        "divided by the batch",
        "the batch size is stored when the network first sees data",
        "until the batch size changes",
        state=_stale_batch_size,
        applies=lambda spec: not spec.reduction.endswith("sum") and not spec.l2,
    ),
    Mistake(
        "reused_buffers",
        FAMILY,
        "returns the same arrays each time",
        "returns arrays of its own",
        "buffers are allocated once, for speed, and handed out",
        "until two results are kept",
        state=_reused_buffers,
    ),
    Mistake(
        "parameters_updated",
        FAMILY,
        "params -= rate * gradient, inside",
        "params left as they were",
        "the training step is inside the gradient",
        "until the second call",
        state=MistakeConstant(_updated_params, 0.1),
    ),
    Mistake(
        "labels_overwritten",
        FAMILY,
        "y = 1 - y, in place",
        "y left as it was",
        "an intermediate is stored in the caller's array",
        "until the second call",
        state=_labels_overwritten,
    ),
    Mistake(
        "inputs_centred",
        FAMILY,
        "x -= x.mean(axis=0), in place",
        "x left as it was",
        "preprocessing has crept into the gradient",
        "where the data are centred already",
        state=_inputs_centred,
        first_call_right=False,
    ),
    Mistake(
        "inputs_overwritten",
        FAMILY,
        "x = max(x, 0), in place",
        "x left as it was",
        "an activation is applied in place, on the caller's array",
        "until the second call, and where x is positive",
        state=_inputs_overwritten,
    ),
    Mistake(
        "one_random_row",
        FAMILY,
        "gradient of one row, drawn at random",
        "gradient of the batch",
        "stochastic descent has crept into the gradient",
        "batch 1",
        state=_one_row,
        first_call_right=False,
        draws=_every_row,
    ),
    Mistake(
        "inputs_shuffled_alone",
        FAMILY,
        "x rolled by a random number of rows, y not",
        "x and y in one order",
        "x is shuffled without its labels",
        "batch 1",
        state=_shuffled,
        first_call_right=False,
        draws=_every_shift,
    ),
    Mistake(
        "dropout_left_on",
        FAMILY,
        "x with random columns dropped, the others doubled",
        "x",
        "dropout is active when gradients are compared",
        "nowhere",
        state=_dropout,
        first_call_right=False,
        draws=_every_dropout,
    ),
)
