"""A multilayer perceptron in NumPy whose hand-written gradients are right."""

from mlp_ref.activations import identity, relu, sigmoid, tanh
from mlp_ref.backprop import Workspace, forward, loss_and_gradient
from mlp_ref.losses import cross_entropy, mse, softmax_mse
from mlp_ref.network import MLP
from mlp_ref.params import Layer
from mlp_ref.softmax import softmax, softmax_jacobian, softmax_vjp

__all__ = [
    "MLP",
    "Layer",
    "Workspace",
    "cross_entropy",
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
