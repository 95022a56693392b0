"""Mistakes in the weight gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from mlp_ref.params import Layer
from verify.diagnosis.mistakes.mistake import Mistake, MistakeConstant
from verify.diagnosis.mistakes.right_backprop import ACTIVATIONS, BackpropNet, right_dweight

FAMILY = "weight gradient"
_RIGHT = "dweight = a.T @ dz"


def _preactivation(net: BackpropNet, i: int, dz: Any, da: Any) -> Any:
    return (net.z[i - 1] if i else net.a[0]).T @ dz


def _activated_twice(net: BackpropNet, i: int, dz: Any, da: Any) -> Any:
    return (ACTIVATIONS[net.spec.hidden](net.a[i]) if i else net.a[0]).T @ dz


def _slope_for_activation(net: BackpropNet, i: int, dz: Any, da: Any) -> Any:
    a = net.a[i]
    return (a * (1.0 - a) if i and net.spec.hidden == "sigmoid" else 1.0 - a * a if i else a).T @ dz


def _rolled(k: float) -> Any:
    return lambda net, i, dz, da: np.roll(net.a[i], int(k), axis=0).T @ dz


def _normalised(net: BackpropNet, i: int, gradient: Layer) -> Layer:
    return Layer(*(tensor / np.sqrt((tensor * tensor).sum()) for tensor in gradient))


def _normalised_together(layers: list[Layer]) -> list[Layer]:
    squares = [(tensor * tensor).sum() for layer in layers for tensor in layer]
    norm = np.sqrt(sum(squares[1:], start=squares[0]))
    return [Layer(*(tensor / norm for tensor in layer)) for layer in layers]


def _clipped(limit: float) -> Any:
    return lambda net, i, gradient: Layer(*(np.clip(tensor, -limit, limit) for tensor in gradient))


def _left_out(rows: Any) -> dict[str, Any]:
    def kept(net: BackpropNet, i: int, dz: Any, da: Any) -> Any:
        on = ~rows(net.batch)
        return net.a[i][on].T @ dz[on]

    return {"weight": kept}


TABLE = (
    Mistake(
        "weight_rows_left_out",
        FAMILY,
        "dweight = a[1:].T @ dz[1:]",
        _RIGHT,
        "a loop over samples begins one too late",
        "nowhere; but the loss still falls",
        _left_out(lambda n: np.arange(n) == 0),
        of_rows=_left_out,
    ),
    Mistake(
        "gradient_transposed",
        FAMILY,
        "dweight = dz.T @ a",
        _RIGHT,
        "the convention of a book with (out, in) weights; other than at equal widths the shape is wrong",
        "width 1",
        {"weight": lambda net, i, dz, da: dz.T @ net.a[i]},
    ),
    Mistake(
        "gradient_reshaped",
        FAMILY,
        "dweight = (dz.T @ a).reshape(n_in, n_out)",
        _RIGHT,
        "reshape makes the shapes fit as a transposition does",
        "width 1",
        {"weight": lambda net, i, dz, da: (dz.T @ net.a[i]).reshape(*net.params[i].weight.shape)},
    ),
    Mistake(
        "preactivation_as_input",
        FAMILY,
        "dweight = z.T @ dz",
        _RIGHT,
        "the wrong one of two caches is used",
        "without a hidden layer, and with identity hidden layers",
        {"weight": _preactivation},
        applies=lambda spec: spec.hidden != "identity",
    ),
    Mistake(
        "activation_twice_as_input",
        FAMILY,
        "dweight = f(a).T @ dz",
        _RIGHT,
        "the cache holds activations, and the activation is applied again",
        "without a hidden layer, and with relu",
        {"weight": _activated_twice},
        applies=lambda spec: spec.hidden not in ("relu", "identity"),
    ),
    Mistake(
        "cache_edited_in_place",
        FAMILY,
        "dweight = f'(z).T @ dz",
        _RIGHT,
        "the slope is computed in place, in the array that still had to serve as an activation",
        "without a hidden layer",
        {"weight": _slope_for_activation},
        applies=lambda spec: spec.hidden in ("sigmoid", "tanh"),
    ),
    Mistake(
        "layers_reversed",
        FAMILY,
        "[last, ..., first]",
        "[first, ..., last]",
        "gradients are appended on the way back and never reversed; unless the widths agree, so do the shapes not",
        "without a hidden layer",
        {"finish": lambda layers: layers[::-1]},
    ),
    Mistake(
        "first_layer_missing",
        FAMILY,
        "dweight of layer 1 = 0",
        _RIGHT,
        "a loop ends one layer too early",
        "nowhere; but the loss still falls",
        {
            "weight": lambda net, i, dz, da: (
                right_dweight(net, i, dz, da) if i else np.zeros_like(net.params[i].weight)
            )
        },
    ),
    Mistake(
        "weight_from_first_row",
        FAMILY,
        "dweight = outer(a[0], dz[0])",
        _RIGHT,
        "code for one sample is given a batch",
        "batch 1",
        {"weight": lambda net, i, dz, da: net.a[i][:1].T @ dz[:1]},
    ),
    Mistake(
        "weight_from_last_row",
        FAMILY,
        "dweight = outer(a[-1], dz[-1])",
        _RIGHT,
        "a loop over samples assigns where it should add",
        "batch 1",
        {"weight": lambda net, i, dz, da: net.a[i][-1:].T @ dz[-1:]},
    ),
    Mistake(
        "product_of_means",
        FAMILY,
        "dweight = outer(a.mean(axis=0), dz.sum(axis=0))",
        _RIGHT,
        "activations and deltas are averaged first and multiplied after",
        "batch 1",
        {
            "weight": lambda net, i, dz, da: (
                net.a[i].mean(axis=0, keepdims=True).T @ dz.sum(axis=0, keepdims=True)
            )
        },
    ),
    Mistake(
        "rows_misaligned",
        FAMILY,
        "dweight = roll(a, k, axis=0).T @ dz",
        _RIGHT,
        "two lists of samples are off by one, or by some",
        "batch 1",
        {"weight": MistakeConstant(_rolled, 1, -1, 2, -2, 3, -3, 4, -4)},
    ),
    Mistake(
        "weight_before_slope",
        FAMILY,
        "dweight = a.T @ da",
        _RIGHT,
        "dweight is computed one line too early, before dz = da * f'(z)",
        "without a hidden layer, and with identity hidden layers",
        {"weight": lambda net, i, dz, da: net.a[i].T @ da},
        applies=lambda spec: spec.hidden != "identity",
    ),
    Mistake(
        "weight_sign_flipped",
        FAMILY,
        "dweight = -a.T @ dz",
        _RIGHT,
        "only one of the two lines was changed from += to -=",
        "nowhere",
        {"weight": lambda net, i, dz, da: -right_dweight(net, i, dz, da)},
    ),
    Mistake(
        "weight_scaled",
        FAMILY,
        "dweight = c * a.T @ dz",
        _RIGHT,
        "a learning rate is left inside the gradient",
        "behind the learning rate",
        {
            "weight": MistakeConstant(
                lambda c: lambda net, i, dz, da: c * right_dweight(net, i, dz, da), 0.1, 10.0
            )
        },
    ),
    Mistake(
        "absolute_input",
        FAMILY,
        "dweight = abs(a).T @ dz",
        _RIGHT,
        "inputs are taken for magnitudes",
        "where all inputs are positive: behind a sigmoid or relu",
        {"weight": lambda net, i, dz, da: np.abs(net.a[i]).T @ dz},
    ),
    Mistake(
        "gradient_normalised",
        FAMILY,
        "gradient / norm(gradient), each tensor",
        "gradient",
        "the step's length is fixed inside the gradient",
        "nowhere; but the loss still falls",
        {"layer_gradient": _normalised},
    ),
    Mistake(
        "gradient_normalised_together",
        FAMILY,
        "gradient / norm(gradient), all tensors together",
        "gradient",
        "the step's length is fixed inside the gradient",
        "nowhere; but the loss still falls",
        {"finish": _normalised_together},
    ),
    Mistake(
        "gradient_clipped",
        FAMILY,
        "clip(gradient, -c, c)",
        "gradient",
        "clipping against explosion is left inside the gradient",
        "until an entry exceeds the limit",
        {"layer_gradient": MistakeConstant(_clipped, 1.0, 0.1, 0.5, 0.01, 5.0)},
    ),
    Mistake(
        "gradient_ascends",
        FAMILY,
        "-gradient, the step itself",
        "gradient",
        "what is returned is what will be added",
        "behind an update that adds",
        {"layer_gradient": lambda net, i, gradient: Layer(*(-tensor for tensor in gradient))},
        applies=lambda spec: spec.l2 > 0,  # without a penalty it is the output delta with its sign swapped
    ),
)
