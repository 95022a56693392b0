"""Mistakes in recurrent cells, and in their gradients through time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.lax import stop_gradient

from verify.diagnosis.mistakes.layers.mistake import (
    LayerMistake,
    Wrong,
    mistake_of_change,
    mistake_of_forward,
    with_mistaken_rule,
)
from verify.reference.layers.recurrent import gru_step, lstm_step, rnn_step

SEQUENCES = ("rnn", "lstm", "gru")
_STEPS: dict[str, Callable[..., Any]] = {"rnn": rnn_step, "gru": gru_step}


def _unrolled(
    step: Callable[..., Any], carried: Callable[[Any], Any], seen: Callable[[int, int], float]
) -> Callable[..., Any]:
    """A sequence whose state reaches the next step as ``carried(h)``, and whose parameters get a share of each step."""

    def forward(x: Any, h0: Any, *parameters: Any) -> Any:
        h, states, length = h0, [], x.shape[1]
        for t in range(length):
            share = seen(t, length)
            used = [share * p + stop_gradient((1 - share) * p) for p in parameters]
            h = step(x[:, t], carried(h) if t else h, *used)
            states.append(h[:, jnp.newaxis])
        return jnp.concatenate(states, axis=1)

    return forward


def _every(t: int, length: int) -> float:
    return 1.0


def _first(t: int, length: int) -> float:
    return 1.0 if t == 0 else 0.0


def _last(t: int, length: int) -> float:
    return 1.0 if t == length - 1 else 0.0


def _same(h: Any) -> Any:
    return h


def _lstm(carry: Callable[[Any, Any], Any], seen: Callable[[int, int], float]) -> Callable[..., Any]:
    def forward(x: Any, h0: Any, wx: Any, wh: Any, b: Any) -> Any:
        h, c, states, length = h0, jnp.zeros_like(h0), [], x.shape[1]
        for t in range(length):
            share = seen(t, length)
            used = [share * p + stop_gradient((1 - share) * p) for p in (wx, wh, b)]
            h, c = carry(h, c) if t else (h, c)
            h, c = lstm_step(x[:, t], h, c, *used)
            states.append(h[:, jnp.newaxis])
        return jnp.concatenate(states, axis=1)

    return forward


def _only_last(dout: Any) -> Any:
    """dout of the last step, and 0 elsewhere."""
    last = jnp.arange(dout.shape[1])[jnp.newaxis, :, jnp.newaxis] == dout.shape[1] - 1
    return jnp.where(jnp.broadcast_to(last, dout.shape), dout, 0.0)


def _sequences(
    name: str, wrong: str, right: str, story: str, seen: Any, stop: bool
) -> tuple[LayerMistake, ...]:
    carried = stop_gradient if stop else _same
    made: dict[str, Wrong] = {
        layer: mistake_of_forward(_unrolled(step, carried, seen)) for layer, step in _STEPS.items()
    }
    made["lstm"] = mistake_of_forward(
        _lstm((lambda h, c: (stop_gradient(h), stop_gradient(c))) if stop else lambda h, c: (h, c), seen)
    )
    return tuple(
        LayerMistake(f"{layer}_{name}", (layer,), wrong, right, story, backward)
        for layer, backward in made.items()
    )


_tanh_input = with_mistaken_rule(jnp.tanh, lambda a, x, d: d * (1 - x * x))
_tanh_half = with_mistaken_rule(jnp.tanh, lambda a, x, d: d * (1 - a))
_tanh_none = with_mistaken_rule(jnp.tanh, lambda a, x, d: d)
_tanh_again = with_mistaken_rule(jnp.tanh, lambda a, x, d: d * (1 - jnp.tanh(a) ** 2))
_sigmoid_again = with_mistaken_rule(
    jax.nn.sigmoid, lambda s, x, d: d * jax.nn.sigmoid(s) * (1 - jax.nn.sigmoid(s))
)
_sigmoid_none = with_mistaken_rule(jax.nn.sigmoid, lambda s, x, d: d)


def _pre(x: Any, h: Any, wx: Any, wh: Any, b: Any) -> Any:
    return x @ wx + h @ wh + b[jnp.newaxis, :]


def _rnn(tanh: Callable[[Any], Any]) -> Callable[..., Any]:
    return lambda x, h, wx, wh, b: tanh(_pre(x, h, wx, wh, b))


def _cell(
    sigmoid: Callable[[Any], Any] = jax.nn.sigmoid,
    tanh: Callable[[Any], Any] = jnp.tanh,
    out_tanh: Callable[[Any], Any] = jnp.tanh,
    cut: str = "",
) -> Wrong:
    """An LSTM step with other slopes, or with a path left out: from h, through the cell, or of a gate."""

    def forward(x: Any, h: Any, c: Any, wx: Any, wh: Any, b: Any) -> Any:
        a, width = _pre(x, h, wx, wh, b), h.shape[1]
        part = {gate: a[:, k * width : (k + 1) * width] for k, gate in enumerate("ifog")}
        i, f, o = sigmoid(part["i"]), sigmoid(part["f"]), sigmoid(part["o"])
        g = tanh(part["g"])
        if cut:
            i, f, o, g = (
                stop_gradient(v) if name == cut else v for name, v in (("i", i), ("f", f), ("o", o), ("g", g))
            )
        following = f * (stop_gradient(c) if cut == "c" else c) + i * g
        inner = stop_gradient(following) if cut == "h" else following
        return o * out_tanh(inner), stop_gradient(following) if cut == "dc" else following

    return mistake_of_forward(forward)


def _gru(
    sigmoid: Callable[[Any], Any] = jax.nn.sigmoid, tanh: Callable[[Any], Any] = jnp.tanh, cut: str = ""
) -> Wrong:
    def forward(x: Any, h: Any, wx: Any, wh: Any, bx: Any, bh: Any) -> Any:
        width = h.shape[1]
        a, s = x @ wx + bx[jnp.newaxis, :], h @ wh + bh[jnp.newaxis, :]
        r = sigmoid(a[:, :width] + s[:, :width])
        z = sigmoid(a[:, width : 2 * width] + s[:, width : 2 * width])
        r, z = stop_gradient(r) if cut == "r" else r, stop_gradient(z) if cut == "z" else z
        n = tanh(a[:, 2 * width :] + r * s[:, 2 * width :])
        n = stop_gradient(n) if cut == "n" else n
        return (1 - z) * n + z * (stop_gradient(h) if cut == "h" else h)

    return mistake_of_forward(forward)


def _states(right: Any, x: Any, h0: Any, wx: Any, wh: Any, b: Any) -> list[Any]:
    states = [h0]
    for t in range(x.shape[1]):
        states.append(rnn_step(x[:, t], states[-1], wx, wh, b))
    return states


def _dwh_of_following(right: Any, dout: Any, x: Any, h0: Any, wx: Any, wh: Any, b: Any) -> Any:
    """dwh = sum of h[t].T @ dz[t], with the step's own state where the one before belongs."""
    states = _states(right, x, h0, wx, wh, b)
    dh, dwh = jnp.zeros_like(h0), jnp.zeros_like(wh)
    for t in reversed(range(x.shape[1])):
        dz = (dout[:, t] + dh) * (1 - states[t + 1] ** 2)
        dwh, dh = dwh + states[t + 1].T @ dz, dz @ wh.T
    gradients = list(right(dout))
    gradients[3] = dwh
    return gradients


