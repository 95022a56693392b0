"""A multilayer perceptron in NumPy whose hand-written gradients are right."""

from typing import Any

from mlp_ref.activations import identity, relu, sigmoid, tanh
from mlp_ref.calls import forward, loss_and_gradient
from mlp_ref.history import History
from mlp_ref.lbfgs import LBFGS
from mlp_ref.losses import cross_entropy, mse, softmax_mse
from mlp_ref.network import MLP
from mlp_ref.optimisers import SGD, Adam
from mlp_ref.params import Layer, as_layers, flatten
from mlp_ref.softmax import softmax, softmax_jacobian, softmax_vjp
from mlp_ref.stopping import EarlyStopping
from mlp_ref.workspace import Workspace

__all__ = [
    "LBFGS",
    "MLP",
    "SGD",
    "Adam",
    "EarlyStopping",
    "History",
    "Layer",
    "Workspace",
    "as_layers",
    "cross_entropy",
    "datasets",
    "flatten",
    "forward",
    "identity",
    "loss_and_gradient",
    "mse",
    "relu",
    "sigmoid",
    "softmax",
    "softmax_jacobian",
    "softmax_mse",
    "softmax_vjp",
    "tanh",
]


def __getattr__(name: str) -> Any:
    # The data sets are read from disk by few who import this package.
    if name == "datasets":
        from importlib import import_module

        return import_module("mlp_ref.datasets")
    raise AttributeError(f"module 'mlp_ref' has no attribute {name!r}")
