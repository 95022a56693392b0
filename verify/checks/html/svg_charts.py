"""Charts in SVG: a scatter, bars of rows, a histogram. Coordinates for the templates, in pixels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from verify.checks.html.in_words import number_in_words, power_of_ten_in_words, ratio_in_words
from verify.checks.html.svg_maps import Tensor

__all__ = ["svg_histogram", "svg_row_bars", "svg_scatter"]

_LEFT, _TOP, _PLOT = 20, 8, 168
_MARGIN = 1.06
"""The plot's range, over its largest number: no point lies on the frame."""


def svg_scatter(tensor: Tensor) -> dict[str, Any]:
    """Points of got over expected, in a square with 0 in its middle, and the diagonal where they are equal."""
    pairs = [pair for pair in tensor["pairs"] if math.isfinite(pair[0]) and math.isfinite(pair[1])]
    wide = max((abs(expected) for expected, _, _ in pairs), default=0.0) or 1.0
    high = max(wide, max((abs(got) for _, got, _ in pairs), default=0.0))
    alike = high <= 8 * wide
    wide = high if alike else wide

    def x(value: float) -> float:
        return round(_LEFT + _PLOT * (value / (_MARGIN * wide) + 1) / 2, 1)

    def y(value: float) -> float:
        return round(_TOP + _PLOT * (1 - value / (_MARGIN * high)) / 2, 1)

    factor = tensor["factor"]
    reach = wide if factor is None else min(wide, high / abs(factor))
    return {
        "points": [(x(expected), y(got), within) for expected, got, within in pairs],
        "left": _LEFT,
        "top": _TOP,
        "side": _PLOT,
        "diagonal": (x(-wide), y(-wide), x(wide), y(wide)),
        "ends": (x(-wide), x(wide)),
        "slope": "" if factor is None else f"slope {ratio_in_words(factor)}",
        "fit": factor and (x(-reach), y(-reach * factor), x(reach), y(reach * factor)),
        # Where the line through the points and the diagonal leave room: at the left if both rise, else between.
        "slope_at": ((_LEFT + 5, "start") if factor is None or factor > 0 else (_LEFT + _PLOT / 2, "middle")),
        "wide": number_in_words(wide, 2),
        "high": number_in_words(high, 2),
        "alike": alike,
        "left_out": len(tensor["pairs"]) - len(pairs),
        "of": tensor["size"],
    }


# --- how much of each row of the batch is in it


def svg_row_bars(shares: Sequence[float]) -> dict[str, Any]:
    """Bars of the rows' shares, a line at 1, where a right gradient's end, and one at 0."""
    shares = [0.0 if abs(share) < 5e-4 else share for share in shares]  # so well are they known
    low, high = min(0.0, *shares), max(1.0, *shares)
    room = 0.08 * (high - low)
    low, high = low - room * (low < 0), high + room
    wide, tall = 26, 110
    foot = _TOP + tall + (28 if low < 0 else 16)

    def y(share: float) -> float:
        return round(_TOP + tall * (high - share) / (high - low), 1)

    return {
        "bars": [
            (
                _LEFT + 10 + wide * i,
                min(y(share), y(0)),
                round(abs(y(share) - y(0)), 1),
                abs(share - 1) <= 1e-3,
                round(min(y(share), y(0)) - 3, 1) if share >= 0 else round(max(y(share), y(0)) + 11, 1),
                "1" if abs(share - 1) <= 1e-3 else ratio_in_words(share),
            )
            for i, share in enumerate(shares)
        ],
        "bar": wide - 8,
        "middle": (wide - 8) / 2,
        "zero": y(0),
        "one": y(1),
        "left": _LEFT,
        "right": _LEFT + 12 + wide * len(shares),
        "width": _LEFT + 16 + wide * len(shares),
        "foot": foot,
        "height": foot + 22,
    }


# --- how large the errors were

_BAR, _NAMES, _BARS, _ROW = 6.4, 92, 64, 14
_MOST_BARS = 38
_LEAST_WIDTH = 310  # of the words under the axis


def svg_histogram(counted: Mapping[str, Any]) -> dict[str, Any]:
    """Bars over all regimes, and under them a row of shades for each regime."""
    low, width, counts = _trimmed(counted)
    total = [sum(column) for column in zip(*counts.values(), strict=True)]
    high = low + width * len(total)
    top = max(total, default=0) or 1

    def x(exponent: float) -> float:
        return round(_NAMES + _BAR * (exponent - low) / width, 1)

    bars_end = _BARS + 8
    rows = [
        {
            "name": regime.replace("_", " "),
            "y": bars_end + 6 + _ROW * i,
            # A fraction of the regime's most frequent size: regimes differ in how many entries they have.
            "fields": [
                (x(low + width * j), round(0.12 + 0.88 * n / max(row), 2), low + width * j >= 0)
                for j, n in enumerate(row)
                if n
            ],
        }
        for i, (regime, row) in enumerate(counts.items())
    ]
    bottom = bars_end + 8 + _ROW * len(rows)
    decades = range(math.ceil(low * math.log10(2)), math.floor(high * math.log10(2)) + 1)
    every = max(2, 2 * round(len(decades) / 10))
    return {
        "bars": [
            (
                x(low + width * j),
                round(bars_end - _BARS * n / top, 1),
                round(_BARS * n / top, 1),
                low + width * j >= 0,
            )
            for j, n in enumerate(total)
            if n
        ],
        "bar": _BAR,
        "row": _ROW,
        "base": bars_end,
        "top": top,
        "names": _NAMES,
        "rows": rows,
        "bottom": bottom,
        "width": max(x(high) + 10, _LEAST_WIDTH),
        "height": bottom + 34,
        "ticks": [
            (x(decade / math.log10(2)), power_of_ten_in_words(decade))
            for decade in decades
            if decade % every == 0
        ],
        "one": x(0),
        "bound": counted["unit"] == "bound",
        "exact": sum(counted["exact"].values()),
        "total": sum(total) + sum(counted["exact"].values()),
        "beyond": sum(n for j, n in enumerate(total) if low + width * j >= 0),
    }


def _trimmed(counted: Mapping[str, Any]) -> tuple[int, int, dict[str, list[int]]]:
    """Return where the bars begin, how many powers of 2 each has, and their counts, without empty ones at the ends.

    One bar begins at 1, which for an error in units of the bound is the bound.
    """
    low = counted["edges"][0]
    full = [low + j for j, column in enumerate(zip(*counted["counts"].values(), strict=True)) if any(column)]
    first, last = min([*full, -8]), max([*full, 7])
    width = 1 if last - first < _MOST_BARS else 2 if last - first < 2 * _MOST_BARS - 2 else 3
    first = math.floor(first / width) * width
    bars = math.ceil((last + 1 - first) / width)
    counts = {}
    for regime, row in counted["counts"].items():
        counts[regime] = [0] * bars
        for j, n in enumerate(row):
            if n:
                counts[regime][(low + j - first) // width] += n
    return first, width, counts
