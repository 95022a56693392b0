"""The score of the catalogue by family, as a figure."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from verify.checks.figure_axes import OUTSIDE, WITHIN, figure_of_axes, new_axes
from verify.diagnosis.mistakes import CATALOGUE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MARKERS = "osD^vP*X"
_CAUGHT = "#9ECAE1"


def plot_families(results: dict[str, Any]) -> Figure:
    """Draw, for each family of mistakes, the fraction that was caught and named, and what other criteria caught.

    Parameters
    ----------
    results
        What ``python -m verify mistakes --json`` writes. A mistake counts once in each configuration where it is one;
        for other criteria, in the first.

    Raises
    ------
    ValueError
        Where no mistake was judged.
    """
    singles = [row for row in results.get("singles", []) if not row["equivalent"]]
    if not singles:
        raise ValueError("nothing to draw: no mistake was judged")
    families = list(dict.fromkeys(row["family"] for row in singles))
    groups = [[row for row in singles if row["family"] == family] for family in families]
    total = np.array([len(rows) for rows in groups])
    caught = np.array([sum(row["caught"] for row in rows) for rows in groups])
    named = np.array([sum(row["caught"] and row["named"] for row in rows) for rows in groups])
    (axis,) = new_axes(size=(7.6, 1.5 + 0.44 * len(families)))
    places = np.arange(len(families))
    parts = (
        ("verify: caught and named", named, WITHIN, ""),
        ("verify: caught, not named", caught - named, _CAUGHT, "//"),
        ("verify: missed", total - caught, OUTSIDE, "xx"),
    )
    start = np.zeros(len(families))
    for label, counts, colour, hatch in parts:
        if counts.any():
            share = 100 * counts / total
            axis.barh(places, share, left=start, height=0.76, color=colour, hatch=hatch, label=label)
            start = start + share
    for place, n, of in zip(places, caught, total, strict=True):
        axis.text(101.5, place, f"{n} of {of}", va="center", fontsize=8)
    _others(axis, results.get("others", []), families)
    axis.set_yticks(places, families)
    axis.invert_yaxis()
    axis.set_xlim(0, 115)
    axis.set_xticks(range(0, 101, 20))
    axis.set_xlabel("mistakes of the family, in %")
    axis.grid(alpha=0.3, axis="x")
    axis.set_axisbelow(True)
    # Above the plot, where it covers no bar.
    axis.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.45, 1), ncols=3, fontsize=8)
    return figure_of_axes(axis)


def _others(axis: Any, others: list[dict[str, Any]], families: list[str]) -> None:
    """Mark what each other criterion caught of each family, a little above each other within its bar."""
    family_of = {mistake.name: mistake.family for mistake in CATALOGUE}
    wrong = [row for row in others if row["mistake"]]
    criteria = [name for name in wrong[0] if name != "mistake"] if wrong else []
    for i, name in enumerate(criteria):
        shares, places = [], []
        for place, family in enumerate(families):
            some = [row[name] for row in wrong if family_of.get(row["mistake"]) == family]
            if some:
                shares.append(100 * sum(some) / len(some))
                places.append(place + 0.68 * ((i + 0.5) / len(criteria) - 0.5))
        axis.plot(
            shares, places, _MARKERS[i % len(_MARKERS)], ms=4.5, mfc="white", mec="black", ls="", label=name,
            clip_on=False, zorder=3,
        )  # fmt: skip


def plot_mistakes(results: dict[str, Any], path: Path) -> None:
    """Write the plot of the mistakes to a file."""
    plot_families(results).savefig(path, dpi=100)
