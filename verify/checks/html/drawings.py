"""Coordinates of the drawings, for the templates, in pixels unless a name says otherwise."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from verify.checks.html.words import number_in_words, power_of_ten, ratio

__all__ = [
    "SHADES",
    "TINTS",
    "draw_histogram",
    "draw_map",
    "draw_network",
    "draw_row_bars",
    "draw_scatter",
    "draw_strip",
    "draw_values",
    "edge_status",
    "shade",
    "tint",
]

Tensor = Mapping[str, Any]

SHADES = (
    ("none", "no error"),
    ("low", "up to 0.001"),
    ("middle", "up to 0.1"),
    ("high", "up to 1: the bound"),
    ("over", "up to 1000"),
    ("far", "up to 10⁶"),
    ("farther", "up to 10¹²"),
    ("farthest", "more, or not finite"),
    ("vague", "infinite bound"),
)
"""Shades of a map, with the errors in units of the bound that they stand for."""

_LIMITS = ((1e-3, 1), (0.1, 2), (1.0, 3), (1e3, 4), (1e6, 5), (1e12, 6))
_WIDE = 232
_OUTSIDE = 4
_VAGUE = 8


def shade(ratio: float) -> int:
    """The place in ``SHADES`` of an error in units of its bound."""
    if math.isnan(ratio):
        return _VAGUE
    if ratio == 0:
        return 0
    return next((place for limit, place in _LIMITS if ratio <= limit), 7)


def draw_map(tensor: Tensor) -> dict[str, Any]:
    """A map: for each shade a path of its fields, and the line between what is within the bound and what is not."""
    fields = [[shade(ratio) for ratio in row] for row in tensor["ratios"]]
    rows, columns = len(fields), len(fields[0]) if fields else 0
    side = max(4.0, min(24.0, _WIDE / max(columns, 1), _WIDE / max(rows, 1)))
    outside = [[_OUTSIDE <= place < _VAGUE for place in row] for row in fields]
    return {
        "rows": rows,
        "columns": columns,
        "entries": (tensor["shape"][0], math.prod(tensor["shape"][1:]))
        if len(tensor["shape"]) > 1
        else (1, tensor["size"]),
        "width": round(side * columns, 1),
        "height": round(side * rows, 1),
        "paths": [(SHADES[place][0], path) for place, path in _paths(fields)],
        "edge": "".join(_border(outside)),
    }


def _paths(fields: Sequence[Sequence[int]]) -> list[tuple[int, str]]:
    """For each number, a path of the fields that have it."""
    paths: dict[int, list[str]] = {}
    for i, row in enumerate(fields):
        j = 0
        for place, run in itertools.groupby(row):
            length = len(list(run))
            paths.setdefault(place, []).append(f"M{j} {i}h{length}v1h-{length}z")
            j += length
    return [(place, "".join(path)) for place, path in sorted(paths.items())]


def _border(outside: Sequence[Sequence[bool]]) -> list[str]:
    """The border of the fields that are outside, also along the map's own edge."""
    lines = []
    rows, columns = len(outside), len(outside[0]) if outside else 0

    def at(i: int, j: int) -> bool:
        return 0 <= i < rows and 0 <= j < columns and outside[i][j]

    for i in range(rows + 1):
        for differs, run in itertools.groupby(range(columns), key=lambda j: at(i - 1, j) != at(i, j)):
            places = list(run)
            if differs:
                lines.append(f"M{places[0]} {i}h{len(places)}")
    for j in range(columns + 1):
        for differs, run in itertools.groupby(range(rows), key=lambda i: at(i, j - 1) != at(i, j)):
            places = list(run)
            if differs:
                lines.append(f"M{j} {places[0]}v{len(places)}")
    return lines


# --- the values

_STEPS = (0.03, 0.1, 0.3, 1.0)
_NOT_FINITE = 9


def tint(share: float) -> int:
    """The colour of a value, as a share of the largest expected one: -4 to 4 by size and sign, 9 if not finite."""
    if not math.isfinite(share):
        return _NOT_FINITE
    size = sum(abs(share) > step for step in _STEPS[:-1]) + (abs(share) > 1.001 * _STEPS[-1])
    return int(math.copysign(size, share))


TINTS = (
    ("n4", "below −1"),
    ("n3", "−1 to −0.3"),
    ("n2", "−0.3 to −0.1"),
    ("n1", "−0.1 to −0.03"),
    ("0", "about 0"),
    ("p1", "0.03 to 0.1"),
    ("p2", "0.1 to 0.3"),
    ("p3", "0.3 to 1"),
    ("p4", "above 1"),
    ("bad", "not finite"),
)
"""Colours of a map of values, and the shares of the largest expected one that they stand for."""


