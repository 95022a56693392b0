"""Mistakes in the derivatives of normalisations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax.lax import stop_gradient

from verify.diagnosis.mistakes.layers.mistake import (
    LayerMistake,
    Wrong,
    mistake_of_change,
    mistake_of_forward,
)
from verify.reference.layers.norms import moments

TRAINED = ("batch_norm", "spatial_batch_norm", "layer_norm", "group_norm")
EVALUATED = ("batch_norm_eval", "spatial_batch_norm_eval")


def _shaped(x: Any, gamma: Any, beta: Any, groups: int) -> tuple[Any, Any, Any, tuple[int, ...]]:
    """x, gamma and beta so that they broadcast; and the axes of the statistics, of batch, layer or group norm."""
    if x.ndim == 2:
        return x, gamma[jnp.newaxis, :], beta[jnp.newaxis, :], (0,)
    n, c, h, w = x.shape
    if groups:
        shape = (1, groups, c // groups, 1, 1)
        return x.reshape(n, groups, c // groups, h, w), gamma.reshape(shape), beta.reshape(shape), (2, 3, 4)
    return (
        x,
        gamma[jnp.newaxis, :, jnp.newaxis, jnp.newaxis],
        beta[jnp.newaxis, :, jnp.newaxis, jnp.newaxis],
        (0, 2, 3),
    )


def _norm(hat: Callable[..., Any], rows: bool) -> Callable[..., Any]:
    """A forward pass of the wrong formula ``hat(x, mean, var, eps, count)``; ``rows``: of layer norm."""

    def forward(x: Any, gamma: Any, beta: Any, *, eps: float, groups: int = 0) -> Any:
        shaped, scale, shift, axes = _shaped(x, gamma, beta, groups)
        axes = (1,) if rows else axes
        mean, var = moments(shaped, axes)
        count = 1
        for axis in axes:
            count *= shaped.shape[axis]
        return (scale * hat(shaped, mean, var, eps, count) + shift).reshape(x.shape)

    return forward


def _of(hat: Callable[..., Any]) -> Wrong:
    """JAX's gradients of a norm of the wrong formula, whichever norm it is."""
    of_columns, of_rows = mistake_of_forward(_norm(hat, False)), mistake_of_forward(_norm(hat, True))

    def wrong(right: Any, dout: Any, *inputs: Any, **options: Any) -> Any:
        return (of_rows if options.pop("rows", False) else of_columns)(right, dout, *inputs, **options)

    return wrong


def _hat(x: Any, mean: Any, var: Any, eps: float, count: int) -> Any:
    return (x - mean) / jnp.sqrt(var + eps)


def _rows(wrong: Wrong) -> Wrong:
    return lambda right, dout, *inputs, **options: wrong(right, dout, *inputs, rows=True, **options)


def _both(
    name: str, wrong_text: str, right_text: str, story: str, hat: Callable[..., Any]
) -> tuple[LayerMistake, ...]:
    """The mistake in batch and group norm, and in layer norm, whose statistics are over other axes."""
    made = _of(hat)
    columns = tuple(layer for layer in TRAINED if layer != "layer_norm")
    return (
        LayerMistake(f"norm_{name}", columns, wrong_text, right_text, story, made),
        LayerMistake(f"layer_norm_{name}", ("layer_norm",), wrong_text, right_text, story, _rows(made)),
    )


def _gamma_out(power: int) -> Callable[..., Any]:
    """dx divided, or multiplied once more, by gamma; the other gradients are right."""

    def wrong(right: Any, dout: Any, x: Any, gamma: Any, *rest: Any, **options: Any) -> Any:
        # dx is linear in dout * gamma: the gradient for another scale is that of dout times the ratio.
        from_axis = gamma.reshape([1, -1] + [1] * (x.ndim - 2))
        dx = right(dout * from_axis)[0] if power > 0 else None
        gradients = list(right(dout))
        gradients[0] = dx if dx is not None else right(dout / from_axis)[0]
        return gradients

    return wrong


def _sum(a: Any) -> Any:
    """Over all axes but that of the channels or features."""
    return jnp.sum(a, axis=tuple(axis for axis in range(a.ndim) if axis != 1))


