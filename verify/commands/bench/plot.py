"""The ratios of a run as a heat map."""

from __future__ import annotations

import math
from itertools import groupby
from pathlib import Path
from typing import Any

from verify.commands.bench.peers import GRADIENTS, PRODUCTS
from verify.commands.bench.rows import BenchRow

TWICE = 4.0
"""A ratio from which the colours grow no stronger."""


def plot_ratios(rows: list[BenchRow], path: Path) -> None:
    """Write the picture: a panel for each dtype and number of threads, a row for each cell, a column for each peer.

    The colour is the logarithm of the ratio: blue where ours is faster, red where it is slower, white at 1. Each
    field says its ratio.
    """
    import matplotlib

    matplotlib.use("Agg")  # a file, not a window
    from matplotlib import pyplot as plt

    panels = [(key, list(group)) for key, group in groupby(rows, key=lambda row: (row.threads, row.dtype))]
    names = [name for name in GRADIENTS if name not in PRODUCTS and any(name in row.ratios for row in rows)]
    tallest = max(len(group) for _, group in panels)
    figure, axes = plt.subplots(
        1,
        len(panels),
        figsize=((2.4 + 0.8 * len(names)) * len(panels), 2.2 + 0.42 * tallest),
        squeeze=False,
        layout="constrained",
    )
    image: Any = None
    for axis, ((threads, dtype), group) in zip(axes[0], panels, strict=True):
        medians = [[row.ratios[n].median if n in row.ratios else math.nan for n in names] for row in group]
        shades = [[math.log2(median) for median in line] for line in medians]
        image = axis.imshow(shades, cmap="RdBu", vmin=-math.log2(TWICE), vmax=math.log2(TWICE), aspect="auto")
        for i, line in enumerate(medians):
            for j, median in enumerate(line):
                strong = not math.isnan(median) and abs(math.log2(median)) > 0.6 * math.log2(TWICE)
                text = "-" if math.isnan(median) else f"{median:.2f}" if median < 10 else f"{median:.0f}"
                axis.text(
                    j, i, text, ha="center", va="center", fontsize=8, color="white" if strong else "black"
                )
        axis.set_xticks(
            range(len(names)), [GRADIENTS[n].title for n in names], rotation=35, ha="right", fontsize=8
        )
        axis.set_yticks(range(len(group)), [row.cell for row in group], fontsize=8)
        axis.set_title(f"{dtype}, {threads} thread{'s' if threads > 1 else ''}", fontsize=9)
    figure.suptitle(
        "Time of a loss and its gradient, over net.loss_and_gradient: blue where that is faster", fontsize=10
    )
    ticks = [1 / 4, 1 / 2, 1, 2, 4]
    bar = figure.colorbar(image, ax=axes[0].tolist(), ticks=[math.log2(tick) for tick in ticks], pad=0.01)
    bar.ax.set_yticklabels(["≤ 1/4", "1/2", "1", "2", "≥ 4"], fontsize=8)
    figure.savefig(path, dpi=150, bbox_inches="tight")
    plt.close(figure)
