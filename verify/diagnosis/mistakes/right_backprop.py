"""A plain backpropagation in pieces, each of which a mistake can replace.

It is written as a textbook writes it, in NumPy alone, and computes with whatever arrays it is given: floats (then
it is a gradient function to be judged), floats with bounds (then it is a hypothesis that can be refuted), or
certified balls (then it shows that two formulas are the same one).

Shapes: batch rows, n_in inputs, n_out outputs.
  x, a: (batch, n_in)   weight: (n_in, n_out)   bias: (n_out,)   z, p, y: (batch, n_out)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlp_ref.params import Layer
from verify.reference.spec import Spec

LEAK = 0.01

# --- the forward pass


def right_sigmoid(z: Any) -> Any:
    """1 / (1 + exp(-z)), with an exponential that cannot overflow."""
    e = np.exp(-np.abs(z))
    return np.where(z < 0, e, 1.0) / (1.0 + e)


def right_softmax(z: Any) -> Any:
    """The softmax of the backpropagation: rows of exp(z) that sum to 1."""
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "sigmoid": right_sigmoid,
    "tanh": np.tanh,
    "relu": lambda z: np.where(z > 0, z, 0.0),
    "leaky_relu": lambda z: np.where(z < 0, LEAK * z, z),
    "identity": lambda z: z,
    "softmax": right_softmax,
}

SLOPES: dict[str, Callable[[Any, Any], Any]] = {
    "sigmoid": lambda z, a: a * (1.0 - a),
    "tanh": lambda z, a: 1.0 - a * a,
    "relu": lambda z, a: z > 0,
    "leaky_relu": lambda z, a: np.where(z < 0, LEAK, np.ones_like(z)),
    "identity": lambda z, a: np.ones_like(z),
}
"""The slope of an activation, from the pre-activation z and the activation a."""


@dataclass
class BackpropNet:
    """The values that the forward pass leaves for the backward pass.

    ``a[i]`` goes into layer i (``a[0]`` is x), ``z[i]`` comes out of it; the last z are the logits.
    """

    spec: Spec
    params: list[Layer]
    y: Any
    z: list[Any]
    a: list[Any]

    @property
    def batch(self) -> int:
        """The number of rows."""
        return int(self.y.shape[0])

    @property
    def n_out(self) -> int:
        """The number of outputs."""
        return int(self.y.shape[1])

    @property
    def last(self) -> int:
        """The index of the last layer."""
        return len(self.params) - 1

    def rows(self, which: Any) -> BackpropNet:
        """The same for some rows alone."""
        z, a = ([array[which] for array in arrays] for arrays in (self.z, self.a))
        return BackpropNet(self.spec, self.params, self.y[which], z, a)


# --- the backward pass: the right pieces


def right_output(net: BackpropNet) -> Any:
    """The outputs p of the backpropagation's forward pass, from the logits."""
    return ACTIVATIONS[net.spec.output](net.z[-1])


def right_dloss(net: BackpropNet, p: Any) -> Any:
    """The derivative of a row's loss with respect to its outputs p."""
    if net.spec.loss == "squared_error":
        return 2.0 * (p - net.y)
    if net.spec.loss == "cross_entropy":
        return -net.y / p
    return (1.0 - net.y) / (1.0 - p) - net.y / p


def right_delta(net: BackpropNet, p: Any) -> Any:
    """The derivative of a row's loss with respect to its logits."""
    if net.spec.loss != "squared_error":
        return p - net.y
    dp = right_dloss(net, p)
    if net.spec.output == "softmax":
        return p * (dp - (dp * p).sum(axis=1, keepdims=True))
    return dp * SLOPES[net.spec.output](net.z[-1], p)


def right_divisor(spec: Spec, batch: int, n_out: int) -> int:
    """Return what the sum over all rows and outputs is divided by."""
    times = 2 if spec.reduction.startswith("half_") else 1
    if spec.reduction.endswith("mean"):
        return times * batch
    return times * batch * n_out if spec.reduction.endswith("mean_all") else times


def right_reduction(net: BackpropNet, dz: Any) -> Any:
    """Scale the derivative of each row's loss to that of the one number: by a factor common to all rows."""
    return dz / right_divisor(net.spec, net.batch, net.n_out)


def right_dweight(net: BackpropNet, i: int, dz: Any, da: Any) -> Any:
    """Undo z = a @ weight + bias for the weight: every row of a met the same one."""
    return net.a[i].T @ dz


def right_dbias(net: BackpropNet, i: int, dz: Any, da: Any) -> Any:
    """Undo z = a @ weight + bias for the bias."""
    return dz.sum(axis=0)


