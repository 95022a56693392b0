"""Figures of a training run and of a trained network, by matplotlib, which is imported when one is drawn.

Each function draws into the axes that it is given, or into a figure of its own, and returns the figure. A figure of its
own does not belong to `matplotlib.pyplot`: a notebook shows it once, and nobody has to close it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, cast

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from mlp_ref.arrays import Floats, Integers
    from mlp_ref.history import History
    from mlp_ref.network import MLP

__all__ = ["confusion", "evaluation", "images", "mistakes", "require_plot_file", "training", "weights"]

_BLUE, _ORANGE = "#0072B2", "#D55E00"  # told apart by colour-blind readers; the lines differ in dashes too
_LARGEST_WRITTEN = 20


def training(
    history: History, axes: Sequence[Axes] | None = None, names: tuple[str, str] = ("training", "validation")
) -> Figure:
    """Draw loss and accuracy over the epochs.

    Parameters
    ----------
    history : History
    axes : two Axes, optional
        For the loss and the accuracy; one is enough where there is no accuracy.
    names : pair of str
        Of the two sets of rows.

    Returns
    -------
    figure : matplotlib.figure.Figure

    Raises
    ------
    ValueError
        Where no epoch was completed, or there are too few axes.
    """
    if not history.loss:
        raise ValueError("history must have at least one epoch to be drawn, got none")
    panels = [("mean loss of a row", 1, (history.loss, history.validation_loss))]
    if history.accuracy:
        panels.append(("accuracy in %", 100, (history.accuracy, history.validation_accuracy)))
    if axes is None:
        axes = np.ravel(_figure(1, len(panels), (4.6 * len(panels), 3.4))[1]).tolist()
    if len(axes) < len(panels):
        raise ValueError(f"axes must be {len(panels)}, for the loss and the accuracy, got {len(axes)}")
    for axis, (label, unit, pair) in zip(axes, panels, strict=False):
        styles = ((_BLUE, "-", "o"), (_ORANGE, "--", "s"))
        for values, name, (colour, dashes, marker) in zip(pair, names, styles, strict=True):
            if values:
                epochs = range(1, len(values) + 1)
                marker = marker if len(values) <= 30 else ""
                axis.plot(
                    epochs, [unit * v for v in values], dashes, color=colour, marker=marker, ms=3, label=name
                )
        if history.best_epoch:
            axis.axvline(
                history.best_epoch, color="grey", lw=1, ls=":", label=f"best epoch, {history.best_epoch}"
            )
        axis.set_xlabel("epoch")
        axis.set_ylabel(label)
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.grid(alpha=0.3)
        # Above the plot, where it covers no curve.
        axis.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3, fontsize=9)
    return _of(axes[0])


def confusion(answers: Integers, y: Integers, ax: Axes | None = None, classes: int = 10) -> Figure:
    """Draw how often each class was answered for each true one: counts, shaded by the fraction of the true class."""
    counts = np.zeros((classes, classes), int)
    np.add.at(counts, (y, answers), 1)
    fractions = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    if ax is None:
        ax = _figure(1, 1, (4.6, 4.2))[1]
    image = ax.imshow(100 * fractions, cmap="Blues", vmin=0, vmax=100)
    if classes <= _LARGEST_WRITTEN:
        for (i, j), count in np.ndenumerate(counts):
            if count:
                ax.text(j, i, str(count), ha="center", va="center", fontsize=8,
                        color="white" if fractions[i, j] > 0.5 else "black")  # fmt: skip
        ax.set_xticks(range(classes))
        ax.set_yticks(range(classes))
    ax.set_xlabel("answer")
    ax.set_ylabel("true class")
    _of(ax).colorbar(image, ax=ax, shrink=0.8, label="% of the true class")
    return _of(ax)


def images(
    rows: Floats,
    titles: Sequence[str],
    axes: Sequence[Axes],
    cmap: str = "gray_r",
    limit: float | None = None,
) -> None:
    """Draw square images, a row of `rows` each, into as many of the axes; the others are left empty.

    With a `limit`, the colours go from minus that to it; otherwise from 0 to the largest number.
    """
    side = math.isqrt(rows.shape[1])
    for i, axis in enumerate(axes):
        axis.axis("off")
        if i < len(rows):
            low, high = (-limit, limit) if limit is not None else (0.0, float(rows.max()))
            axis.imshow(rows[i].reshape(side, side), cmap=cmap, vmin=low, vmax=high)
            axis.set_title(titles[i], fontsize=8, pad=2)


def mistakes(net: MLP, x: Floats, y: Integers, axes: Sequence[Axes] | None = None) -> Figure:
    """Draw the images whose class was answered wrongly with the highest probability, or output for ``"mse"``.

    Parameters
    ----------
    net : MLP
    x : (rows, n_in) array
        Of square images.
    y : (rows,) integer array
    axes : sequence of Axes, optional
        One for each image; by default twelve.
    """
    if axes is None:
        axes = np.ravel(_figure(3, 4, (5, 4.6))[1]).tolist()
    _require_square(x.shape[1])
    outputs = net.predict(x) if net.loss == "mse" else net.predict_proba(x)
    answers = outputs.argmax(axis=1)
    certain = outputs[np.arange(len(x)), answers]
    wrong = np.flatnonzero(answers != y)
    worst = wrong[np.argsort(-certain[wrong], kind="stable")][: len(axes)]
    titles = [f"{answers[i]} for {y[i]}, {certain[i]:.2f}" for i in worst]
    images(x[worst], titles, axes)
    return _of(axes[0])


def weights(net: MLP, axes: Sequence[Axes] | None = None) -> Figure:
    """Draw the weights from the pixels to each unit of the first layer: red is positive, blue negative."""
    weight = net.params[0].weight
    _require_square(len(weight))
    if axes is None:
        axes = np.ravel(_figure(4, 4, (5, 5))[1]).tolist()
    shown = weight.T[: len(axes)]
    images(shown, [f"unit {i}" for i in range(len(shown))], axes, "RdBu_r", float(abs(shown).max()) or 1.0)
    return _of(axes[0])


def evaluation(net: MLP, x: Floats, y: Integers) -> Figure:
    """Draw a network's answers to images in one figure: the confusion, the worst mistakes, the first layer."""
    figure = _figure(0, 0, (14, 4.8))[0]
    parts: Any = figure.subfigures(1, 3, width_ratios=(1.15, 1, 1), wspace=0.06)
    left, middle, right = parts
    confusion(net.forward(x).argmax(axis=1), y, left.subplots(), net.layer_sizes[-1])
    mistakes(net, x, y, np.ravel(middle.subplots(3, 4)).tolist())
    weights(net, np.ravel(right.subplots(4, 4)).tolist())
    units = net.layer_sizes[1]
    limit = float(abs(net.params[0].weight.T[:16]).max())
    left.suptitle("Answers", fontsize=11)
    certainty = "output" if net.loss == "mse" else "probability"
    middle.suptitle(f"Most confident mistakes: answer for truth, {certainty}", fontsize=11)
    shown = f"{units} units" if units <= 16 else f"16 of {units} units"
    right.suptitle(f"First layer, {shown}: blue −{limit:.2g} to red {limit:.2g}", fontsize=11)
    return figure


