"""scikit-learn's multilayer perceptron. Its gradient alone is not public; its epoch is."""

from __future__ import annotations

import inspect
import warnings
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from verify.commands.bench.cells import CellArrays, one_hot
from verify.commands.bench.peers.peer import PeerUnsupported, Step
from verify.commands.bench.task import Task

ACTIVATIONS = {"sigmoid": "logistic", "tanh": "tanh", "relu": "relu", "identity": "identity"}


def _start(task: Task) -> tuple[Any, CellArrays]:
    """A network with the task's parameters, which plain stochastic gradient descent trains, and its arrays."""
    if task.n_out < 3:
        raise PeerUnsupported("with fewer than three classes it has another output layer")
    params, x, y = task.arrays()
    net = MLPClassifier(
        task.cell.layer_sizes[1:-1],
        activation=ACTIVATIONS[task.hidden],
        solver="sgd",
        alpha=0.0,
        batch_size=task.cell.batch,
        learning_rate_init=task.learning_rate,
        momentum=0.0,
        nesterovs_momentum=False,
        n_iter_no_change=10**9,
        random_state=0,
    )
    warnings.simplefilter("ignore", ConvergenceWarning)
    warnings.simplefilter("ignore", UserWarning)  # it mentions that a batch is larger than these three rows
    net.partial_fit(x[:1], y[:1], classes=np.arange(task.n_out))
    for mine, given in zip(zip(net.coefs_, net.intercepts_, strict=True), params, strict=True):
        mine[0][...], mine[1][...] = given
    return net, CellArrays(params, x, y)


def gradient_with_sklearn(task: Task) -> Step:
    """The method that computes loss and gradient, called as `MLPClassifier.fit` calls it."""
    net, (params, x, labels) = _start(task)
    y = one_hot(labels, task.n_out, x.dtype)
    dweights, dbiases = ([np.empty_like(layer[i]) for layer in params] for i in range(2))
    arguments: dict[str, Any] = {
        "X": x,
        "y": y,
        "activations": [x, *[None] * len(params)],
        "deltas": [None] * len(params),
        "coef_grads": dweights,
        "intercept_grads": dbiases,
    }
    if "sample_weight" in inspect.signature(net._backprop).parameters:  # since 1.7
        arguments["sample_weight"] = None

    def step() -> tuple[Any, Any]:
        loss, dweights, dbiases = net._backprop(**arguments)
        return loss, list(zip(dweights, dbiases, strict=True))

    return step


def prediction_with_sklearn(task: Task) -> Step:
    """``MLPClassifier.predict``."""
    net, (_, x, _) = _start(task)
    return lambda: (0.0, [(net.predict(x),)])


def epoch_with_sklearn(task: Task) -> Step:
    """``partial_fit``, which makes one pass over the rows in batches."""
    net, (_, x, y) = _start(task)

    def step() -> tuple[Any, Any]:
        net.partial_fit(x, y)
        return net.loss_, list(zip(net.coefs_, net.intercepts_, strict=True))

    return step
