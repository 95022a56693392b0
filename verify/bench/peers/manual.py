"""Gradients written by hand, in NumPy: this project's, the floor under them, and the loop people start with."""

from __future__ import annotations

from typing import Any

import numpy as np

from mlp_ref import MLP, Workspace, loss_and_gradient
from mlp_ref.products import multiplier
from verify.bench.cells import Array, Task, one_hot
from verify.bench.peers import Step, Unsupported


def gradient(task: Task) -> Step:
    """As the training loop calls it: arguments checked before, every array reused."""
    params, x, y = task.arrays()
    workspace = Workspace(task.cell.layer_sizes, len(x), x.dtype)
    return lambda: loss_and_gradient(params, x, y, task.hidden, workspace=workspace)


def gradient_call(task: Task) -> Step:
    """As a reader calls it: arguments checked, new arrays."""
    params, x, y = task.arrays()
    return lambda: loss_and_gradient(params, x, y, task.hidden)


def products(task: Task) -> Step:
    """The matrix products of one gradient, as `mlp_ref` makes them, with nothing between them."""
    params, x, _ = task.arrays()
    multiply = multiplier(task.cell.layer_sizes, len(x))
    weights = [weight for weight, _ in params]
    a = [x, *(np.ones((len(x), n), x.dtype) for n in task.cell.layer_sizes[1:])]
    dz = [np.ones_like(array) for array in a]
    dweights = [np.empty_like(weight) for weight in weights]

    def step() -> None:
        for i, weight in enumerate(weights):
            multiply(a[i], weight, a[i + 1])
        for i in range(len(weights) - 1, -1, -1):
            multiply(a[i].T, dz[i + 1], dweights[i])
            if i:
                multiply(dz[i + 1], weights[i].T, dz[i])

    return step


def epoch(task: Task) -> Step:
    """`MLP.fit`, for one epoch."""
    params, x, y = task.arrays()
    net = MLP(list(task.cell.layer_sizes), hidden=task.hidden, dtype=x.dtype, seed=0)
    for mine, given in zip(net.params, params, strict=True):
        mine.weight[...], mine.bias[...] = given

    def step() -> tuple[float, Any]:
        history = net.fit(x, y, epochs=1, batch_size=task.cell.batch, learning_rate=task.learning_rate)
        return history.loss[-1], net.params

    return step


def epoch_by_sample(task: Task) -> Step:
    """Stochastic gradient descent as most people first write it, with nothing saved.

    Every sample is a column on its own; its gradient is a list of fresh arrays, added to the batch's in a loop; and
    the slope of a unit is computed from its pre-activation once more.
    """
    if task.hidden != "sigmoid":
        raise Unsupported("it has sigmoid units only")
    params, x, y = task.arrays()
    weights = [weight.T.copy() for weight, _ in params]
    biases = [bias.reshape(-1, 1).copy() for _, bias in params]
    columns = x[:, :, None]
    targets = one_hot(y, task.n_out, x.dtype)[:, :, None]
    rng = np.random.default_rng(0)

    def step() -> tuple[float, Any]:
        total = 0.0
        order = rng.permutation(len(columns))
        shuffled = [(columns[i], targets[i]) for i in order]
        for start in range(0, len(order), task.cell.batch):
            batch = shuffled[start : start + task.cell.batch]
            sums = [np.zeros_like(array) for array in (*weights, *biases)]
            for column, target in batch:
                loss, grads = _of_sample(weights, biases, column, target)
                total += loss
                for summed, grad in zip(sums, grads, strict=True):
                    summed += grad
            for parameter, summed in zip((*weights, *biases), sums, strict=True):
                parameter -= (task.learning_rate / len(batch)) * summed
        layers = [(w.T, b[:, 0]) for w, b in zip(weights, biases, strict=True)]
        return total / len(order), layers

    return step


def _of_sample(weights: list[Array], biases: list[Array], x: Array, y: Array) -> tuple[float, list[Array]]:
    activations, pre_activations = [x], []
    for i, (w, b) in enumerate(zip(weights, biases, strict=True)):
        z = w @ activations[-1] + b
        pre_activations.append(z)
        activations.append(_sigmoid(z) if i < len(weights) - 1 else _softmax(z))
    dweights = [np.zeros_like(w) for w in weights]
    dbiases = [np.zeros_like(b) for b in biases]
    delta = activations[-1] - y
    for i in range(len(weights) - 1, -1, -1):
        dweights[i] = delta @ activations[i].T
        dbiases[i] = delta
        if i:
            z = pre_activations[i - 1]
            delta = (weights[i].T @ delta) * (_sigmoid(z) * (1 - _sigmoid(z)))
    return -float(np.log(np.sum(activations[-1] * y))), [*dweights, *dbiases]


def _sigmoid(z: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-z)))


def _softmax(z: Array) -> Array:
    e = np.exp(z - np.max(z, axis=0, keepdims=True))
    return np.asarray(e / np.sum(e, axis=0, keepdims=True))
