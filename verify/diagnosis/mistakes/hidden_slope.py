"""Mistakes in the slopes of the hidden activations."""

from __future__ import annotations

from typing import Any

import numpy as np

from verify.diagnosis.mistakes.mistake import Mistake, MistakeConstant
from verify.diagnosis.mistakes.right_backprop import LEAK, SLOPES, BackpropNet, right_sigmoid, right_slope
from verify.reference.spec import Spec

FAMILY = "slope"
_RIGHT = "dz = da * f'(z)"


def _hidden(*names: str) -> Any:
    return lambda spec: spec.hidden in names


_smooth = _hidden("sigmoid", "tanh")


def _of_activation(net: BackpropNet, i: int, da: Any) -> Any:
    a = net.a[i + 1]
    return SLOPES[net.spec.hidden](a, np.tanh(a) if net.spec.hidden == "tanh" else right_sigmoid(a))


def _of_raw(net: BackpropNet, i: int, da: Any) -> Any:
    return SLOPES[net.spec.hidden](net.z[i], net.z[i])


def _dropped(net: BackpropNet, i: int, da: Any) -> Any:
    return np.ones_like(net.z[i])


def _differs_from_slope_one(spec: Spec) -> bool:
    return spec.hidden != "identity"


TABLE = (
    Mistake(
        "slope_of_activation",
        FAMILY,
        "dz = da * f'(a)",
        _RIGHT,
        "a function of the pre-activation is given the activation",
        "with relu, where both have one sign; and near 0 with tanh",
        {"slope": _of_activation},
        applies=_smooth,
    ),
    Mistake(
        "slope_of_raw_preactivation",
        FAMILY,
        "dz = da * z * (1 - z), or 1 - z**2",
        "dz = da * a * (1 - a), or 1 - a**2",
        "a function of the activation is given the pre-activation",
        "nowhere",
        {"slope": _of_raw},
        applies=_smooth,
    ),
    Mistake(
        "slope_dropped",
        FAMILY,
        "dz = da",
        _RIGHT,
        "the mask or slope is lost on the way back",
        "without a hidden layer",
        {"slope": _dropped},
        applies=_differs_from_slope_one,
    ),
    Mistake(
        "slope_of_another",
        FAMILY,
        "dz = da * (1 - a**2) for a sigmoid, a * (1 - a) for any other",
        _RIGHT,
        "the activation was changed in the forward pass alone",
        "without a hidden layer",
        {
            "slope": lambda net, i, da: (
                net.a[i + 1] * (1.0 - net.a[i + 1])
                if net.spec.hidden != "sigmoid"
                else 1.0 - net.a[i + 1] * net.a[i + 1]
            )
        },
    ),
    Mistake(
        "slope_of_relu",
        FAMILY,
        "dz = da * (z > 0)",
        _RIGHT,
        "the activation was changed in the forward pass alone",
        "without a hidden layer",
        {"slope": lambda net, i, da: net.z[i] > 0},
        applies=_hidden("sigmoid", "tanh", "identity"),
    ),
    Mistake(
        "slope_constant",
        FAMILY,
        "dz = da / 4",
        _RIGHT,
        "the sigmoid's largest slope stands for all of them",
        "near 0, with a sigmoid",
        {"slope": MistakeConstant(lambda c: lambda net, i, da: c * _dropped(net, i, da), 0.25)},
    ),
    Mistake(
        "slope_of_other_layer",
        FAMILY,
        "dz = da * f'(z of the layer above)",
        _RIGHT,
        "an index is off by one",
        "at other than equal widths it raises",
        {"slope": lambda net, i, da: right_slope(net, i + 1, da) if i + 1 < net.last else _next(net, i)},
        applies=_differs_from_slope_one,
    ),
    Mistake(
        "slope_twice",
        FAMILY,
        "dz = da * f'(z) * f'(z)",
        _RIGHT,
        "both the layer and the activation multiply by it",
        "with relu, whose mask applied twice is itself",
        {"slope": lambda net, i, da: right_slope(net, i, da) * right_slope(net, i, da)},
        applies=lambda spec: spec.hidden in ("sigmoid", "tanh", "leaky_relu"),
    ),
    Mistake(
        "slope_sign",
        FAMILY,
        "dz = da * a * (a - 1), or a**2 - 1",
        "dz = da * a * (1 - a), or 1 - a**2",
        "a sign is lost in the derivation",
        "without a hidden layer",
        {"slope": lambda net, i, da: -1.0 * right_slope(net, i, da)},
        applies=_smooth,
    ),
    Mistake(
        "slope_half_written",
        FAMILY,
        "dz = da * (1 - a)",
        "dz = da * a * (1 - a), or 1 - a**2",
        "a factor or a square is forgotten",
        "without a hidden layer",
        {"slope": lambda net, i, da: 1.0 - net.a[i + 1]},
        applies=_smooth,
    ),
    Mistake(
        "slope_mean_over_batch",
        FAMILY,
        "dz = da * f'(z).mean(axis=0)",
        _RIGHT,
        "slopes are averaged like gradients",
        "batch 1",
        {"slope": lambda net, i, da: _dropped(net, i, da) * (1.0 * right_slope(net, i, da)).mean(axis=0)},
        applies=_differs_from_slope_one,
    ),
    Mistake(
        "slope_first_row",
        FAMILY,
        "dz = da * f'(z[0])",
        _RIGHT,
        "the slope of one sample is kept for the whole batch",
        "batch 1",
        {"slope": lambda net, i, da: _dropped(net, i, da) * right_slope(net, i, da)[0]},
        applies=_differs_from_slope_one,
    ),
    Mistake(
        "slope_missing_in_first_layer",
        FAMILY,
        "dz = da in the first layer",
        _RIGHT,
        "the last step of the loop is written out by hand",
        "without a hidden layer",
        {"slope": lambda net, i, da: right_slope(net, i, da) if i else _dropped(net, i, da)},
        applies=_differs_from_slope_one,
    ),
    Mistake(
        "mask_of_gradient",
        FAMILY,
        "dz = da * (da > 0)",
        "dz = da * (z > 0)",
        "the mask is taken from what flows back instead of what went forward",
        "without a hidden layer",
        {"slope": lambda net, i, da: da > 0},
        applies=_hidden("relu"),
    ),
    Mistake(
        "mask_of_both",
        FAMILY,
        "dz = da * (z > 0) * (da > 0)",
        "dz = da * (z > 0)",
        "guided backpropagation, meant for pictures of what a network sees",
        "without a hidden layer",
        {"slope": lambda net, i, da: (net.z[i] > 0) & (da > 0)},
        applies=_hidden("relu"),
    ),
    Mistake(
        "mask_inverted",
        FAMILY,
        "dz = da * (z <= 0)",
        "dz = da * (z > 0)",
        "dz[z > 0] = 0 for dz[z <= 0] = 0",
        "without a hidden layer",
        {"slope": lambda net, i, da: net.z[i] <= 0},
        applies=_hidden("relu"),
    ),
    Mistake(
        "leak_missing",
        FAMILY,
        "dz = da * (z > 0), 0.01 in the forward pass alone",
        "dz = da * (0.01 where z < 0, else 1)",
        "relu's backward is kept when the forward becomes leaky",
        "where all pre-activations are positive",
        {"slope": lambda net, i, da: np.where(net.z[i] >= 0, np.ones_like(net.z[i]), 0.0)},
        applies=_hidden("leaky_relu"),
    ),
    Mistake(
        "leak_of_another_size",
        FAMILY,
        "dz = da * (c where z < 0, else 1), c not 0.01",
        "dz = da * (0.01 where z < 0, else 1)",
        "two default arguments, in the forward and the backward function, differ",
        "where all pre-activations are positive",
        {
            "slope": MistakeConstant(
                lambda c: lambda net, i, da: np.where(net.z[i] < 0, c, np.ones_like(net.z[i])),
                *(0.1, 0.2, 0.001, 0.3, 0.05),
            )
        },
        applies=_hidden("leaky_relu"),
    ),
    Mistake(
        "leak_as_mask",
        FAMILY,
        "dz = da * max(0.01, z > 0) from the gradient: where(da < 0, 0.01 da, da)",
        "dz = da * (0.01 where z < 0, else 1)",
        "the activation itself is applied to what flows back",
        "where the gradient and the pre-activation have one sign",
        {"slope": lambda net, i, da: np.where(da < 0, LEAK, np.ones_like(net.z[i]))},
        applies=_hidden("leaky_relu"),
    ),
)


def _next(net: BackpropNet, i: int) -> Any:
    """The slope at the logits, which the last hidden layer would reach with an index one too large."""
    a = np.tanh(net.z[i + 1]) if net.spec.hidden == "tanh" else right_sigmoid(net.z[i + 1])
    return SLOPES[net.spec.hidden](net.z[i + 1], a)
