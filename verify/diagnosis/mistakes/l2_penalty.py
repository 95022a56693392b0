"""Mistakes in the L2 penalty, ``0.5 * l2 * sum(weight**2)``."""

from __future__ import annotations

from typing import Any

import numpy as np

from mlp_ref.params import Layer
from verify.diagnosis.mistakes.mistake import Mistake, MistakeConstant
from verify.diagnosis.mistakes.right_backprop import BackpropNet
from verify.reference.spec import Spec

FAMILY = "penalty"
_RIGHT = "dweight + l2 * weight"


def _penalised(spec: Spec) -> bool:
    return spec.l2 > 0


def _times(factor: Any) -> Any:
    """The piece that adds ``factor(net, i) * l2 * weight``."""
    return lambda net, i, gradient: Layer(
        gradient.weight + factor(net, i) * net.spec.l2 * net.params[i].weight, gradient.bias
    )


def _on_bias(net: BackpropNet, i: int, gradient: Layer) -> Layer:
    weight, bias = net.params[i]
    return Layer(gradient.weight + net.spec.l2 * weight, gradient.bias + net.spec.l2 * bias)


def _absolute(net: BackpropNet, i: int, gradient: Layer) -> Layer:
    return Layer(gradient.weight + net.spec.l2 * np.sign(net.params[i].weight), gradient.bias)


def _on_gradient(net: BackpropNet, i: int, gradient: Layer) -> Layer:
    return Layer(gradient.weight + net.spec.l2 * gradient.weight, gradient.bias)


def _unasked(strength: float) -> Any:
    return lambda net, i, gradient: Layer(gradient.weight + strength * net.params[i].weight, gradient.bias)


TABLE = (
    Mistake(
        "penalty_unasked",
        FAMILY,
        "dweight + c * weight",
        "dweight",
        "a weight decay is in the gradient and not in the loss",
        "while the weights are small",
        {"penalty": MistakeConstant(_unasked, 0.01, 0.1, 1.0)},
        applies=lambda spec: not spec.l2,
    ),
    Mistake(
        "penalty_missing",
        FAMILY,
        "dweight",
        _RIGHT,
        "the penalty is in the loss and not in the gradient",
        "while the penalty is small",
        {"penalty": lambda net, i, gradient: gradient},
        applies=_penalised,
    ),
    Mistake(
        "penalty_doubled",
        FAMILY,
        "dweight + 2 * l2 * weight",
        _RIGHT,
        "the half in the loss is forgotten in the gradient",
        "while the penalty is small",
        {"penalty": _times(lambda net, i: 2.0)},
        applies=_penalised,
    ),
    Mistake(
        "penalty_halved",
        FAMILY,
        "dweight + l2 / 2 * weight",
        _RIGHT,
        "the half in the loss is kept and the 2 of the square forgotten",
        "while the penalty is small",
        {"penalty": _times(lambda net, i: 0.5)},
        applies=_penalised,
    ),
    Mistake(
        "penalty_of_another_size",
        FAMILY,
        "dweight + c * l2 * weight",
        _RIGHT,
        "the loss and the gradient have a strength of the penalty each",
        "while the penalty is small",
        {"penalty": MistakeConstant(lambda c: _times(lambda net, i: c), 10.0, 0.1)},
        applies=_penalised,
    ),
    Mistake(
        "penalty_divided_by_batch",
        FAMILY,
        "dweight + l2 / batch * weight",
        _RIGHT,
        "the penalty is put inside the mean",
        "batch 1",
        {"penalty": _times(lambda net, i: 1.0 / net.batch)},
        applies=_penalised,
    ),
    Mistake(
        "penalty_times_batch",
        FAMILY,
        "dweight + l2 * batch * weight",
        _RIGHT,
        "the penalty is added once a sample",
        "batch 1",
        {"penalty": _times(lambda net, i: float(net.batch))},
        applies=_penalised,
    ),
    Mistake(
        "penalty_sign",
        FAMILY,
        "dweight - l2 * weight",
        _RIGHT,
        "a decay that belongs into the update is written into the gradient",
        "nowhere",
        {"penalty": _times(lambda net, i: -1.0)},
        applies=_penalised,
    ),
    Mistake(
        "penalty_at_output_only",
        FAMILY,
        "dweight + l2 * weight in the last layer alone",
        _RIGHT,
        "the hidden layers' line lacks it",
        "without a hidden layer",
        {"penalty": _times(lambda net, i: 1.0 if i == net.last else 0.0)},
        applies=_penalised,
    ),
    Mistake(
        "penalty_on_bias",
        FAMILY,
        "dbias + l2 * bias",
        "dbias",
        "one loop decays all parameters",
        "while the biases are still 0",
        {"penalty": _on_bias},
        applies=_penalised,
    ),
    Mistake(
        "penalty_absolute",
        FAMILY,
        "dweight + l2 * sign(weight)",
        _RIGHT,
        "the penalty of the lasso",
        "nowhere",
        {"penalty": _absolute},
        applies=_penalised,
    ),
    Mistake(
        "penalty_on_gradient",
        FAMILY,
        "dweight + l2 * dweight",
        _RIGHT,
        "dw is typed for w",
        "behind the learning rate",
        {"penalty": _on_gradient},
        applies=_penalised,
    ),
)
