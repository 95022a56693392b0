"""Mistakes in the output delta: the derivative of the loss with respect to the logits."""

from __future__ import annotations

from typing import Any

import numpy as np

from verify.diagnosis.mistakes.mistake import Mistake, MistakeConstant
from verify.diagnosis.mistakes.output_activation import class_outputs, softmax_output
from verify.diagnosis.mistakes.right_backprop import (
    SLOPES,
    BackpropNet,
    right_delta,
    right_dloss,
    right_sigmoid,
)
from verify.reference.spec import Spec

FAMILY = "output delta"
_FUSED = "dz = p - y"


def _fused(spec: Spec) -> bool:
    return spec.loss != "squared_error"


def _squared(spec: Spec) -> bool:
    return spec.loss == "squared_error"


def _bent(spec: Spec) -> bool:
    return spec.output != "identity"


def _new_slope_at_output(spec: Spec) -> bool:
    """Tell whether the hidden slope at the output is not also `extra_slope` or `slope_twice_at_output`."""
    return spec.hidden not in ("identity", spec.output) and not (_fused(spec) and spec.hidden == "sigmoid")


def _softmax_diagonal(net: BackpropNet, p: Any) -> Any:
    if net.spec.loss == "cross_entropy":
        return -net.y * (1.0 - p)  # -y / p * p * (1 - p), without the division
    return right_dloss(net, p) * p * (1.0 - p)


def _relabelled(net: BackpropNet, y: Any) -> BackpropNet:
    return BackpropNet(net.spec, net.params, y, net.z, net.a)


def _one_hot(scores: Any) -> Any:
    """1 where a score exceeds all others of its row, else 0: column by column, so that no score meets itself."""
    n = scores.shape[1]
    hot = 0.0
    for k in range(n):
        others = scores[:, [j for j in range(n) if j != k]] if n > 1 else scores - 1.0
        column = np.eye(1, n, k)
        hot = hot + (scores[:, k : k + 1] >= others.max(axis=1, keepdims=True)) * column
    return hot


def _decided(net: BackpropNet, scores: Any) -> Any:
    return _one_hot(scores) if softmax_output(net.spec) else (scores > 0.5) * 1.0


def _hard_labels(net: BackpropNet, p: Any) -> Any:
    return right_delta(_relabelled(net, _decided(net, net.y)), p)


def _hard_predictions(net: BackpropNet, p: Any) -> Any:
    return _decided(net, p) - net.y


def _slope_again(net: BackpropNet, p: Any) -> Any:
    own = "sigmoid" if softmax_output(net.spec) else net.spec.output
    return right_delta(net, p) * SLOPES[own](net.z[-1], p)


def _slope_of_p(net: BackpropNet, p: Any) -> Any:
    a = np.tanh(p) if net.spec.output == "tanh" else right_sigmoid(p)
    return right_dloss(net, p) * SLOPES[net.spec.output](p, a)


def _shifted(k: float) -> Any:
    return lambda net, p: right_delta(_relabelled(net, np.roll(net.y, int(k), axis=1)), p)


def _smoothed(share: float) -> Any:
    return lambda net, p: right_delta(_relabelled(net, (1.0 - share) * net.y + share / net.n_out), p)


def _class_weighted(weight: float) -> Any:
    return lambda net, p: right_delta(net, p) * np.where(np.arange(net.n_out) == 0, weight, 1.0)


