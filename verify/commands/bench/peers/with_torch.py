"""PyTorch, eager, with as few calls as its own users need."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import torch

from verify.commands.bench.peers.peer import Step
from verify.commands.bench.task import Task

torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))

HIDDEN: dict[str, Callable[..., Any]] = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "identity": lambda z: z,
}


def _start(task: Task) -> tuple[list[Any], Any, Any]:
    """The parameters (weight, bias, weight, ...) as leaves, and the batch."""
    params, x, y = task.arrays()
    leaves = [torch.tensor(array, requires_grad=True) for layer in params for array in layer]
    return leaves, torch.tensor(x), torch.tensor(y)


def _logits(leaves: list[Any], x: Any, hidden: str) -> Any:
    a = x
    for i in range(0, len(leaves) - 2, 2):
        a = HIDDEN[hidden](torch.addmm(leaves[i + 1], a, leaves[i]))
    return torch.addmm(leaves[-1], a, leaves[-2])


def _loss(leaves: list[Any], x: Any, y: Any, hidden: str) -> Any:
    return torch.nn.functional.cross_entropy(_logits(leaves, x, hidden), y)


def _layers(tensors: Any) -> list[tuple[Any, Any]]:
    arrays = [tensor.detach() for tensor in tensors]
    return list(zip(arrays[::2], arrays[1::2], strict=True))


def gradient_with_torch(task: Task) -> Step:
    """Forward, then `torch.autograd.grad`."""
    leaves, x, y = _start(task)

    def step() -> tuple[Any, Any]:
        loss = _loss(leaves, x, y, task.hidden)
        return loss.detach(), _layers(torch.autograd.grad(loss, leaves))

    return step


def products_with_torch(task: Task) -> Step:
    """The matrix products of one gradient, each into memory that is there, with nothing between them."""
    params, x, _ = task.arrays()
    weights, inputs = [torch.tensor(weight) for weight, _ in params], torch.tensor(x)
    a = [inputs, *(torch.ones(len(x), weight.shape[1], dtype=inputs.dtype) for weight in weights)]
    results = [torch.empty_like(array) for array in (*a, *weights)]
    z, dx, dweights = results[1 : len(a)], results[: len(a)], results[len(a) :]

    def step() -> None:
        for i, weight in enumerate(weights):
            torch.mm(a[i], weight, out=z[i])
        for i in range(len(weights) - 1, -1, -1):
            torch.mm(a[i].T, a[i + 1], out=dweights[i])
            if i:
                torch.mm(a[i + 1], weights[i].T, out=dx[i])

    return step


def prediction_with_torch(task: Task) -> Step:
    """The most probable classes, in `torch.inference_mode`."""
    leaves, x, _ = _start(task)

    def step() -> tuple[float, Any]:
        with torch.inference_mode():
            return 0.0, [(_logits(leaves, x, task.hidden).argmax(1),)]

    return step


def epoch_with_torch(task: Task) -> Step:
    """Shuffle once an epoch, take slices, and step in place."""
    leaves, x, y = _start(task)
    generator = torch.Generator().manual_seed(0)

    def step() -> tuple[Any, Any]:
        order = torch.randperm(len(x), generator=generator)
        total = 0.0
        for xb, yb in zip(x[order].split(task.cell.batch), y[order].split(task.cell.batch), strict=True):
            loss = _loss(leaves, xb, yb, task.hidden)
            grads = torch.autograd.grad(loss, leaves)
            with torch.no_grad():
                for leaf, grad in zip(leaves, grads, strict=True):
                    leaf.sub_(grad, alpha=task.learning_rate)
            total += loss.item() * len(xb)
        return total / len(x), _layers(leaves)

    return step
