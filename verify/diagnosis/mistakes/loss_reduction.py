"""Mistakes in the reduction: the division that turns the rows' losses into one number."""

from __future__ import annotations

from typing import Any

import numpy as np

from verify.diagnosis.mistakes.mistake import Mistake, MistakeConstant
from verify.diagnosis.mistakes.right_backprop import (
    BackpropNet,
    right_da,
    right_dbias,
    right_delta,
    right_divisor,
    right_dweight,
    right_reduction,
)
from verify.reference.spec import Spec

FAMILY = "reduction"
_RIGHT = "dz / batch, once, at the output"


def _divides(spec: Spec) -> bool:
    return not spec.reduction.endswith("sum")


def _mean(spec: Spec) -> bool:
    return spec.reduction.endswith("mean")


def _divisor(net: BackpropNet) -> int:
    return right_divisor(net.spec, net.batch, net.n_out)


def _half(net: BackpropNet) -> int:
    return 2 if net.spec.reduction.startswith("half_") else 1


def _left_out(rows: Any) -> dict[str, Any]:
    def zeroed(net: BackpropNet, p: Any) -> Any:
        dz = right_delta(net, p)
        return np.where(rows(net.batch)[:, np.newaxis], np.zeros_like(dz), dz)

    return {"delta": zeroed}


def _cut(rows: Any) -> dict[str, Any]:
    def rescaled(net: BackpropNet, dz: Any) -> Any:
        return right_reduction(net, dz) * (net.batch / max(net.batch - int(rows(net.batch).sum()), 1))

    return {**_left_out(rows), "reduce": rescaled}


def _last_row(n: int) -> Any:
    return np.arange(n) == n - 1


