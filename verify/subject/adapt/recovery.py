"""A gradient from the step that it made: (before - after) / rate, and what that may be off by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mlp_ref.params import Layer
from verify.evaluate.array import Array
from verify.evaluate.formats import is_floating_format, limits
from verify.subject.failed import Failed
from verify.subject.recovered import Recovered


def recovered_gradient(
    start: Sequence[Layer], end: Sequence[Layer], rate: float, other: Recovered | None = None
) -> Recovered:
    """The gradient that took parameters from ``start`` to ``end`` at a learning rate, with the recovery's error.

    A code that has the gradient g, itself within the reference's bound, makes the step

        s = rate * g (1 + d1)(1 + d2)      the rate, divided by the batch or not, and one product
        after = (before - s)(1 + d3)       so the step is off by at most u abs(after)

    and the difference and the quotient taken here round once each. Solved for g, with abs(d) <= u,

        abs(recovered - g) <= (u abs(after) + eta) / ((1 - u)^2 rate) + gamma_4 abs(recovered)

    where gamma_4 = 4 u / (1 - 4 u) holds four roundings (Higham, Accuracy and Stability of Numerical Algorithms, 2nd
    ed., SIAM 2002, lemma 3.1), and eta an underflow. The first term is what a step hides: it is smaller for larger
    rates.
    """
    layers, errors = [], []
    for number, (old, new) in enumerate(zip(start, end, strict=True), start=1):
        pairs = [
            _tensor(f"{name} of layer {number}", before, after, rate)
            for name, before, after in zip(("weight", "bias"), old, new, strict=True)
        ]
        layers.append(Layer(*(value for value, _ in pairs)))
        errors.append(Layer(*(error for _, error in pairs)))
    rates = (rate, *other.rates) if other is not None else (rate,)
    return Recovered(layers, errors, other, rates)


def _tensor(name: str, before: Array, after: Array, rate: float) -> tuple[Array, Array]:
    if after.shape != before.shape:  # the check of shapes names it
        return after, np.zeros(after.shape)
    if not is_floating_format(after.dtype):
        raise Failed("dtype", "wrong", f"the update made the {name} {after.dtype}")
    wide = np.result_type(before, after, np.float64)
    value = (before.astype(wide) - after.astype(wide)) / rate
    info = limits(after.dtype)
    u, eta = float(info.eps) / 2, float(info.tiny)
    error = (u * abs(after.astype(np.float64)) + eta) / ((1 - u) ** 2 * rate)
    error += 4 * u / (1 - 4 * u) * abs(value.astype(np.float64))
    return value.astype(after.dtype), error


def recovered_mean(parts: Sequence[Recovered], divisor: int) -> Recovered:
    """The sum of gradients recovered sample by sample, divided: the errors likewise, plus that of the sum."""
    layers, errors = [], []
    for i in range(len(parts[0])):
        summed = [_mean([(part[i][k], part.error[i][k]) for part in parts], divisor) for k in range(2)]
        layers.append(Layer(*(value for value, _ in summed)))
        errors.append(Layer(*(error for _, error in summed)))
    others = [part.other for part in parts if part.other is not None]
    return Recovered(layers, errors, recovered_mean(others, divisor) if others else None, parts[0].rates)


def _mean(parts: list[tuple[Array, Array]], divisor: int) -> tuple[Array, Array]:
    values = [value for value, _ in parts]
    total: Array = sum(values[1:], start=values[0]) / divisor
    u = limits(total.dtype).eps / 2
    magnitude = sum(abs(value.astype(np.float64)) for value in values)
    error = sum(error for _, error in parts) + len(parts) * u * magnitude
    return total, np.asarray(error / divisor)