def draw_values(tensor: Tensor) -> list[dict[str, Any]]:
    """The maps of the expected and of the returned values, in colours of one scale: the largest expected one."""
    largest = max(
        (abs(value) for row in tensor["expected"] for value in row if math.isfinite(value)), default=0.0
    )
    rows, columns = len(tensor["expected"]), len(tensor["expected"][0]) if tensor["expected"] else 0
    wide = (
        _WIDE if rows == 1 else (_WIDE - 12) / 2
    )  # a vector's maps lie under each other, a matrix's side by side
    side = max(4.0, min(24.0, wide / max(columns, 1), wide / max(rows, 1)))
    return [
        {
            "name": name,
            "rows": rows,
            "columns": columns,
            "width": round(side * columns, 1),
            "height": round(side * rows, 1),
            "paths": [
                (
                    "bad"
                    if place == _NOT_FINITE
                    else f"{'n' if place < 0 else 'p' if place else ''}{abs(place)}",
                    path,
                )
                for place, path in _paths(
                    [
                        [
                            tint(value / largest if largest else value and math.copysign(2, value))
                            for value in row
                        ]
                        for row in tensor[name]
                    ]
                )
            ],
        }
        for name in ("expected", "got")
    ]


# --- got against expected

_LEFT, _TOP, _PLOT = 20, 8, 168
_MARGIN = 1.06
"""The plot's range, over its largest number: no point lies on the frame."""


def draw_scatter(tensor: Tensor) -> dict[str, Any]:
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
        "slope": "" if factor is None else f"slope {ratio(factor)}",
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


def draw_row_bars(shares: Sequence[float]) -> dict[str, Any]:
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
                "1" if abs(share - 1) <= 1e-3 else ratio(share),
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


def draw_histogram(counted: Mapping[str, Any]) -> dict[str, Any]:
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
            # The share of the regime's most frequent size: regimes differ in how many entries they have.
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
            (x(decade / math.log10(2)), power_of_ten(decade)) for decade in decades if decade % every == 0
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


# --- layers


def draw_strip(tensors: Sequence[Tensor]) -> list[dict[str, Any]]:
    """The layers in order, each with its tensors, and which tensor is the first outside, from the output."""
    wrong = [tensor for tensor in tensors if tensor["outside"]]
    first = min(wrong, key=lambda t: (-t["layer"], t["name"].startswith("bias")))["name"] if wrong else ""
    layers: dict[Any, list[Tensor]] = {}
    for tensor in tensors:
        layers.setdefault(tensor["layer"] or tensor["name"], []).append(tensor)
    return [
        {
            "name": f"layer {key}" if isinstance(key, int) else key,
            "tensors": [
                {**tensor, "kind": tensor["name"].partition(" of ")[0] if tensor["layer"] else ""}
                for tensor in group
            ],
            "outside": sum(tensor["outside"] for tensor in group),
            "first": any(tensor["name"] == first for tensor in group),
        }
        for key, group in layers.items()
    ]


_UNITS = 6
"""Units of a layer that are drawn; where there are more, the last stands for all the others."""


def draw_network(case: Mapping[str, Any], tensors: Sequence[Tensor]) -> dict[str, Any] | None:
    """Units and connections of a case's network, each with the status of its entry; None where it has no layers."""
    sizes = case.get("layer_sizes")
    if not sizes or len(sizes) > 10:
        return None
    shown = [min(size, _UNITS) for size in sizes]
    gap = min(110.0, 300 / max(1, len(sizes) - 1))
    height = 10 + 30 * max(shown)
    at = [
        [(round(24 + gap * i, 1), round(height / 2 + 30 * (j - (n - 1) / 2), 1)) for j in range(n)]
        for i, n in enumerate(shown)
    ]
    of = {(tensor["layer"], len(tensor["shape"])): tensor for tensor in tensors if tensor["layer"]}
    edges, units = [], []
    for i, (left, right) in enumerate(itertools.pairwise(at), start=1):
        edges += [
            (*start, *end, edge_status(of.get((i, 2)), (a, b), (sizes[i - 1], sizes[i])))
            for a, start in enumerate(left)
            for b, end in enumerate(right)
        ]
    for i, column in enumerate(at):
        for j, place in enumerate(column):
            rest = sizes[i] - _UNITS + 1 if j == _UNITS - 1 and sizes[i] > _UNITS else 0
            status = edge_status(of.get((i, 1)), (0, j), (1, sizes[i])) if i else "input"
            units.append((*place, status, rest))
    labels = [(column[0][0], str(size)) for column, size in zip(at, sizes, strict=True)]
    return {
        "edges": sorted(edges, key=lambda edge: edge[-1] == "outside"),
        "units": units,
        "labels": labels,
        "width": round(at[-1][0][0] + 24, 1),
        "height": height + 12,
        "label_y": height + 6,
        "status": bool(of),
    }


def edge_status(tensor: Tensor | None, place: tuple[int, int], shape: tuple[int, int]) -> str:
    """``within`` or ``outside``, for an entry of a tensor that is drawn entry by entry; else ``unknown``."""
    drawn = tensor["ratios"] if tensor and tuple(tensor["binned"]) == (1, 1) else ()
    if not drawn or (len(drawn), len(drawn[0])) != shape:
        return "unknown"
    return "outside" if _OUTSIDE <= shade(drawn[place[0]][place[1]]) < _VAGUE else "within"