TABLE = (
    Mistake(
        "rows_left_out",
        FAMILY,
        "dz = 0 in some rows, the last one say",
        "dz of every row",
        "a loop over samples ends one too early",
        "nowhere; but the loss still falls",
        _left_out(_last_row),
        of_rows=_left_out,
    ),
    Mistake(
        "batch_cut",
        FAMILY,
        "gradient of x[:-1], y[:-1]",
        "gradient of x, y",
        "a row is taken for a header, or kept back for validation",
        "in large batches",
        _cut(_last_row),
        applies=_divides,
        of_rows=_cut,
    ),
    Mistake(
        "sum_for_mean",
        FAMILY,
        "dz undivided",
        _RIGHT,
        "the samples' gradients are added up and never averaged",
        "batch 1, and behind the learning rate",
        {"reduce": lambda net, dz: dz / _half(net) if net.spec.reduction.startswith("half_") else 1.0 * dz},
        applies=_divides,
    ),
    Mistake(
        "mean_for_sum",
        FAMILY,
        "dz / batch",
        "dz undivided",
        "a mean is taken out of habit where the loss is a sum",
        "batch 1, and behind the learning rate",
        {"reduce": lambda net, dz: dz / (_half(net) * net.batch)},
        applies=lambda spec: not _divides(spec),
    ),
    Mistake(
        "divided_twice",
        FAMILY,
        "dz / batch / batch",
        _RIGHT,
        "the loss divides, and the update divides again",
        "batch 1, and behind the learning rate",
        {"reduce": lambda net, dz: dz / _divisor(net) / net.batch},
        applies=_divides,
    ),
    Mistake(
        "divided_by_classes",
        FAMILY,
        "dz / n_out",
        _RIGHT,
        "y.shape[1] is written for y.shape[0], or columns become rows",
        "batch as large as the number of outputs",
        {"reduce": lambda net, dz: dz / (_half(net) * net.n_out)},
        applies=_mean,
    ),
    Mistake(
        "divided_by_features",
        FAMILY,
        "dz / n_in",
        _RIGHT,
        "x.shape[1] is written for x.shape[0]",
        "batch as large as the number of inputs",
        {"reduce": lambda net, dz: dz / (_half(net) * net.a[0].shape[1])},
        applies=_mean,
    ),
    Mistake(
        "mean_over_outputs_too",
        FAMILY,
        "dz / (batch * n_out)",
        _RIGHT,
        "np.mean runs over both axes",
        "one output, and behind the learning rate",
        {"reduce": lambda net, dz: dz / (_half(net) * net.batch * net.n_out)},
        applies=_mean,
    ),
    Mistake(
        "mean_over_batch_alone",
        FAMILY,
        "dz / batch",
        "dz / (batch * n_out)",
        "the loss is a mean over both axes, the gradient over one",
        "one output, and behind the learning rate",
        {"reduce": lambda net, dz: dz / (_half(net) * net.batch)},
        applies=lambda spec: spec.reduction.endswith("mean_all"),
    ),
    Mistake(
        "divided_by_degrees_of_freedom",
        FAMILY,
        "dz / max(batch - 1, 1)",
        _RIGHT,
        "the variance's divisor",
        "batch 1, and in large batches",
        {"reduce": lambda net, dz: right_reduction(net, dz) * net.batch / max(net.batch - 1, 1)},
        applies=_divides,
    ),
    Mistake(
        "divided_by_root",
        FAMILY,
        "dz / sqrt(batch)",
        _RIGHT,
        "a standard error's divisor",
        "batch 1, and behind the learning rate",
        {"reduce": lambda net, dz: right_reduction(net, dz) * net.batch / float(net.batch) ** 0.5},
        applies=_divides,
    ),
    Mistake(
        "divided_by_constant",
        FAMILY,
        "dz / 32",
        _RIGHT,
        "the nominal batch size divides, also in the last, smaller batch",
        "full batches",
        {
            "reduce": MistakeConstant(
                lambda n: lambda net, dz: right_reduction(net, dz) * net.batch / n,
                32.0,
                10.0,
                16.0,
                64.0,
                100.0,
                128.0,
            )
        },
        applies=_divides,
    ),
    Mistake(
        "delta_scaled",
        FAMILY,
        "dz = c * dz",
        _RIGHT,
        "a weight of the loss, or a learning rate, is left inside the gradient",
        "behind the learning rate",
        {"reduce": MistakeConstant(lambda c: lambda net, dz: c * right_reduction(net, dz), 0.01, 10.0)},
    ),
    Mistake(
        "divided_per_layer",
        FAMILY,
        "da = dz @ weight.T / batch",
        "da = dz @ weight.T",
        "each layer's backward divides by the batch, and passes the quotient on",
        "batch 1, and without a hidden layer",
        {"back": lambda net, i, dz, gradient: right_da(net, i, dz, gradient) / net.batch},
    ),
    Mistake(
        "divided_by_width",
        FAMILY,
        "da = dz @ weight.T / n_out",
        "da = dz @ weight.T",
        "the contributions of the next layer's units are averaged",
        "width 1, and without a hidden layer",
        {"back": lambda net, i, dz, gradient: right_da(net, i, dz, gradient) / dz.shape[1]},
    ),
    Mistake(
        "weights_divided_again",
        FAMILY,
        "dweight = a.T @ dz / batch",
        "dweight = a.T @ dz",
        "dz is divided already",
        "batch 1",
        {"weight": lambda net, i, dz, da: right_dweight(net, i, dz, da) / net.batch},
    ),
    Mistake(
        "weights_not_divided",
        FAMILY,
        "dweight undivided, dbias divided",
        "both divided",
        "only one of the two lines has the division",
        "batch 1",
        {"weight": lambda net, i, dz, da: _divisor(net) * right_dweight(net, i, dz, da)},
        applies=_divides,
    ),
    Mistake(
        "biases_not_divided",
        FAMILY,
        "dweight divided, dbias undivided",
        "both divided",
        "only one of the two lines has the division",
        "batch 1",
        {"bias": lambda net, i, dz, da: _divisor(net) * right_dbias(net, i, dz, da)},
        applies=_divides,
    ),
)