TABLE: tuple[LayerMistake, ...] = (
    *_sequences(
        "carry_lost",
        "dh = dout[:, t]",
        "dh = dout[:, t] + what the next step hands back",
        "every step is on its own; right for one step",
        _every,
        True,
    ),
    *_sequences(
        "parameters_of_first_step",
        "dw = ... of each step",
        "dw += ... of each step",
        "= for += in the loop back through time; right for one step",
        _first,
        False,
    ),
    *_sequences(
        "parameters_of_last_step",
        "dw of the last step alone",
        "the sum over the steps",
        "the last step's state only; right for one step",
        _last,
        False,
    ),
    LayerMistake(
        "sequence_dout_of_last_step",
        SEQUENCES,
        "dout of the last step alone",
        "dout of every step",
        "as if only the last state were used; right for one step",
        lambda right, dout, *inputs: right(_only_last(dout)),
    ),
    LayerMistake(
        "sequence_dh0_lost",
        SEQUENCES,
        "dh0 = 0",
        "dh0 is what the first step hands back",
        "the first state is taken for a constant",
        mistake_of_change(1, lambda d, dout, *rest: 0.0 * d),
    ),
    LayerMistake(
        "rnn_dwh_of_own_state",
        ("rnn",),
        "dwh += h[t].T @ dz",
        "dwh += h[t - 1].T @ dz",
        "the states are indexed one step too late",
        _dwh_of_following,
    ),
    LayerMistake(
        "rnn_step_slope_lost",
        ("rnn_step",),
        "dz = dout",
        "dz = dout * (1 - out**2)",
        "the activation is passed over",
        mistake_of_forward(_rnn(_tanh_none)),
    ),
    LayerMistake(
        "rnn_step_slope_of_input",
        ("rnn_step",),
        "dz = dout * (1 - z**2)",
        "dz = dout * (1 - out**2)",
        "the pre-activation is cached",
        mistake_of_forward(_rnn(_tanh_input)),
    ),
    LayerMistake(
        "rnn_step_slope_of_output",
        ("rnn_step",),
        "dz = dout * (1 - tanh(out)**2)",
        "dz = dout * (1 - out**2)",
        "the slope's function applies tanh itself, and is given the output",
        mistake_of_forward(_rnn(_tanh_again)),
    ),
    LayerMistake(
        "rnn_step_square_lost",
        ("rnn_step",),
        "dz = dout * (1 - out)",
        "dz = dout * (1 - out**2)",
        "the square is lost",
        mistake_of_forward(_rnn(_tanh_half)),
    ),
    LayerMistake(
        "rnn_step_db_mean",
        ("rnn_step",),
        "mean(dz, axis=0)",
        "sum(dz, axis=0)",
        "right for one row",
        mistake_of_change(4, lambda d, dout, x, *rest: d / x.shape[0]),
    ),
    LayerMistake(
        "lstm_step_gate_slope_of_output",
        ("lstm_step",),
        "s = sigmoid(gate); s * (1 - s)",
        "gate * (1 - gate)",
        "the slope's function applies sigmoid itself, and is given the gate",
        _cell(sigmoid=_sigmoid_again),
    ),
    LayerMistake(
        "lstm_step_gate_slope_lost",
        ("lstm_step",),
        "da = dgate",
        "da = dgate * gate * (1 - gate)",
        "the gates' slopes are left out",
        _cell(sigmoid=_sigmoid_none),
    ),
    LayerMistake(
        "lstm_step_candidate_slope_lost",
        ("lstm_step",),
        "da = dg",
        "da = dg * (1 - g**2)",
        "the candidate's slope is left out",
        _cell(tanh=_tanh_none),
    ),
    LayerMistake(
        "lstm_step_candidate_square_lost",
        ("lstm_step",),
        "da = dg * (1 - g)",
        "da = dg * (1 - g**2)",
        "the square is lost",
        _cell(tanh=_tanh_half),
    ),
    LayerMistake(
        "lstm_step_out_slope_lost",
        ("lstm_step",),
        "dc += dh * o",
        "dc += dh * o * (1 - tanh(c)**2)",
        "the slope of tanh(c) is left out",
        _cell(out_tanh=_tanh_none),
    ),
    LayerMistake(
        "lstm_step_out_slope_of_cell",
        ("lstm_step",),
        "dc += dh * o * (1 - c**2)",
        "dc += dh * o * (1 - tanh(c)**2)",
        "tanh is forgotten",
        _cell(out_tanh=_tanh_input),
    ),
    LayerMistake(
        "lstm_step_dc_lost",
        ("lstm_step",),
        "dc = dh * o * (1 - tanh(c)**2)",
        "dc = dc + dh * o * (1 - tanh(c)**2)",
        "what the next step hands back through the cell is left out",
        _cell(cut="dc"),
    ),
    LayerMistake(
        "lstm_step_dh_into_cell_lost",
        ("lstm_step",),
        "dc = dc",
        "dc = dc + dh * o * (1 - tanh(c)**2)",
        "the output's path into the cell is left out",
        _cell(cut="h"),
    ),
    LayerMistake(
        "lstm_step_forget_path_lost",
        ("lstm_step",),
        "df = 0",
        "df = dc * c",
        "a gate is forgotten",
        _cell(cut="f"),
    ),
    LayerMistake(
        "lstm_step_input_path_lost",
        ("lstm_step",),
        "di = 0",
        "di = dc * g",
        "a gate is forgotten",
        _cell(cut="i"),
    ),
    LayerMistake(
        "lstm_step_output_path_lost",
        ("lstm_step",),
        "do = 0",
        "do = dh * tanh(c)",
        "a gate is forgotten",
        _cell(cut="o"),
    ),
    LayerMistake(
        "lstm_step_dc_not_forgotten",
        ("lstm_step",),
        "dc_prev = dc",
        "dc_prev = dc * f",
        "the forget gate is left out",
        lambda right, dout, x, h, c, wx, wh, b: _without_forget(right, dout, x, h, c, wx, wh, b),
    ),
    LayerMistake(
        "gru_step_gate_slope_of_output",
        ("gru_step",),
        "s = sigmoid(gate); s * (1 - s)",
        "gate * (1 - gate)",
        "the slope's function applies sigmoid itself, and is given the gate",
        _gru(sigmoid=_sigmoid_again),
    ),
    LayerMistake(
        "gru_step_reset_path_lost",
        ("gru_step",),
        "dr = 0",
        "dr = dn * s_n",
        "the reset gate is taken for a constant",
        _gru(cut="r"),
    ),
    LayerMistake(
        "gru_step_update_path_lost",
        ("gru_step",),
        "dz = 0",
        "dz = dout * (h - n)",
        "the update gate is taken for a constant",
        _gru(cut="z"),
    ),
    LayerMistake(
        "gru_step_direct_path_lost",
        ("gru_step",),
        "dh without dout * z",
        "dh = dout * z + ...",
        "the path around the gates is left out",
        _gru(cut="h"),
    ),
    LayerMistake(
        "gru_step_candidate_slope_lost",
        ("gru_step",),
        "da_n = dn",
        "da_n = dn * (1 - n**2)",
        "the candidate's slope is left out",
        _gru(tanh=_tanh_none),
    ),
)


def _without_forget(right: Any, dout: Any, x: Any, h: Any, c: Any, wx: Any, wh: Any, b: Any) -> Any:
    dh, dc = dout
    width = h.shape[1]
    _, cell = lstm_step(x, h, c, wx, wh, b)
    o = jax.nn.sigmoid(_pre(x, h, wx, wh, b)[:, 2 * width : 3 * width])
    gradients = list(right(dout))
    gradients[2] = dc + dh * o * (1 - jnp.tanh(cell) ** 2)
    return gradients
