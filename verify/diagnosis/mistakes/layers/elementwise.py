"""Mistakes in the derivatives of activations."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax.nn import sigmoid

from verify.diagnosis.mistakes.layers.mistake import LayerMistake, Wrong


def _slope(of: Any) -> Wrong:
    """dx = dout * of(x, **options)."""
    return lambda right, dout, x, **options: (dout * of(x, **options),)


def _whole(of: Any) -> Wrong:
    """dx = of(dout, x)."""
    return lambda right, dout, x, **options: (of(dout, x, **options),)


def _softmax(x: Any) -> Any:
    return jax.nn.softmax(x, axis=-1)


def _mean(a: Any) -> Any:
    return jnp.sum(a, axis=-1, keepdims=True) / a.shape[-1]


def _cdf(x: Any) -> Any:
    return 0.5 * (1 + jax.lax.erf(x / math.sqrt(2)))


def _density(x: Any) -> Any:
    return jnp.exp(-x * x / 2) / math.sqrt(2 * math.pi)


_C = math.sqrt(2 / math.pi)


def _t(x: Any) -> Any:
    return jnp.tanh(_C * (x + 0.044715 * x**3))


TABLE: tuple[LayerMistake, ...] = (
    LayerMistake(
        "relu_value_for_slope",
        ("relu",),
        "dout * relu(x)",
        "dout * (x > 0)",
        "the value is multiplied where the slope belongs; they agree at x = 1 alone",
        _slope(lambda x: jnp.maximum(x, 0.0)),
    ),
    LayerMistake(
        "relu_mask_of_dout",
        ("relu",),
        "dout * (dout > 0)",
        "dout * (x > 0)",
        "the mask is taken of the gradient: the rule of guided backpropagation",
        _whole(lambda d, x: jnp.where(d > 0, d, 0.0)),
    ),
    LayerMistake(
        "relu_mask_reversed",
        ("relu",),
        "dout * (x < 0)",
        "dout * (x > 0)",
        "the entries to set to 0 are mistaken for those to keep",
        _whole(lambda d, x: jnp.where(x < 0, d, 0.0)),
    ),
    LayerMistake(
        "leaky_slope_lost",
        ("leaky_relu",),
        "where(x > 0, dout, 0)",
        "where(x > 0, dout, slope * dout)",
        "the backward pass of relu is kept",
        _whole(lambda d, x, slope: jnp.where(x > 0, d, 0.0)),
    ),
    LayerMistake(
        "leaky_slope_both",
        ("leaky_relu",),
        "slope * dout",
        "where(x > 0, dout, slope * dout)",
        "the slope is applied on both sides",
        _whole(lambda d, x, slope: slope * d),
    ),
    LayerMistake(
        "leaky_sides_swapped",
        ("leaky_relu",),
        "where(x > 0, slope * dout, dout)",
        "where(x > 0, dout, slope * dout)",
        "the branches are exchanged",
        _whole(lambda d, x, slope: jnp.where(x > 0, slope * d, d)),
    ),
    LayerMistake(
        "elu_value_for_slope",
        ("elu",),
        "below 0: alpha * (exp(x) - 1)",
        "below 0: alpha * exp(x)",
        "elu(x) is used where elu(x) + alpha belongs",
        _whole(lambda d, x, alpha: jnp.where(x > 0, d, d * alpha * jnp.expm1(jnp.where(x > 0, 0.0, x)))),
    ),
    LayerMistake(
        "elu_alpha_lost",
        ("elu",),
        "below 0: exp(x)",
        "below 0: alpha * exp(x)",
        "right at alpha = 1, which is the default",
        _whole(lambda d, x, alpha: jnp.where(x > 0, d, d * jnp.exp(jnp.where(x > 0, 0.0, x)))),
    ),
    LayerMistake(
        "sigmoid_slope_of_output",
        ("sigmoid",),
        "s = sigmoid(out); dout * s * (1 - s)",
        "dout * out * (1 - out)",
        "the derivative's function applies sigmoid itself, and is given the output",
        _slope(lambda x: sigmoid(sigmoid(x)) * (1 - sigmoid(sigmoid(x)))),
    ),
    LayerMistake(
        "sigmoid_slope_of_input",
        ("sigmoid",),
        "dout * x * (1 - x)",
        "dout * out * (1 - out)",
        "the derivative's function expects the output, and is given the input",
        _slope(lambda x: x * (1 - x)),
    ),
    LayerMistake(
        "sigmoid_half_slope",
        ("sigmoid",),
        "dout * (1 - out)",
        "dout * out * (1 - out)",
        "a factor is lost",
        _slope(lambda x: 1 - sigmoid(x)),
    ),
    LayerMistake(
        "tanh_slope_of_input",
        ("tanh",),
        "dout * (1 - x**2)",
        "dout * (1 - out**2)",
        "the derivative's function expects the output, and is given the input",
        _slope(lambda x: 1 - x**2),
    ),
    LayerMistake(
        "tanh_slope_of_output",
        ("tanh",),
        "dout * (1 - tanh(out)**2)",
        "dout * (1 - out**2)",
        "the derivative's function applies tanh itself, and is given the output",
        _slope(lambda x: 1 - jnp.tanh(jnp.tanh(x)) ** 2),
    ),
    LayerMistake(
        "tanh_square_lost",
        ("tanh",),
        "dout * (1 - out)",
        "dout * (1 - out**2)",
        "the square is lost",
        _slope(lambda x: 1 - jnp.tanh(x)),
    ),
    LayerMistake(
        "silu_gate_alone",
        ("silu",),
        "dout * sigmoid(x)",
        "dout * (s + x s (1 - s))",
        "the product rule's second term is left out",
        _slope(sigmoid),
    ),
    LayerMistake(
        "silu_slope_without_gate",
        ("silu",),
        "dout * (s + x (1 - s))",
        "dout * (s + x s (1 - s))",
        "a factor of the sigmoid's slope is lost",
        _slope(lambda x: sigmoid(x) + x * (1 - sigmoid(x))),
    ),
    LayerMistake(
        "gelu_density_lost",
        ("gelu",),
        "dout * cdf(x)",
        "dout * (cdf(x) + x density(x))",
        "the product rule's second term is left out",
        _slope(_cdf),
    ),
    LayerMistake(
        "gelu_density_not_normal",
        ("gelu",),
        "density = exp(-x**2 / 2)",
        "density = exp(-x**2 / 2) / sqrt(2 pi)",
        "the density is not normalised",
        _slope(lambda x: _cdf(x) + x * jnp.exp(-x * x / 2)),
    ),
    LayerMistake(
        "gelu_of_the_other_form",
        ("gelu",),
        "the derivative of the tanh form",
        "the derivative of the erf form",
        "they agree to three digits",
        _slope(lambda x: 0.5 * (1 + _t(x)) + 0.5 * x * (1 - _t(x) ** 2) * _C * (1 + 3 * 0.044715 * x**2)),
    ),
    LayerMistake(
        "gelu_tanh_of_the_other_form",
        ("gelu_tanh",),
        "the derivative of the erf form",
        "the derivative of the tanh form",
        "they agree to three digits",
        _slope(lambda x: _cdf(x) + x * _density(x)),
    ),
    LayerMistake(
        "gelu_tanh_inner_derivative_lost",
        ("gelu_tanh",),
        "0.5 x (1 - t**2) sqrt(2 / pi)",
        "0.5 x (1 - t**2) sqrt(2 / pi) (1 + 3 * 0.044715 x**2)",
        "the inner polynomial is taken for x",
        _slope(lambda x: 0.5 * (1 + _t(x)) + 0.5 * x * (1 - _t(x) ** 2) * _C),
    ),
    LayerMistake(
        "gelu_tanh_three_lost",
        ("gelu_tanh",),
        "1 + 0.044715 x**2",
        "1 + 3 * 0.044715 x**2",
        "the power's 3 is lost",
        _slope(lambda x: 0.5 * (1 + _t(x)) + 0.5 * x * (1 - _t(x) ** 2) * _C * (1 + 0.044715 * x**2)),
    ),
    LayerMistake(
        "softmax_diagonal",
        ("softmax",),
        "dout * p * (1 - p)",
        "p * (dout - sum(dout * p))",
        "the Jacobian is taken for its diagonal",
        _whole(lambda d, x: d * _softmax(x) * (1 - _softmax(x))),
    ),
    LayerMistake(
        "softmax_sum_without_dout",
        ("softmax",),
        "p * (dout - sum(p))",
        "p * (dout - sum(dout * p))",
        "the sum forgets the gradient",
        _whole(lambda d, x: _softmax(x) * (d - 1)),
    ),
    LayerMistake(
        "softmax_mean_for_sum",
        ("softmax",),
        "p * (dout - mean(dout * p))",
        "p * (dout - sum(dout * p))",
        "a mean where the sum belongs",
        _whole(lambda d, x: _softmax(x) * (d - _mean(d * _softmax(x)))),
    ),
    LayerMistake(
        "softmax_sum_over_all",
        ("softmax",),
        "sum(dout * p) over the whole batch",
        "sum(dout * p) of each row",
        "keepdims or the axis is forgotten; right for one row",
        _whole(lambda d, x: _softmax(x) * (d - jnp.sum(d * _softmax(x)))),
    ),
    LayerMistake(
        "log_softmax_sum_lost",
        ("log_softmax",),
        "dout - p",
        "dout - p * sum(dout)",
        "the formula of cross-entropy, where dout is minus the target",
        _whole(lambda d, x: d - _softmax(x)),
    ),
    LayerMistake(
        "log_softmax_diagonal",
        ("log_softmax",),
        "dout * (1 - p)",
        "dout - p * sum(dout)",
        "the Jacobian is taken for its diagonal",
        _whole(lambda d, x: d * (1 - _softmax(x))),
    ),
    LayerMistake(
        "log_softmax_sum_over_all",
        ("log_softmax",),
        "p * sum(dout) over the whole batch",
        "p * sum(dout) of each row",
        "keepdims or the axis is forgotten; right for one row",
        _whole(lambda d, x: d - _softmax(x) * jnp.sum(d)),
    ),
)