def _dx_evaluated(slope: Callable[..., Any]) -> Wrong:
    """dx = dout * slope(gamma, var, eps), and dgamma to suit."""

    def wrong(
        right: Any, dout: Any, x: Any, gamma: Any, beta: Any, mean: Any, var: Any, *, eps: float
    ) -> Any:
        shape = [1, -1] + [1] * (x.ndim - 2)
        gradients = list(right(dout))
        gradients[0] = dout * slope(gamma, var, eps).reshape(shape)
        return gradients

    return wrong


def _dgamma_evaluated(std: Callable[..., Any], of_input: bool = False) -> Wrong:
    def wrong(
        right: Any, dout: Any, x: Any, gamma: Any, beta: Any, mean: Any, var: Any, *, eps: float
    ) -> Any:
        shape = [1, -1] + [1] * (x.ndim - 2)
        hat = x if of_input else (x - mean.reshape(shape)) / std(var, eps).reshape(shape)
        return (dout * (gamma / std(var, eps)).reshape(shape), _sum(dout * hat), _sum(dout))

    return wrong


def _rms(hat: Callable[..., Any]) -> Wrong:
    def forward(x: Any, gamma: Any, *, eps: float) -> Any:
        square = jnp.sum(x**2, axis=1, keepdims=True) / x.shape[1]
        return gamma[jnp.newaxis, :] * hat(x, square, eps)

    return mistake_of_forward(forward)


