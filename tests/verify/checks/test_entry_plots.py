"""Figures of a gradient's entries."""

import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="figures need matplotlib")

from matplotlib.figure import Figure

from verify.checks import entry_plots
from verify.checks.entries import summarise_entries
from verify.reference.judge import judge


def tensors(off=2.0):
    truth = [(np.arange(6.0).reshape(2, 3), np.full((2, 3), 1e-3)), (np.ones(3), np.full(3, 1e-3))]
    got = [truth[0][0].copy(), np.ones(3)]
    got[0][1, 2] = off
    return summarise_entries(judge(truth, got, "float64").entries)


def test_a_map_and_a_scatter_of_the_worst_tensor():
    figure = entry_plots.plot_entries(tensors())
    drawn, scattered, bar = figure.axes
    assert drawn.get_title() == "weight of layer 1: 1 of 6 outside"
    shades = drawn.images[0].get_array()
    assert shades.shape == (2, 3)
    assert shades[1, 2] == pytest.approx(np.log10(3e3))
    assert (np.delete(shades.ravel(), 5) == -8).all()
    assert (drawn.get_xlabel(), drawn.get_ylabel()) == ("column", "row")
    assert bar.get_ylabel() == "error ÷ bound"
    points = {line.get_label(): line.get_xydata().tolist() for line in scattered.get_lines()}
    assert points["outside the bound"] == [[5.0, 2.0]]
    assert points["within the bound"] == [[float(i), float(i)] for i in range(5)]
    assert (scattered.get_xlabel(), scattered.get_ylabel()) == (
        "expected, in loss per unit",
        "got, in loss per unit",
    )


def test_a_factor_is_a_line_with_its_slope():
    truth = [(np.arange(6.0).reshape(2, 3), np.full((2, 3), 1e-3)), (np.ones(3), np.full(3, 1e-3))]
    halved = summarise_entries(judge(truth, [truth[0][0] / 2, np.ones(3)], "float64").entries)
    line = entry_plots.plot_entries(halved, kind="scatter").axes[0].get_lines()[1]
    assert line.get_label() == "slope 1/2"
    assert line.get_xydata().tolist() == [[0.0, 0.0], [5.0, 2.5]]


def test_axes_of_the_caller():
    first, second = Figure().subplots(1, 2)
    assert entry_plots.plot_entries(tensors(), first) is first.figure
    assert first.images
    entry_plots.plot_entries(tensors(), second, "scatter")
    assert second.get_lines()


def test_numbers_that_are_not_finite_are_drawn_at_the_end_of_the_colours_and_not_scattered():
    drawn, scattered, _ = entry_plots.plot_entries(tensors(np.nan)).axes
    assert drawn.images[0].get_array()[1, 2] == 16
    assert [line.get_label() for line in scattered.get_lines()] == ["equal", "within the bound"]


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(ValueError, match="nothing to draw: no entries of a gradient were compared"):
        entry_plots.plot_entries(())
    with pytest.raises(ValueError, match="kind must be 'map' or 'scatter', got 'pie'"):
        entry_plots.plot_entries(tensors(), kind="pie")


def test_without_matplotlib_the_error_says_what_to_install():
    program = "import sys; sys.modules['matplotlib'] = None; from verify.checks.entry_plots import new_axes; new_axes()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "figures need matplotlib: pip install matplotlib" in done.stderr
