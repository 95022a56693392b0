"""Figures of a gradient's entries, by matplotlib, which is imported when one is drawn.

The same plain data as in the page, for a notebook or a paper: maps of error over bound, and got against expected.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from verify.checks.entries import TensorEntries
from verify.checks.figure_axes import OUTSIDE, WITHIN, figure_of_axes, new_axes, whole_number_ticks
from verify.checks.html.in_words import ratio_in_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LEAST, _MOST = -8, 16
"""Decades of error over bound between which a map's colours change."""


def plot_entries(tensors: Sequence[TensorEntries], ax: Axes | None = None, kind: str = "") -> Figure:
    """Draw the tensor that is worst, a matrix before a vector: as ``map``, as ``scatter``, or both without axes.

    Parameters
    ----------
    tensors
        The tensors of a case.
    ax
        Axes to draw one of them into.
    kind
        ``map``: error over bound, entry by entry. ``scatter``: got against expected. Not given: both, or the map
        where axes are given.

    Raises
    ------
    ValueError
        Where there is nothing to draw, or the kind is not known.
    """
    drawable = [tensor for tensor in tensors if tensor.size]
    if not drawable:
        raise ValueError("nothing to draw: no entries of a gradient were compared")
    if kind not in ("", "map", "scatter"):
        raise ValueError(f"kind must be 'map' or 'scatter', got {kind!r}")
    tensor = max(drawable, key=lambda t: (t.outside > 0, len(t.shape) > 1, t.worst[0].ratio))
    kinds = [kind] if kind else ["map"] if ax is not None else ["map", "scatter"]
    axes = [ax] if ax is not None else list(new_axes(len(kinds)))
    for axis, drawn in zip(axes, kinds, strict=True):
        (_map if drawn == "map" else _scatter)(tensor, axis)
    return figure_of_axes(axes[0])


def _map(tensor: TensorEntries, ax: Axes) -> None:
    from matplotlib.colors import TwoSlopeNorm

    with np.errstate(divide="ignore"):
        shades = np.clip(np.log10(np.array(tensor.ratios)), _LEAST, _MOST)
    # White is at the bound: what is outside is orange, also for those who tell no red from green.
    norm = TwoSlopeNorm(0, _LEAST, _MOST)
    image = ax.imshow(shades, cmap="PuOr_r", norm=norm, aspect="auto", interpolation="nearest")
    ax.set_facecolor("lightgrey")
    rows, columns = (f" (fields of {n})" if n > 1 else "" for n in tensor.binned)
    ax.set_xlabel(f"column{columns}")
    ax.set_ylabel(f"row{rows}")
    for axis, length in zip((ax.yaxis, ax.xaxis), shades.shape, strict=True):
        axis.set_major_locator(whole_number_ticks())
        if length == 1:
            axis.set_ticks([0])
    ax.set_title(f"{tensor.name}: {tensor.outside} of {tensor.size} outside", fontsize=10)
    bar = figure_of_axes(ax).colorbar(
        image, ax=ax, ticks=[_LEAST, _LEAST / 2, 0, _MOST / 2, _MOST], label="error ÷ bound"
    )
    bar.ax.set_yticklabels(["≤ 10⁻⁸", "10⁻⁴", "bound: 1", "10⁸", "≥ 10¹⁶"])


def _scatter(tensor: TensorEntries, ax: Axes) -> None:
    finite = [pair for pair in tensor.pairs if all(map(math.isfinite, pair[:2]))]
    ends = [min((e for e, _, _ in finite), default=0.0), max((e for e, _, _ in finite), default=0.0)]
    ax.plot(ends, ends, color="grey", ls="--", lw=1, label="equal")
    if tensor.factor is not None:
        fit = [tensor.factor * end for end in ends]
        ax.plot(ends, fit, color=OUTSIDE, lw=1, alpha=0.7, label=f"slope {ratio_in_words(tensor.factor)}")
    for kept, marker, colour, name in ((True, "o", WITHIN, "within"), (False, "x", OUTSIDE, "outside")):
        some = [(e, g) for e, g, within in finite if within == kept]
        if some:
            expected, got = zip(*some, strict=True)
            ax.plot(expected, got, marker, color=colour, mfc="none", ms=5, label=f"{name} the bound")
    ax.set_xlabel("expected, in loss per unit")
    ax.set_ylabel("got, in loss per unit")
    ax.legend(frameon=False, fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3)
    ax.grid(alpha=0.3)