TABLE: tuple[LayerMistake, ...] = (
    *_both(
        "mean_path_lost",
        "the mean is a constant",
        "the mean's path to x is added",
        "the last term of the derivation is left out",
        lambda x, mean, var, eps, count: _hat(x, stop_gradient(mean), var, eps, count),
    ),
    *_both(
        "variance_path_lost",
        "the variance is a constant",
        "the variance's path to x is added",
        "the longest term of the derivation is left out",
        lambda x, mean, var, eps, count: _hat(x, mean, stop_gradient(var), eps, count),
    ),
    *_both(
        "statistics_constant",
        "dx = dout * gamma / std",
        "the paths through mean and variance are added",
        "the backward pass of evaluation, in training",
        lambda x, mean, var, eps, count: _hat(x, stop_gradient(mean), stop_gradient(var), eps, count),
    ),
    *_both(
        "epsilon_outside_root",
        "sqrt(var) + eps",
        "sqrt(var + eps)",
        "hidden by the size of epsilon",
        lambda x, mean, var, eps, count: (x - mean) / (jnp.sqrt(var) + eps),
    ),
    *_both(
        "epsilon_lost",
        "sqrt(var)",
        "sqrt(var + eps)",
        "hidden by the size of epsilon",
        lambda x, mean, var, eps, count: (x - mean) / jnp.sqrt(var),
    ),
    *_both(
        "epsilon_squared",
        "sqrt(var + eps**2)",
        "sqrt(var + eps)",
        "hidden by the size of epsilon",
        lambda x, mean, var, eps, count: (x - mean) / jnp.sqrt(var + eps**2),
    ),
    *_both(
        "unbiased_variance",
        "var = sum / (n - 1)",
        "var = sum / n",
        "np.var(..., ddof=1), or a library's default",
        lambda x, mean, var, eps, count: (x - mean) / jnp.sqrt(var * (count / max(count - 1, 1)) + eps),
    ),
    *_both(
        "root_lost",
        "(x - mean) / (var + eps)",
        "(x - mean) / sqrt(var + eps)",
        "the variance is taken for the standard deviation",
        lambda x, mean, var, eps, count: (x - mean) / (var + eps),
    ),
    *_both(
        "variance_path_doubled",
        "twice the variance's path",
        "the variance's path",
        "the 1/2 of the root is lost",
        lambda x, mean, var, eps, count: _hat(x, mean, 2 * var - stop_gradient(var), eps, count),
    ),
    *_both(
        "variance_path_halved",
        "half of the variance's path",
        "the variance's path",
        "the 2 of the square is lost",
        lambda x, mean, var, eps, count: _hat(x, mean, 0.5 * var + stop_gradient(0.5 * var), eps, count),
    ),
    LayerMistake(
        "norm_gamma_lost",
        TRAINED,
        "dhat = dout",
        "dhat = dout * gamma",
        "right where gamma is 1, as it is at first",
        _gamma_out(-1),
    ),
    LayerMistake(
        "norm_gamma_twice",
        TRAINED,
        "dhat = dout * gamma**2",
        "dhat = dout * gamma",
        "the scale is applied twice; right where gamma is 1, as it is at first",
        _gamma_out(1),
    ),
    LayerMistake(
        "norm_dgamma_of_input",
        TRAINED,
        "dgamma = sum(dout * x)",
        "dgamma = sum(dout * hat)",
        "x is cached in place of the normalised x; right where x is normalised already",
        mistake_of_change(1, lambda d, dout, x, *rest, **options: _sum(dout * x)),
    ),
    LayerMistake(
        "norm_dgamma_of_output",
        TRAINED,
        "dgamma = sum(dout * out)",
        "dgamma = sum(dout * hat)",
        "out is cached in place of the normalised x; right where gamma is 1 and beta 0",
        mistake_of_change(1, lambda d, dout, x, gamma, beta, **options: gamma * d + beta * _sum(dout)),
    ),
    LayerMistake(
        "norm_dbeta_mean",
        TRAINED,
        "dbeta = mean(dout)",
        "dbeta = sum(dout)",
        "right for one row",
        mistake_of_change(2, lambda d, dout, *rest, **options: d / (dout.size // dout.shape[1])),
    ),
    LayerMistake(
        "layer_norm_statistics_of_columns",
        ("layer_norm",),
        "mean and variance over the batch",
        "mean and variance over the features",
        "the backward pass of batch norm is kept",
        _of(_hat),
    ),
    LayerMistake(
        "batch_norm_statistics_of_rows",
        ("batch_norm",),
        "mean and variance over the features",
        "mean and variance over the batch",
        "axis=1 where axis=0 belongs",
        _rows(_of(_hat)),
    ),
    LayerMistake(
        "eval_gamma_lost",
        EVALUATED,
        "dout / std",
        "dout * gamma / std",
        "right where gamma is 1, as it is at first",
        _dx_evaluated(lambda gamma, var, eps: 1 / jnp.sqrt(var + eps)),
    ),
    LayerMistake(
        "eval_std_lost",
        EVALUATED,
        "dout * gamma",
        "dout * gamma / std",
        "right where the running variance is 1, as it is at first",
        _dx_evaluated(lambda gamma, var, eps: gamma),
    ),
    LayerMistake(
        "eval_epsilon_lost",
        EVALUATED,
        "sqrt(var)",
        "sqrt(var + eps)",
        "hidden by the size of epsilon",
        _dgamma_evaluated(lambda var, eps: jnp.sqrt(var)),
    ),
    LayerMistake(
        "eval_epsilon_outside_root",
        EVALUATED,
        "sqrt(var) + eps",
        "sqrt(var + eps)",
        "hidden by the size of epsilon",
        _dgamma_evaluated(lambda var, eps: jnp.sqrt(var) + eps),
    ),
    LayerMistake(
        "eval_dgamma_of_input",
        EVALUATED,
        "dgamma = sum(dout * x)",
        "dgamma = sum(dout * hat)",
        "right where the running mean is 0 and the variance 1, as they are at first",
        _dgamma_evaluated(lambda var, eps: jnp.sqrt(var + eps), of_input=True),
    ),
    LayerMistake(
        "rms_path_lost",
        ("rms_norm",),
        "dx = dout * gamma / rms",
        "the root's path to x is added",
        "the root mean square is taken for a constant",
        _rms(lambda x, square, eps: x / jnp.sqrt(stop_gradient(square) + eps)),
    ),
    LayerMistake(
        "rms_epsilon_outside_root",
        ("rms_norm",),
        "sqrt(mean(x**2)) + eps",
        "sqrt(mean(x**2) + eps)",
        "hidden by the size of epsilon",
        _rms(lambda x, square, eps: x / (jnp.sqrt(square) + eps)),
    ),
    LayerMistake(
        "rms_epsilon_lost",
        ("rms_norm",),
        "sqrt(mean(x**2))",
        "sqrt(mean(x**2) + eps)",
        "hidden by the size of epsilon",
        _rms(lambda x, square, eps: x / jnp.sqrt(square)),
    ),
    LayerMistake(
        "rms_path_doubled",
        ("rms_norm",),
        "twice the root's path",
        "the root's path",
        "the 1/2 of the root is lost",
        _rms(lambda x, square, eps: x / jnp.sqrt(2 * square - stop_gradient(square) + eps)),
    ),
)
