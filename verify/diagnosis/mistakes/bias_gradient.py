"""Mistakes in the bias gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from verify.diagnosis.mistakes.mistake import Mistake, MistakeConstant
from verify.diagnosis.mistakes.right_backprop import BackpropNet, right_dbias

FAMILY = "bias gradient"
_RIGHT = "dbias = dz.sum(axis=0)"


def _left_out(rows: Any) -> dict[str, Any]:
    def kept(net: BackpropNet, i: int, dz: Any, da: Any) -> Any:
        return np.where(rows(net.batch)[:, np.newaxis], np.zeros_like(dz), dz).sum(axis=0)

    return {"bias": kept}


TABLE = (
    Mistake(
        "bias_rows_left_out",
        FAMILY,
        "dbias = dz[1:].sum(axis=0)",
        _RIGHT,
        "a loop over samples begins one too late",
        "nowhere",
        _left_out(lambda n: np.arange(n) == 0),
        of_rows=_left_out,
    ),
    Mistake(
        "bias_mean",
        FAMILY,
        "dbias = dz.mean(axis=0)",
        _RIGHT,
        "dz is divided by the batch already, and the mean divides again",
        "batch 1",
        {"bias": lambda net, i, dz, da: dz.mean(axis=0)},
    ),
    Mistake(
        "bias_first_row",
        FAMILY,
        "dbias = dz[0]",
        _RIGHT,
        "code for one sample is given a batch",
        "batch 1",
        {"bias": lambda net, i, dz, da: 1.0 * dz[0]},
    ),
    Mistake(
        "bias_last_row",
        FAMILY,
        "dbias = dz[-1]",
        _RIGHT,
        "a loop over samples assigns where it should add",
        "batch 1",
        {"bias": lambda net, i, dz, da: 1.0 * dz[-1]},
    ),
    Mistake(
        "bias_scalar",
        FAMILY,
        "dbias = dz.sum()",
        _RIGHT,
        "the sum has no axis, and broadcasting hides it in the update",
        "width 1",
        {"bias": lambda net, i, dz, da: np.zeros_like(net.params[i].bias) + dz.sum()},
    ),
    Mistake(
        "bias_not_summed",
        FAMILY,
        "dbias = dz",
        _RIGHT,
        "right for one sample; in a batch the update broadcasts, or fails",
        "batch 1, where it is kept as a row or column",
        {"bias": lambda net, i, dz, da: 1.0 * dz},
    ),
    Mistake(
        "bias_kept_dimension",
        FAMILY,
        "dbias = dz.sum(axis=0, keepdims=True)",
        _RIGHT,
        "the bias grows a dimension at the first update",
        "in updates that broadcast",
        {"bias": lambda net, i, dz, da: dz.sum(axis=0, keepdims=True)},
    ),
    Mistake(
        "bias_wrong_axis",
        FAMILY,
        "dbias = dz.sum(axis=1)",
        _RIGHT,
        "code for column batches is used on rows",
        "nowhere; where batch and width agree, it even has the right shape",
        {"bias": lambda net, i, dz, da: dz.sum(axis=1)},
    ),
    Mistake(
        "bias_none",
        FAMILY,
        "dbias = 0",
        _RIGHT,
        "the biases are never trained",
        "nowhere; but the loss still falls",
        {"bias": lambda net, i, dz, da: np.zeros_like(net.params[i].bias)},
    ),
    Mistake(
        "bias_only_at_output",
        FAMILY,
        "dbias = 0 in the hidden layers",
        _RIGHT,
        "the hidden layers' line is missing",
        "without a hidden layer",
        {
            "bias": lambda net, i, dz, da: (
                right_dbias(net, i, dz, da) if i == net.last else np.zeros_like(net.params[i].bias)
            )
        },
    ),
    Mistake(
        "bias_through_input",
        FAMILY,
        "dbias = (a.T @ dz).sum(axis=0)",
        _RIGHT,
        "the bias is taken for one more weight, without the input of 1 that belongs to it",
        "where a row's inputs sum to 1",
        {"bias": lambda net, i, dz, da: (net.a[i].T @ dz).sum(axis=0)},
    ),
    Mistake(
        "bias_before_slope",
        FAMILY,
        "dbias = da.sum(axis=0)",
        _RIGHT,
        "dbias is computed one line too early, before dz = da * f'(z)",
        "without a hidden layer, and with identity hidden layers",
        {"bias": lambda net, i, dz, da: da.sum(axis=0)},
        applies=lambda spec: spec.hidden != "identity",
    ),
    Mistake(
        "bias_sign",
        FAMILY,
        "dbias = -dz.sum(axis=0)",
        _RIGHT,
        "z = x @ weight - bias in the mind (a threshold), plus in the code",
        "nowhere",
        {"bias": lambda net, i, dz, da: -right_dbias(net, i, dz, da)},
    ),
    Mistake(
        "bias_scaled",
        FAMILY,
        "dbias = c * dz.sum(axis=0)",
        _RIGHT,
        "biases have a learning rate of their own, and it is left inside the gradient",
        "behind the learning rate",
        {
            "bias": MistakeConstant(
                lambda c: lambda net, i, dz, da: c * right_dbias(net, i, dz, da), 0.1, 10.0
            )
        },
    ),
    Mistake(
        "bias_doubled",
        FAMILY,
        "dbias = 2 * dz.sum(axis=0)",
        _RIGHT,
        "added once in the loop and once after it",
        "behind the learning rate",
        {"bias": lambda net, i, dz, da: 2.0 * right_dbias(net, i, dz, da)},
    ),
)
