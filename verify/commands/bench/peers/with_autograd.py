"""HIPS autograd: the derivative of the same forward pass, written in its NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd
import autograd.numpy as anp

from verify.commands.bench.cells import one_hot
from verify.commands.bench.peers.peer import Step
from verify.commands.bench.task import Task

HIDDEN: dict[str, Callable[..., Any]] = {
    "sigmoid": lambda z: 1 / (1 + anp.exp(-z)),
    "tanh": anp.tanh,
    "relu": lambda z: anp.maximum(z, 0),
    "identity": lambda z: z,
}


def gradient_with_autograd(task: Task) -> Step:
    """``autograd.value_and_grad`` of the mean cross-entropy."""
    params, x, labels = task.arrays()
    y = one_hot(labels, task.n_out, x.dtype)

    def loss(params: Any) -> Any:
        a = x
        *inner, last = params
        for weight, bias in inner:
            a = HIDDEN[task.hidden](a @ weight + bias)
        weight, bias = last
        z = a @ weight + bias
        z = z - anp.max(z, axis=1, keepdims=True)
        log_p = z - anp.log(anp.sum(anp.exp(z), axis=1, keepdims=True))
        return -anp.sum(y * log_p) / len(x)

    function = autograd.value_and_grad(loss)
    plain = [tuple(layer) for layer in params]
    return lambda: function(plain)
