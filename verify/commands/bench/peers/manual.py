"""Gradients written by hand, in NumPy: this project's, the floor under them, and the loop people start with."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from mlp_ref import MLP, Workspace, loss_and_gradient
from verify.commands.bench.cells import one_hot
from verify.commands.bench.peers.peer import PeerUnsupported, Step
from verify.commands.bench.task import Task
from verify.evaluate.array import Array


def manual_gradient_of_network(task: Task) -> Step:
    """The plain call, as most people write it: ``net.loss_and_gradient(x, y)``."""
    net, x, y = _network(task)
    return lambda: net.loss_and_gradient(x, y)


def _network(task: Task) -> tuple[MLP, Array, Array]:
    params, x, y = task.arrays()
    net = MLP(list(task.cell.layer_sizes), hidden=task.hidden, dtype=x.dtype, seed=0)
    net.params = params
    return net, x, y


def manual_prediction(task: Task) -> Step:
    """``net.predict(x)``."""
    net, x, _ = _network(task)
    return lambda: (0.0, [(net.predict(x),)])


def manual_gradient(task: Task) -> Step:
    """The call of the training loop: arguments checked before, every array reused."""
    params, x, y = task.arrays()
    workspace = Workspace(task.cell.layer_sizes, len(x), x.dtype)
    return lambda: loss_and_gradient(params, x, y, task.hidden, workspace=workspace)


def manual_gradient_call(task: Task) -> Step:
    """The function, which is given the parameters and checks them too."""
    params, x, y = task.arrays()
    return lambda: loss_and_gradient(params, x, y, task.hidden)


def manual_products(task: Task) -> Step:
    """The matrix products of one gradient, made as and where `mlp_ref` makes them, with nothing between them."""
    params, x, _ = task.arrays()
    workspace = Workspace(task.cell.layer_sizes, len(x), x.dtype)
    pieces = [(x[rows], piece) for rows, piece in workspace.by_piece()]
    for _, piece in pieces:
        for array in (*piece.a, *piece.slopes):
            array.fill(1)

    def step() -> None:
        for inputs, piece in pieces:
            a = inputs
            for (weight, _), z, after in zip(
                params, [*piece.z, piece.logits], [*piece.a, piece.logits], strict=True
            ):
                piece.multiply(a, weight, z)
                a = after
            dz = piece.logits
            for i in range(len(params) - 1, 0, -1):
                piece.multiply(piece.a[i - 1].T, dz, piece.grads[i].weight)
                piece.multiply(dz, params[i].weight.T, piece.z[i - 1])
                dz = piece.slopes[i - 1]
            piece.multiply(inputs.T, dz, piece.grads[0].weight)

    return step


def manual_epoch(task: Task) -> Step:
    """`MLP.fit`, for one epoch."""
    net, x, y = _network(task)

    def step() -> tuple[float, Any]:
        history = net.fit(x, y, epochs=1, batch_size=task.cell.batch, learning_rate=task.learning_rate)
        return history.loss[-1], net.params

    return step


def manual_gradients_of_epoch(task: Task) -> Step:
    """The gradients alone of `manual_epoch`, as many, all of one batch, which stays in the cache."""
    step = manual_gradient(replace(task, kind="gradient", rows=None))
    batches = range(_batches(task))

    def gradients() -> None:
        for _ in batches:
            step()

    return gradients


def manual_rows_of_epoch(task: Task) -> Step:
    """The rows in a random order, copied batch by batch, as `manual_epoch` copies them."""
    _, x, _ = task.arrays()
    batch = np.empty((task.cell.batch, task.n_in), x.dtype)
    rng = np.random.default_rng(0)

    def rows() -> None:
        order = rng.permutation(len(x))
        for start in range(0, _batches(task) * len(batch), len(batch)):
            x.take(order[start : start + len(batch)], axis=0, out=batch, mode="clip")

    return rows


def _batches(task: Task) -> int:
    """The whole batches of an epoch."""
    return (task.rows or 0) // task.cell.batch


def manual_epoch_of_notebook(task: Task) -> Step:
    """The algorithm of the notebook that this project began with, written anew with its formulas put right.

    As there: float64, which is what NumPy makes of pixels divided by 255; one sample at a time, a column of its own;
    the softmax computed once more for its derivative, and the sigmoid twice for its; gradients in lists of zeros, which
    fresh arrays then replace, and which a loop adds to the batch's; every output kept for the epoch's figures.
    """
    if task.hidden != "sigmoid":
        raise PeerUnsupported("it has sigmoid units only")
    params, x, y = task.arrays()
    weights = [np.array(weight.T, np.float64, order="C") for weight, _ in params]
    biases = [bias.astype(np.float64).reshape(-1, 1) for _, bias in params]
    samples, targets = x.astype(np.float64), one_hot(y, task.n_out, np.float64)
    rng = np.random.default_rng(0)

    def step() -> tuple[float, Any]:
        order = rng.permutation(len(samples))
        shuffled = [(samples[i], targets[i]) for i in order]
        outputs, labels = [], []
        for start in range(0, len(order), task.cell.batch):
            batch = shuffled[start : start + task.cell.batch]
            sums = [np.zeros_like(array) for array in (*weights, *biases)]
            for sample, target in batch:
                column, label = sample.reshape(-1, 1), target.reshape(-1, 1)
                output, grads = _of_sample(weights, biases, column, label)
                outputs.append(output.flatten())
                labels.append(label.flatten())
                for summed, grad in zip(sums, grads, strict=True):
                    summed += grad
            for parameter, summed in zip((*weights, *biases), sums, strict=True):
                parameter -= (task.learning_rate / len(batch)) * summed
        found, wanted = np.array(outputs), np.array(labels)
        np.mean(np.argmax(found, axis=1) == np.argmax(wanted, axis=1))
        loss = -float(np.mean(np.log(np.sum(found * wanted, axis=1))))
        layers = [
            (w.T.astype(x.dtype), b[:, 0].astype(x.dtype)) for w, b in zip(weights, biases, strict=True)
        ]
        return loss, layers

    return step


def _of_sample(weights: list[Array], biases: list[Array], x: Array, y: Array) -> tuple[Array, list[Array]]:
    activations, pre_activations = [x], []
    for i, (w, b) in enumerate(zip(weights, biases, strict=True)):
        z = w @ activations[-1] + b
        pre_activations.append(z)
        activations.append(_sigmoid(z) if i < len(weights) - 1 else _softmax(z))
    dweights = [np.zeros_like(w) for w in weights]
    dbiases = [np.zeros_like(b) for b in biases]
    delta = _softmax(pre_activations[-1]) - y
    for i in range(len(weights) - 1, -1, -1):
        dweights[i] = delta @ activations[i].T
        dbiases[i] = delta
        if i:
            delta = (weights[i].T @ delta) * _sigmoid_prime(pre_activations[i - 1])
    return activations[-1], [*dweights, *dbiases]


def _sigmoid(z: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-z)))


def _sigmoid_prime(z: Array) -> Array:
    return np.asarray(_sigmoid(z) * (1 - _sigmoid(z)))


def _softmax(z: Array) -> Array:
    e = np.exp(z - np.max(z, axis=0, keepdims=True))
    return np.asarray(e / np.sum(e, axis=0, keepdims=True))