TABLE = (
    Mistake(
        "labels_smoothed",
        FAMILY,
        "y = (1 - c) * y + c / n_out",
        "y = y",
        "label smoothing is in the gradient and not in the loss",
        "nowhere",
        {"delta": MistakeConstant(_smoothed, 0.1, 0.05, 0.2)},
        applies=class_outputs,
    ),
    Mistake(
        "first_output_weighted",
        FAMILY,
        "dz[:, 0] = c * dz[:, 0]",
        "dz = dz",
        "a weight for a rare class is put on an output instead of on the rows",
        "behind the learning rate",
        {"delta": MistakeConstant(_class_weighted, 10.0, 0.5)},
    ),
    Mistake(
        "softmax_diagonal",
        FAMILY,
        "dz = dp * p * (1 - p)",
        "dz = p * (dp - sum_k dp_k p_k)",
        "the softmax is differentiated as the sigmoid is: each output by its own logit alone",
        "nowhere; but the loss still falls",
        {"delta": _softmax_diagonal},
        applies=softmax_output,
    ),
    Mistake(
        "no_jacobian",
        FAMILY,
        "dz = dp",
        "dz = dp times the derivative of the output activation",
        "the derivative of the loss is taken for that of the logits",
        "nowhere",
        {"delta": right_dloss},
        applies=_bent,
    ),
    Mistake(
        "extra_slope",
        FAMILY,
        "dz = (p - y) * p * (1 - p)",
        _FUSED,
        "p - y already contains the slope of the output; the general rule multiplies by it once more",
        "nowhere; but the loss still falls",
        {"delta": _slope_again},
        applies=_fused,
    ),
    Mistake(
        "slope_twice_at_output",
        FAMILY,
        "dz = dp * f'(z) * f'(z)",
        "dz = dp * f'(z)",
        "the loss and the layer each multiply by the slope of the output",
        "nowhere",
        {"delta": _slope_again},
        applies=lambda spec: _squared(spec) and spec.output in ("sigmoid", "tanh"),
    ),
    Mistake(
        "slope_of_output",
        FAMILY,
        "dz = dp * f'(p)",
        "dz = dp * f'(z)",
        "a function that takes the pre-activation is given the activation",
        "near 0, where p and z are alike (tanh)",
        {"delta": _slope_of_p},
        applies=lambda spec: _squared(spec) and spec.output in ("sigmoid", "tanh"),
    ),
    Mistake(
        "clipped_delta",
        FAMILY,
        "dz = clip(dz, -c, c)",
        "dz = dz",
        "deltas are clipped to tame a training that diverges for another reason",
        "while every delta is small",
        {
            "delta": MistakeConstant(
                lambda c: lambda net, p: np.clip(right_delta(net, p), -c, c), 0.1, 0.5, 1.0
            )
        },
    ),
    Mistake(
        "hard_labels",
        FAMILY,
        "y = one_hot(argmax(y))",
        "y = y",
        "labels are turned into classes and back",
        "with one-hot labels",
        {"delta": _hard_labels},
        applies=class_outputs,
    ),
    Mistake(
        "hard_predictions",
        FAMILY,
        "dz = one_hot(argmax(p)) - y",
        "dz from p itself",
        "the predicted class is compared with the label, as in a perceptron",
        "nowhere; but the loss still falls",
        {"delta": _hard_predictions},
        applies=class_outputs,
    ),
    Mistake(
        "swapped_sign",
        FAMILY,
        "dz = -dz, from y - p",
        "dz from p - y",
        "written y - p, with an update that subtracts all the same",
        "nowhere",
        {"delta": lambda net, p: -right_delta(net, p)},
    ),
    Mistake(
        "missing_two",
        FAMILY,
        "dp = p - y",
        "dp = 2 * (p - y)",
        "the factor 2 of the square is left out",
        "behind the learning rate",
        {"delta": lambda net, p: 0.5 * right_delta(net, p)},
        applies=lambda spec: _squared(spec) and not spec.reduction.startswith("half"),
    ),
    Mistake(
        "unwanted_two",
        FAMILY,
        "dz = 2 * dz",
        "dz = dz",
        "the factor 2 of a square is kept where the loss has none, or halves it",
        "behind the learning rate",
        {"delta": lambda net, p: 2.0 * right_delta(net, p)},
        applies=lambda spec: _fused(spec) or spec.reduction.startswith("half"),
    ),
    Mistake(
        "loss_for_derivative",
        FAMILY,
        "dz = (p - y)**2",
        "dz from p - y",
        "the error that is propagated back is the loss itself",
        "nowhere",
        {"delta": lambda net, p: (p - net.y) * (p - net.y)},
    ),
    Mistake(
        "sign_of_error",
        FAMILY,
        "dz = sign(p - y)",
        "dz from p - y",
        "the derivative of the absolute error",
        "nowhere",
        {"delta": lambda net, p: np.sign(p - net.y)},
    ),
    Mistake(
        "absolute_delta",
        FAMILY,
        "dz = abs(dz)",
        "dz = dz",
        "an error is thought of as a distance",
        "where every delta is positive",
        {"delta": lambda net, p: np.abs(right_delta(net, p))},
    ),
    Mistake(
        "only_true_class",
        FAMILY,
        "dz = y * dz",
        "dz = dz",
        "only the label's own output is thought to matter, since only its logarithm is in the loss",
        "nowhere",
        {"delta": lambda net, p: net.y * right_delta(net, p)},
        applies=class_outputs,
    ),
    Mistake(
        "only_other_classes",
        FAMILY,
        "dz = (1 - y) * dz",
        "dz = dz",
        "the label's own output is subtracted in another line, which is lost",
        "nowhere",
        {"delta": lambda net, p: (1.0 - net.y) * right_delta(net, p)},
        applies=class_outputs,
    ),
    Mistake(
        "logits_for_outputs",
        FAMILY,
        "dz = z - y",
        "dz from p - y",
        "the network returns logits and the loss takes them for probabilities",
        "nowhere",
        {"delta": lambda net, p: net.z[-1] - net.y},
        applies=_bent,
    ),
    Mistake(
        "labels_reversed",
        FAMILY,
        "y[::-1] with x",
        "y with x",
        "x is sorted or reversed without its labels",
        "batch 1",
        {"delta": lambda net, p: right_delta(_relabelled(net, net.y[::-1]), p)},
    ),
    Mistake(
        "labels_off_by_one",
        FAMILY,
        "y shifted by one column",
        "y",
        "labels count from one, columns from zero",
        "width 1",
        {"delta": MistakeConstant(_shifted, 1, -1, 2, -2, 3, -3)},
    ),
    Mistake(
        "hidden_slope_at_output",
        FAMILY,
        "dz = dz * hidden'(z), at the output too",
        "dz = dz",
        "one loop goes over all layers, the output's among them",
        "with identity hidden layers",
        {
            "delta": lambda net, p: (
                right_delta(net, p) * SLOPES[net.spec.hidden](net.z[-1], _hidden_of_logits(net))
            )
        },
        applies=_new_slope_at_output,
    ),
)


def _hidden_of_logits(net: BackpropNet) -> Any:
    """The hidden activation of the logits, which only tanh and sigmoid need for their slopes."""
    return np.tanh(net.z[-1]) if net.spec.hidden == "tanh" else right_sigmoid(net.z[-1])
