"""A figure of the errors of a run, by matplotlib, which is imported when one is drawn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from verify.checks.figure_axes import OUTSIDE, WITHIN, figure_of_axes, new_axes, whole_number_ticks
from verify.oracle.error_histogram import ErrorHistogram

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LABELS = {"bound": "error ÷ its bound", "u": "error ÷ (u × the largest entry of its tensor)"}


def plot_errors(histograms: Sequence[ErrorHistogram], ax: Axes | None = None, unit: str = "bound") -> Figure:
    """Draw how large the errors of all cases were.

    Parameters
    ----------
    histograms
        ``Report.errors``.
    ax
        Axes to draw into; by default, those of a new figure.
    unit
        ``bound`` or ``u``.

    Raises
    ------
    ValueError
        Where nothing was counted, or the unit is not known.
    """
    if unit not in _LABELS:
        raise ValueError(f"unit must be 'bound' or 'u', got {unit!r}")
    found = [histogram for histogram in histograms if histogram.unit == unit]
    if not found:
        raise ValueError("nothing to draw: no entries of a gradient were compared")
    (histogram,) = found
    counts = np.sum(list(histogram.counts.values()), axis=0)
    full = np.flatnonzero(counts)
    first, last = (int(full[0]), int(full[-1])) if len(full) else (0, 0)
    if ax is None:
        ax = new_axes(size=(5.6, 3.4))[0]
    tens = np.array(histogram.edges) * math.log10(2)
    beyond = np.array(histogram.edges[:-1]) >= 0
    colours = [OUTSIDE if out and unit == "bound" else WITHIN for out in beyond]
    shown = slice(first, last + 1)
    ax.bar(tens[:-1][shown], counts[shown], np.diff(tens)[shown], align="edge", color=colours[shown])
    if unit == "bound":
        ax.axvline(0, color="black", lw=1.5)
        ax.annotate("the bound", (0, 1), (3, -3), xycoords=("data", "axes fraction"),
                    textcoords="offset points", va="top", fontsize=9)  # fmt: skip
        ax.set_xlim(min(tens[first], -1), max(tens[last + 1], 1.5))
    ax.xaxis.set_major_locator(whole_number_ticks())
    ax.xaxis.set_major_formatter(lambda exponent, _: f"$10^{{{exponent:g}}}$")
    ax.set_xlabel(_LABELS[unit])
    exact = sum(histogram.exact.values())
    ax.set_ylabel("entries" + (f" ({exact:,} more without error)" if exact else ""))
    ax.grid(alpha=0.3, axis="y")
    ax.set_axisbelow(True)
    return figure_of_axes(ax)
