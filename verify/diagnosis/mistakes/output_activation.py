"""Mistakes in the output activation: the outputs themselves are wrong, and the delta made from them is too."""

from __future__ import annotations

from typing import Any

import numpy as np

from verify.diagnosis.mistakes.mistake import Mistake, MistakeConstant
from verify.diagnosis.mistakes.right_backprop import BackpropNet, right_sigmoid, right_softmax
from verify.reference.spec import Spec

FAMILY = "output activation"


def softmax_output(spec: Spec) -> bool:
    """Tell whether the outputs are a softmax's."""
    return spec.output == "softmax"


def class_outputs(spec: Spec) -> bool:
    """Tell whether the outputs are probabilities of classes, together or each by itself."""
    return spec.output in ("softmax", "sigmoid")


def _wrong_axis(net: BackpropNet) -> Any:
    z = net.z[-1]
    e = np.exp(z - z.max(axis=0, keepdims=True))
    return e / e.sum(axis=0, keepdims=True)


def _whole_batch(net: BackpropNet) -> Any:
    e = np.exp(net.z[-1] - net.z[-1].max())
    return e / e.sum()


def _unnormalised(net: BackpropNet) -> Any:
    return np.exp(net.z[-1] - net.z[-1].max(axis=1, keepdims=True))


def _unshifted(net: BackpropNet) -> Any:
    e = np.exp(net.z[-1])
    return e / e.sum(axis=1, keepdims=True)


def _shifted_together(net: BackpropNet) -> Any:
    e = np.exp(net.z[-1] - net.z[-1].max())
    return e / e.sum(axis=1, keepdims=True)


def _with_epsilon(epsilon: float) -> Any:
    def output(net: BackpropNet) -> Any:
        e = np.exp(net.z[-1] - net.z[-1].max(axis=1, keepdims=True))
        return e / (e.sum(axis=1, keepdims=True) + epsilon)

    return output


def _clipped(c: float) -> Any:
    return lambda net: np.clip(
        (right_softmax if softmax_output(net.spec) else right_sigmoid)(net.z[-1]), c, 1 - c
    )


def _clipped_logits(limit: float) -> Any:
    return lambda net: (right_softmax if softmax_output(net.spec) else right_sigmoid)(
        np.clip(net.z[-1], -limit, limit)
    )


def _tempered(temperature: float) -> Any:
    return lambda net: right_softmax(net.z[-1] / temperature)


TABLE = (
    Mistake(
        "softmax_tempered",
        FAMILY,
        "p = softmax(z / c)",
        "p = softmax(z)",
        "a temperature is left in from sampling",
        "nowhere",
        {"output": MistakeConstant(_tempered, 2.0, 0.5)},
        applies=softmax_output,
    ),
    Mistake(
        "softmax_wrong_axis",
        FAMILY,
        "p = exp(z) / exp(z).sum(axis=0)",
        "p = exp(z) / exp(z).sum(axis=1)",
        "code for column batches is used on rows",
        "nowhere",
        {"output": _wrong_axis},
        applies=softmax_output,
    ),
    Mistake(
        "softmax_whole_batch",
        FAMILY,
        "p = exp(z) / exp(z).sum()",
        "p = exp(z) / exp(z).sum(axis=1)",
        "a softmax written for one sample is given a batch",
        "batch 1",
        {"output": _whole_batch},
        applies=softmax_output,
    ),
    Mistake(
        "softmax_unnormalised",
        FAMILY,
        "p = exp(z - max(z))",
        "p = exp(z - max(z)) / sum(exp(z - max(z)))",
        "the division is forgotten",
        "nowhere",
        {"output": _unnormalised},
        applies=softmax_output,
    ),
    Mistake(
        "softmax_unshifted",
        FAMILY,
        "p = exp(z) / sum(exp(z))",
        "p = exp(z - max(z)) / sum(exp(z - max(z)))",
        "the definition is typed in as it stands in the book",
        "until exp overflows: logits beyond 709 in float64, 88 in float32",
        {"output": _unshifted},
        applies=softmax_output,
    ),
    Mistake(
        "softmax_shifted_together",
        FAMILY,
        "p = exp(z - z.max()) / exp(z - z.max()).sum(axis=1)",
        "p = exp(z - z.max(axis=1)) / exp(z - z.max(axis=1)).sum(axis=1)",
        "one maximum is taken of the whole batch, not one of each row",
        "batch 1, and until a row lies so far below another that its exp underflows: 745 in float64, 104 in float32",
        {"output": _shifted_together},
        applies=softmax_output,
    ),
    Mistake(
        "softmax_epsilon",
        FAMILY,
        "p = exp(z) / (sum(exp(z)) + 1e-8)",
        "p = exp(z) / sum(exp(z))",
        "a guard against a division by zero that cannot happen",
        "in float32, and to every tolerance above 1e-8",
        {"output": MistakeConstant(_with_epsilon, 1e-8)},
        applies=softmax_output,
    ),
    Mistake(
        "sigmoid_for_softmax",
        FAMILY,
        "p = sigmoid(z)",
        "p = softmax(z)",
        "one activation function serves every layer",
        "nowhere",
        {"output": lambda net: right_sigmoid(net.z[-1])},
        applies=softmax_output,
    ),
    Mistake(
        "softmax_for_sigmoid",
        FAMILY,
        "p = softmax(z)",
        "p = sigmoid(z)",
        "independent labels are treated as classes",
        "nowhere",
        {"output": lambda net: right_softmax(net.z[-1])},
        applies=lambda spec: spec.output == "sigmoid",
    ),
    Mistake(
        "clipped_probabilities",
        FAMILY,
        "p = clip(p, c, 1 - c)",
        "p = p",
        "probabilities are clipped so that log(p) is finite, and the clipped ones used in the gradient",
        "until an output saturates",
        {"output": MistakeConstant(_clipped, 1e-7, 1e-8, 1e-10, 1e-12, 1e-15, 1e-3)},
        applies=class_outputs,
    ),
    Mistake(
        "clipped_logits",
        FAMILY,
        "p = f(clip(z, -c, c))",
        "p = f(z)",
        "logits are clipped against overflow, and the clip is not differentiated",
        "until a logit exceeds the limit",
        {"output": MistakeConstant(_clipped_logits, 20.0, 10.0, 50.0, 100.0)},
        applies=class_outputs,
    ),
)
