"""The table of references: for each name, the function, the shapes of its inputs, and the options that are drawn."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any

from verify.reference.layers import (
    activations,
    attention,
    convolution,
    dense,
    losses,
    norms,
    pooling,
    recurrent,
)
from verify.reference.layers.dropout import dropout
from verify.reference.layers.embedding import embedding
from verify.reference.reference import Reference

EPS = (1e-5, 1e-3, 0.1, 1.0)
"""An epsilon that matters shows where it was put."""

REFERENCES: dict[str, Reference] = {}


def _enter(function: Callable[..., Any], shapes: dict[str, str], *, name: str = "", **arguments: Any) -> None:
    reference = Reference.of(
        function, shapes, name=name or function.__name__, shifts_cancel=True, **arguments
    )
    REFERENCES[reference.name] = reference


_ROWS = {"x": "n d"}
_IMAGES = {"x": "n c h w"}

_enter(dense.affine, {"x": "n d", "w": "d m", "b": "m"})
_enter(embedding, {"table": "v d", "ids": "n t"}, integers={"ids": "v"})
_enter(dense.residual, {"x": "n d", "w": "d d", "b": "d"})
_enter(dropout, {"x": "n d", "mask": "n d"}, choices={"mask": (0.0, 1.0)}, options={"p": (0.5, 0.1, 0.75)})
_enter(dense.mlp, {"x": "n d", "w1": "d h", "b1": "h", "w2": "h m", "b2": "m"})

_enter(activations.relu, _ROWS)
_enter(activations.leaky_relu, _ROWS, options={"slope": (0.01, 0.2, 0.5)})
_enter(activations.elu, _ROWS, options={"alpha": (1.0, 0.5, 1.7)})
_enter(activations.sigmoid, _ROWS)
_enter(activations.tanh, _ROWS)
_enter(activations.silu, _ROWS)
_enter(activations.gelu, _ROWS)
_enter(activations.gelu_tanh, _ROWS)
_enter(activations.softmax, _ROWS)
_enter(activations.log_softmax, _ROWS)

_enter(losses.cross_entropy, {"logits": "n c", "labels": "n"}, integers={"labels": "c"})
_enter(
    losses.hinge,
    {"scores": "n c", "labels": "n"},
    integers={"labels": "c"},
    options={"margin": (1.0, 0.5, 2.0)},
)
_enter(losses.mse, {"prediction": "n d", "target": "n d"}, constants=("target",))

_NORM = {"gamma": "d", "beta": "d"}
_CHANNELS = {"gamma": "c", "beta": "c"}
_RUNNING: dict[str, Any] = {"constants": ("mean", "var"), "positive": ("var",)}
_enter(norms.batch_norm, {**_ROWS, **_NORM}, options={"eps": EPS})
_enter(norms.batch_norm_eval, {**_ROWS, **_NORM, "mean": "d", "var": "d"}, options={"eps": EPS}, **_RUNNING)
_enter(norms.spatial_batch_norm, {**_IMAGES, **_CHANNELS}, options={"eps": EPS})
_enter(
    norms.spatial_batch_norm_eval,
    {**_IMAGES, **_CHANNELS, "mean": "c", "var": "c"},
    options={"eps": EPS},
    **_RUNNING,
)
_enter(norms.layer_norm, {**_ROWS, **_NORM}, options={"eps": EPS})
_enter(
    norms.group_norm,
    {"x": "n g*c h w", "gamma": "g*c", "beta": "g*c"},
    options={"groups": "g", "eps": EPS},
)
_enter(norms.rms_norm, {**_ROWS, "gamma": "d"}, options={"eps": EPS})

_KERNELS = {**_IMAGES, "w": "f c kh kw", "b": "f"}
_STEPS = {"stride": (1, 2, 3), "pad": (0, 1, 2)}
_enter(convolution.conv2d, _KERNELS, options=_STEPS)
_enter(convolution.conv2d, _KERNELS, name="dilated_conv2d", options={**_STEPS, "dilation": (1, 2, 3)})
_enter(
    convolution.conv2d,
    {"x": "n g*c h w", "w": "g*f c kh kw", "b": "g*f"},
    name="grouped_conv2d",
    options={**_STEPS, "groups": "g"},
)
_enter(
    convolution.conv_transpose2d,
    {**_IMAGES, "w": "c f kh kw", "b": "f"},
    options={"stride": (1, 2, 3), "pad": (0, 1)},
)

_WINDOWS = {"size": (2, 3, 1), "stride": (1, 2, 3)}
_enter(pooling.max_pool2d, _IMAGES, options=_WINDOWS)
_enter(pooling.avg_pool2d, _IMAGES, options=_WINDOWS)

_STATE = {"x": "n d", "h": "n h"}
_SEQUENCE = {"x": "n t d", "h0": "n h"}


def _matrices(gates: str) -> dict[str, str]:
    return {"wx": f"d {gates}h", "wh": f"h {gates}h"}


_RNN, _LSTM = {**_matrices(""), "b": "h"}, {**_matrices("4*"), "b": "4*h"}
_GRU = {**_matrices("3*"), "bx": "3*h", "bh": "3*h"}
_enter(recurrent.rnn_step, {**_STATE, **_RNN})
_enter(recurrent.rnn, {**_SEQUENCE, **_RNN})
_enter(recurrent.lstm_step, {**_STATE, "c": "n h", **_LSTM})
_enter(recurrent.lstm, {**_SEQUENCE, **_LSTM})
_enter(recurrent.gru_step, {**_STATE, **_GRU})
_enter(recurrent.gru, {**_SEQUENCE, **_GRU})

_QKV = {"q": "n l d", "k": "n s d", "v": "n s e"}
_SQUARE = dict.fromkeys(("wq", "wk", "wv", "wo"), "g*d g*d")
_enter(attention.attention, _QKV)
_enter(attention.attention, _QKV, name="causal_attention", options={"causal": (True,)})
_enter(
    attention.multi_head_attention,
    {"x": "n l g*d", **_SQUARE},
    options={"heads": "g", "causal": (False, True)},
)

NAMES = tuple(REFERENCES)
"""The names of the references."""


def reference_in_table(name: str) -> Reference:
    """The reference of a name.

    Raises
    ------
    ValueError
        When there is none.
    """
    if name not in REFERENCES:
        close = difflib.get_close_matches(name, NAMES, 1)
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        raise ValueError(f"reference must be a JAX function or one of {', '.join(NAMES)}; got {name!r}{hint}")
    return REFERENCES[name]
