"""Maps of a tensor in SVG, a field for each entry: its error, or its value. Coordinates in pixels."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["SHADES", "TINTS", "map_shade", "map_tint", "svg_map", "svg_value_maps"]

Tensor = Mapping[str, Any]
"""A `TensorEntries` as plain data."""

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


OUTSIDE = 4


VAGUE = 8


def map_shade(ratio: float) -> int:
    """The place in ``SHADES`` of an error in units of its bound."""
    if math.isnan(ratio):
        return VAGUE
    if ratio == 0:
        return 0
    return next((place for limit, place in _LIMITS if ratio <= limit), 7)


def svg_map(tensor: Tensor) -> dict[str, Any]:
    """A map: for each shade a path of its fields, and the line between what is within the bound and what is not."""
    fields = [[map_shade(ratio) for ratio in row] for row in tensor["ratios"]]
    rows, columns = len(fields), len(fields[0]) if fields else 0
    side = max(4.0, min(24.0, _WIDE / max(columns, 1), _WIDE / max(rows, 1)))
    outside = [[OUTSIDE <= place < VAGUE for place in row] for row in fields]
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
    """The path of the fields that have a number, for each number."""
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


_STEPS = (0.03, 0.1, 0.3, 1.0)


_NOT_FINITE = 9


def map_tint(share: float) -> int:
    """The colour of a value in units of the largest expected one: -4 to 4 by size and sign, 9 if not finite."""
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
"""Colours of a map of values, and the values that they stand for, in units of the largest expected one."""


def svg_value_maps(tensor: Tensor) -> list[dict[str, Any]]:
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
                            map_tint(value / largest if largest else value and math.copysign(2, value))
                            for value in row
                        ]
                        for row in tensor[name]
                    ]
                )
            ],
        }
        for name in ("expected", "got")
    ]
