"""The gradient of a Spec by PyTorch's autograd: a peer that was written by other people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from mlp_ref.params import Layer
from verify.evaluate.array import Array

if TYPE_CHECKING:
    from collections.abc import Callable

    from verify.reference.spec import Spec

functional = torch.nn.functional

_HIDDEN: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "leaky_relu": lambda z: functional.leaky_relu(z, 0.01),
    "identity": lambda z: z,
}

_ROW_LOSS: dict[tuple[str, str], Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    ("softmax", "cross_entropy"): lambda z, y: -(y * torch.log_softmax(z, 1)).sum(1),
    ("softmax", "squared_error"): lambda z, y: ((torch.softmax(z, 1) - y) ** 2).sum(1),
    ("sigmoid", "binary_cross_entropy"): lambda z, y: functional.binary_cross_entropy_with_logits(
        z, y, reduction="none"
    ).sum(1),
    ("sigmoid", "squared_error"): lambda z, y: ((torch.sigmoid(z) - y) ** 2).sum(1),
    ("tanh", "squared_error"): lambda z, y: ((torch.tanh(z) - y) ** 2).sum(1),
    ("identity", "squared_error"): lambda z, y: ((z - y) ** 2).sum(1),
}


def torch_gradient(spec: Spec) -> Callable[[list[Layer], Array, Array], list[Layer]]:
    """``gradient(params, x, y) -> list of Layer`` by ``torch.autograd``, y (batch, n_out)."""

    def gradient(params: list[Layer], x: Array, y: Array) -> list[Layer]:
        layers = [
            [torch.tensor(np.array(tensor), requires_grad=True) for tensor in layer] for layer in params
        ]
        a, targets = torch.tensor(np.array(x)), torch.tensor(np.array(y))
        for weight, bias in layers[:-1]:
            a = _HIDDEN[spec.hidden](a @ weight + bias)
        weight, bias = layers[-1]
        loss = _ROW_LOSS[spec.output, spec.loss](a @ weight + bias, targets).sum()
        if spec.reduction.startswith("half_"):
            loss = loss / 2
        if spec.reduction.endswith("mean"):
            loss = loss / targets.shape[0]
        elif spec.reduction.endswith("mean_all"):
            loss = loss / targets.numel()
        for weight, _ in layers:
            loss = loss + 0.5 * spec.l2 * (weight**2).sum()
        loss.backward()
        return [Layer(*(tensor.grad.numpy() for tensor in layer)) for layer in layers]

    return gradient
