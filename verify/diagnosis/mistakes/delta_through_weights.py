"""Mistakes in how a delta goes back through a layer's weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from mlp_ref.params import Layer
from verify.diagnosis.mistakes.mistake import Mistake, MistakeConstant
from verify.diagnosis.mistakes.right_backprop import BackpropNet, right_da

FAMILY = "weights backwards"
_RIGHT = "da = dz @ weight.T"


def _through(weights: Any) -> Any:
    """The piece that goes back through ``weights(net, i, gradient)``, (n_in, n_out), in place of the layer's."""
    return lambda net, i, dz, gradient: dz @ weights(net, i, gradient).T


def _noise(net: BackpropNet, i: int, dz: Any, gradient: Layer) -> Any:
    return dz @ np.random.default_rng().standard_normal(net.params[i].weight.shape).T.astype(dz.dtype)


def _clipped(limit: float) -> Any:
    return lambda net, i, dz, gradient: np.clip(right_da(net, i, dz, gradient), -limit, limit)


TABLE = (
    Mistake(
        "weight_untransposed",
        FAMILY,
        "da = dz @ weight",
        _RIGHT,
        "the transposition is forgotten; other than at equal widths it raises",
        "without a hidden layer",
        {"back": lambda net, i, dz, gradient: dz @ net.params[i].weight},
    ),
    Mistake(
        "weight_reshaped_for_transposed",
        FAMILY,
        "da = dz @ weight.reshape(n_out, n_in)",
        _RIGHT,
        "reshape makes the shapes fit as a transposition does",
        "width 1, and without a hidden layer",
        {
            "back": lambda net, i, dz, gradient: (
                dz @ net.params[i].weight.reshape(*net.params[i].weight.shape[::-1])
            )
        },
    ),
    Mistake(
        "weight_already_updated",
        FAMILY,
        "da = dz @ (weight - rate * dweight).T",
        _RIGHT,
        "each layer is updated on the way back, before the delta goes through it",
        "without a hidden layer, and to every tolerance that is larger than the learning rate",
        {
            "back": MistakeConstant(
                lambda rate: _through(lambda net, i, gradient: net.params[i].weight - rate * gradient.weight),
                *(0.1, 0.01, 0.001, 1.0, 0.5, 0.05, 0.005, 0.0001),
            )
        },
    ),
    Mistake(
        "weight_of_other_layer",
        FAMILY,
        "da = dz @ weight.T, of the layer below",
        _RIGHT,
        "an index is off by one; other than at equal widths it raises",
        "without a hidden layer",
        {"back": lambda net, i, dz, gradient: dz @ net.params[i - 1].weight.T},
    ),
    Mistake(
        "weight_absolute",
        FAMILY,
        "da = dz @ abs(weight).T",
        _RIGHT,
        "blame is shared out in proportion to the size of the weights",
        "without a hidden layer, and where all weights are positive",
        {"back": _through(lambda net, i, gradient: np.abs(net.params[i].weight))},
    ),
    Mistake(
        "weight_sign",
        FAMILY,
        "da = dz @ sign(weight).T",
        _RIGHT,
        "sign-symmetric feedback, which trains all the same",
        "without a hidden layer",
        {"back": _through(lambda net, i, gradient: np.sign(net.params[i].weight))},
    ),
    Mistake(
        "weight_random",
        FAMILY,
        "da = dz @ B.T, B drawn at random",
        _RIGHT,
        "feedback alignment, which trains all the same",
        "without a hidden layer",
        {"back": _noise},
    ),
    Mistake(
        "weight_left_out",
        FAMILY,
        "da = dz.sum(axis=1) for every unit",
        _RIGHT,
        "the delta is handed down without the weights",
        "without a hidden layer",
        {"back": _through(lambda net, i, gradient: np.ones_like(net.params[i].weight))},
        applies=lambda spec: (
            spec.output != "softmax"
        ),  # there the deltas of a row sum to 0: nothing goes back
    ),
    Mistake(
        "weight_gradient_for_weight",
        FAMILY,
        "da = dz @ dweight.T",
        _RIGHT,
        "dw is typed for w",
        "without a hidden layer",
        {"back": _through(lambda net, i, gradient: gradient.weight)},
    ),
    Mistake(
        "weight_squared",
        FAMILY,
        "da = dz @ (weight**2).T",
        _RIGHT,
        "the rule for propagating variances",
        "without a hidden layer, and where all weights are 0 or 1",
        {"back": _through(lambda net, i, gradient: net.params[i].weight * net.params[i].weight)},
    ),
    Mistake(
        "weight_normalised",
        FAMILY,
        "da = dz @ (weight / weight.sum(axis=0)).T",
        _RIGHT,
        "blame is shared out in fractions",
        "without a hidden layer",
        {
            "back": _through(
                lambda net, i, gradient: (
                    net.params[i].weight / net.params[i].weight.sum(axis=0, keepdims=True)
                )
            )
        },
    ),
    Mistake(
        "scaled_on_the_way_back",
        FAMILY,
        "da = c * dz @ weight.T",
        _RIGHT,
        "a rate or a decay is multiplied in at every layer",
        "without a hidden layer",
        {
            "back": MistakeConstant(
                lambda c: lambda net, i, dz, gradient: c * right_da(net, i, dz, gradient), 0.1, 0.5, 0.9
            )
        },
    ),
    Mistake(
        "clipped_on_the_way_back",
        FAMILY,
        "da = clip(dz @ weight.T, -c, c)",
        _RIGHT,
        "what flows back is clipped at every layer against explosion",
        "without a hidden layer, and while it is small",
        {"back": MistakeConstant(_clipped, 0.01, 0.001, 0.1, 1.0)},
    ),
    Mistake(
        "nothing_goes_back",
        FAMILY,
        "da = 0",
        _RIGHT,
        "the graph is cut: only the last layer learns",
        "without a hidden layer; the loss still falls",
        {"back": lambda net, i, dz, gradient: np.zeros_like(net.a[i])},
    ),
    Mistake(
        "bias_goes_back",
        FAMILY,
        "da = (dz + bias) @ weight.T",
        _RIGHT,
        "the backward pass is written as the forward pass reversed, bias included",
        "without a hidden layer, and while the biases are still 0",
        {"back": lambda net, i, dz, gradient: (dz + net.params[i].bias) @ net.params[i].weight.T},
    ),
    Mistake(
        "delta_summed_before_going_back",
        FAMILY,
        "da = dz.sum(axis=0) @ weight.T, for every row",
        _RIGHT,
        "the deltas of a batch are added up too early",
        "batch 1, and without a hidden layer",
        {
            "back": lambda net, i, dz, gradient: (
                np.zeros_like(net.a[i]) + dz.sum(axis=0, keepdims=True) @ net.params[i].weight.T
            )
        },
    ),
)