def require_plot_file(path: Path) -> None:
    """Refuse a file that matplotlib cannot write, or that it is not there to write.

    Raises
    ------
    ImportError
        Where matplotlib is not installed.
    ValueError
        Where it has no format of this suffix.
    """
    known = _pyplot().FigureCanvasBase.get_supported_filetypes()
    if path.suffix[1:].lower() not in known:
        raise ValueError(
            f"the name of a figure's file must end in one of {', '.join(f'.{name}' for name in sorted(known))}, "
            f"got {path.name!r}"
        )


def _require_square(pixels: int) -> None:
    if math.isqrt(pixels) ** 2 != pixels:
        raise ValueError(f"images must be square to be drawn, got rows of {pixels} pixels")


def _pyplot() -> Any:
    try:
        from matplotlib import pyplot
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "figures need matplotlib: pip install matplotlib", name=error.name
        ) from error
    return pyplot


def _figure(rows: int, columns: int, size: tuple[float, float]) -> tuple[Figure, Any]:
    """A figure, and its axes, that pyplot has let go of."""
    plt = _pyplot()
    figure = plt.figure(figsize=size, layout="constrained")
    axes = figure.subplots(rows, columns) if rows else None
    plt.close(figure)
    return figure, axes


def _of(axis: Axes) -> Figure:
    """The whole figure that some axes belong to."""
    return cast("Figure", axis.get_figure(root=True))
