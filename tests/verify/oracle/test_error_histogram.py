"""Errors counted by regime, in units of the bound and of the unit roundoff."""

import numpy as np
import pytest

import verify.oracle.error_histogram
from verify.oracle.error_histogram import UNITS, ErrorCounter
from verify.reference.judge import judge

U = np.finfo(np.float64).eps / 2


def entries_of(ratios, largest=1.0):
    """A comparison whose errors are the given multiples of bounds of 2**-20."""
    expected = np.full(len(ratios), largest)
    bound = np.full(len(ratios), 2.0**-20)
    truth = [(expected[:, None], bound[:, None]), (np.ones(1), np.ones(1))]
    return judge(truth, [(expected + np.asarray(ratios) * bound)[:, None], np.ones(1)], "float64").entries


def bar(histogram, regime):
    """The one bar with something in it, as decimal exponents of its ends."""
    (i,) = np.flatnonzero(histogram.counts[regime])
    return histogram.edges[i], histogram.edges[i + 1]


@pytest.mark.parametrize(
    ("ratio", "ends"),
    [(1.0, (-1, 0)), (1.5, (0, 1)), (0.02, (-6, -5)), (1e9, (29, 30)), (1e20, (55, 56)), (1e-9, (-28, -27))],
)
def test_an_error_in_units_of_its_bound(ratio, ends):
    errors = ErrorCounter()
    errors.add("ties", "float64", entries_of([ratio]))
    in_bound, _ = errors.histograms()
    assert in_bound.unit == "bound"
    assert bar(in_bound, "ties") == ends
    assert in_bound.exact == {"ties": 1}  # the bias


def test_an_error_in_units_of_u_and_the_largest_entry_of_its_tensor():
    errors = ErrorCounter()
    entries = entries_of([0.0, 4 * 50 * U * 2.0**20], largest=4.0)  # 50 u times the largest entry, 4
    errors.add("deep", "float64", entries)
    _, in_u = errors.histograms()
    assert in_u.unit == "u"
    assert bar(in_u, "deep") == (5, 6)


def test_the_unit_is_that_of_the_dtype():
    errors = ErrorCounter()
    errors.add("deep", "float32", entries_of([0.1]))
    assert bar(errors.histograms()[1], "deep") == (0, 1)  # 0.1 * 2**-20 = 1.6 * 2**-24


def test_regimes_are_counted_apart_and_nothing_is_lost(monkeypatch):
    monkeypatch.setattr(verify.oracle.error_histogram, "PENDING", 10)  # counted in several goes
    errors = ErrorCounter()
    rng = np.random.default_rng(0)
    for _ in range(7):
        errors.add("ordinary", "float64", entries_of(rng.uniform(size=5)))
        errors.add("tiny", "float32", entries_of(rng.uniform(size=3)))
    for histogram in errors.histograms():
        assert sum(histogram.counts["ordinary"]) + histogram.exact["ordinary"] == 7 * 6
        assert sum(histogram.counts["tiny"]) + histogram.exact["tiny"] == 7 * 4
        low, high = UNITS[histogram.unit]
        assert len(histogram.counts["tiny"]) == high - low == len(histogram.edges) - 1


def test_nan_is_in_the_last_bar_and_an_infinite_bound_in_none():
    truth = [(np.ones((2, 1)), np.array([[1e-9], [np.inf]])), (np.ones(1), np.ones(1))]
    errors = ErrorCounter()
    errors.add("ties", "float64", judge(truth, [np.array([[np.nan], [2.0]]), np.ones(1)], "float64").entries)
    in_bound, _ = errors.histograms()
    assert in_bound.counts["ties"][-1] == sum(in_bound.counts["ties"]) == 1
    assert in_bound.exact == {"ties": 2}


def test_nothing_counted_gives_no_histogram():
    errors = ErrorCounter()
    errors.add("ties", "float64", None)
    assert errors.histograms() == ()
