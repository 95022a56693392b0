"""Axes of figures by matplotlib, which is imported when one is drawn: their colours, their ticks, their figure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.ticker import Locator

WITHIN, OUTSIDE = "#0072B2", "#D55E00"
"""Colours that colour-blind readers tell apart; markers differ too."""


def new_axes(count: int = 1, size: tuple[float, float] = (4.4, 3.6)) -> Any:
    """Axes side by side, in a figure that pyplot has let go of, so that a notebook shows it once.

    Raises
    ------
    ModuleNotFoundError
        Where matplotlib is not installed.
    """
    try:
        from matplotlib import pyplot
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "figures need matplotlib: pip install matplotlib", name=error.name
        ) from error
    figure = pyplot.figure(figsize=(size[0] * count, size[1]), layout="constrained")
    axes = figure.subplots(1, count, squeeze=False)[0]
    pyplot.close(figure)
    return axes


def whole_number_ticks() -> Locator:
    """Places of ticks at whole numbers alone."""
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(integer=True)


def figure_of_axes(axis: Axes) -> Figure:
    """The whole figure that some axes belong to."""
    return cast("Figure", axis.get_figure(root=True))
