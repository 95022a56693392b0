"""The figure of a run's errors."""

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="figures need matplotlib")

from matplotlib.figure import Figure

from verify.oracle import error_plots
from verify.oracle.error_histogram import ErrorCounter
from verify.reference.judge import judge


def histograms(*ratios):
    errors = ErrorCounter()
    truth = [(np.ones((len(ratios), 1)), np.full((len(ratios), 1), 2.0**-10)), (np.ones(1), np.ones(1))]
    got = [1 + np.array(ratios)[:, None] * 2.0**-10, np.ones(1)]
    errors.add("ties", "float64", judge(truth, got, "float64").entries)
    return errors.histograms()


def test_bars_within_and_outside_the_bound():
    (axis,) = error_plots.plot_errors(histograms(0.3, 0.3, 5.0)).axes
    bars = [(bar.get_x(), bar.get_height(), bar.get_facecolor()) for bar in axis.patches if bar.get_height()]
    (left, two, blue), (right, one, orange) = bars
    assert (two, one) == (2, 1)
    assert left < 0 < right
    assert blue != orange
    assert axis.get_xlabel() == "error ÷ its bound"
    assert axis.get_ylabel() == "entries (1 more without error)"
    assert any(line.get_xdata()[0] == 0 for line in axis.get_lines())


def test_units_of_u_have_no_bound():
    axis = Figure().subplots()
    assert error_plots.plot_errors(histograms(0.3), axis, "u") is axis.figure
    assert not axis.get_lines()
    assert axis.get_xlabel() == "error ÷ (u × the largest entry of its tensor)"


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(ValueError, match="nothing to draw"):
        error_plots.plot_errors(())
    with pytest.raises(ValueError, match="unit must be 'bound' or 'u', got 'ulp'"):
        error_plots.plot_errors(histograms(0.3), unit="ulp")