def right_da(net: BackpropNet, i: int, dz: Any, gradient: Layer) -> Any:
    """Undo z = a @ weight + bias for a, the input of layer i."""
    return dz @ net.params[i].weight.T


def right_slope(net: BackpropNet, i: int, da: Any) -> Any:
    """The slope of the activation that follows layer i, to be multiplied by da."""
    return SLOPES[net.spec.hidden](net.z[i], net.a[i + 1])


def right_penalty(net: BackpropNet, i: int, gradient: Layer) -> Layer:
    """Add the derivative of ``0.5 * l2 * sum(weight**2)``."""
    if not net.spec.l2:
        return gradient
    return Layer(gradient.weight + net.spec.l2 * net.params[i].weight, gradient.bias)


def right_storage(kind: str, array: Any, i: int, n: int) -> Any:
    """Return what the backpropagation keeps of an array of layer i of n that is stored.

    Its kind is ``x``, ``weight``, ``activation``, ``delta`` or ``gradient``.
    """
    return array


def right_layer_gradient(net: BackpropNet, i: int, gradient: Layer) -> Layer:
    """Return what the backpropagation makes of a layer's gradient before it is returned."""
    return gradient


def right_finish(layers: list[Layer]) -> list[Layer]:
    """Return what becomes of the gradient when all of it is there."""
    return layers


@dataclass(frozen=True)
class BackpropPieces:
    """A backpropagation: what it does at each step."""

    output: Callable[[BackpropNet], Any] = right_output
    delta: Callable[[BackpropNet, Any], Any] = right_delta
    reduce: Callable[[BackpropNet, Any], Any] = right_reduction
    weight: Callable[[BackpropNet, int, Any, Any], Any] = right_dweight
    bias: Callable[[BackpropNet, int, Any, Any], Any] = right_dbias
    back: Callable[[BackpropNet, int, Any, Layer], Any] = right_da
    slope: Callable[[BackpropNet, int, Any], Any] = right_slope
    penalty: Callable[[BackpropNet, int, Layer], Layer] = right_penalty
    keep: Callable[[str, Any, int, int], Any] = right_storage
    layer_gradient: Callable[[BackpropNet, int, Layer], Layer] = right_layer_gradient
    finish: Callable[[list[Layer]], list[Layer]] = right_finish


RIGHT = BackpropPieces()


def backprop_forward(
    pieces: BackpropPieces, spec: Spec, params: Sequence[Layer], x: Any, y: Any
) -> BackpropNet:
    """Affine layers with the activation between them; what the backward pass needs is kept."""
    kept = [
        Layer(pieces.keep("weight", weight, i, len(params)), bias) for i, (weight, bias) in enumerate(params)
    ]
    net = BackpropNet(spec, kept, y, [], [pieces.keep("x", x, 0, len(params))])
    for i, (weight, bias) in enumerate(kept):
        z = net.a[i] @ weight
        net.z.append(z + bias if spec.biases else z)
        if i < net.last:
            net.a.append(pieces.keep("activation", ACTIVATIONS[spec.hidden](net.z[i]), i, len(params)))
    return net


def backprop_start(pieces: BackpropPieces, net: BackpropNet) -> Any:
    """The derivative of the loss with respect to the logits: where the way back starts."""
    dz = pieces.keep("delta", pieces.delta(net, pieces.output(net)), net.last, net.last + 1)
    return pieces.reduce(net, dz)


def backprop_backward(pieces: BackpropPieces, net: BackpropNet, dz: Any = None) -> Iterator[Layer]:
    """The layers' gradients, last layer first; from `backprop_start`, where it is not given."""
    n = net.last + 1
    dz = backprop_start(pieces, net) if dz is None else dz
    da = dz
    for i in range(net.last, -1, -1):
        dbias = pieces.bias(net, i, dz, da) if net.spec.biases else np.zeros_like(net.params[i].bias)
        layer = Layer(pieces.weight(net, i, dz, da), dbias)
        kept = (pieces.keep("gradient", tensor, i, n) for tensor in pieces.penalty(net, i, layer))
        yield pieces.layer_gradient(net, i, Layer(*kept))
        if i:
            da = pieces.back(net, i, dz, layer)
            dz = pieces.keep("delta", da * pieces.slope(net, i - 1, da), i - 1, n)


def backprop_gradient(
    pieces: BackpropPieces, spec: Spec, params: Sequence[Layer], x: Any, y: Any
) -> list[Layer]:
    """The gradient that these pieces make, first layer first."""
    layers = list(backprop_backward(pieces, backprop_forward(pieces, spec, params, x, y)))
    return pieces.finish(layers[::-1])
