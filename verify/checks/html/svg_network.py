"""The layers and units of a network in SVG, by what is wrong in them. Coordinates for the templates, in pixels."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from verify.checks.html.svg_maps import OUTSIDE, VAGUE, Tensor, map_shade

__all__ = ["svg_layer_strip", "svg_network"]


def svg_layer_strip(tensors: Sequence[Tensor]) -> list[dict[str, Any]]:
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


def svg_network(case: Mapping[str, Any], tensors: Sequence[Tensor]) -> dict[str, Any] | None:
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
            (*start, *end, _edge_status(of.get((i, 2)), (a, b), (sizes[i - 1], sizes[i])))
            for a, start in enumerate(left)
            for b, end in enumerate(right)
        ]
    for i, column in enumerate(at):
        for j, place in enumerate(column):
            rest = sizes[i] - _UNITS + 1 if j == _UNITS - 1 and sizes[i] > _UNITS else 0
            status = _edge_status(of.get((i, 1)), (0, j), (1, sizes[i])) if i else "input"
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


def _edge_status(tensor: Tensor | None, place: tuple[int, int], shape: tuple[int, int]) -> str:
    """``within`` or ``outside``, for an entry of a tensor that is drawn entry by entry; else ``unknown``."""
    drawn = tensor["ratios"] if tensor and tuple(tensor["binned"]) == (1, 1) else ()
    if not drawn or (len(drawn), len(drawn[0])) != shape:
        return "unknown"
    return "outside" if OUTSIDE <= map_shade(drawn[place[0]][place[1]]) < VAGUE else "within"
