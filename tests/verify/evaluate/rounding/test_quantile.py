"""The quantile of a band, and what it promises."""

import itertools

import numpy as np
import pytest

from verify.evaluate.rounding import band_quantile


@pytest.mark.parametrize("probability", [0.0, 1.0, -0.1, float("nan")])
def test_a_probability_lies_between_0_and_1(probability):
    with pytest.raises(ValueError, match="probability must lie between 0 and 1; got"):
        band_quantile(probability)


def test_the_quantile_in_closed_form():
    for probability, samples in itertools.product((1e-3, 1e-12, 1e-21), (16, 64, 128)):
        q = band_quantile(probability, samples)
        assert 2 * (1 + q**2 / samples) ** (-samples / 2) == pytest.approx(probability)
    assert band_quantile(1e-20, 10**7) == pytest.approx(np.sqrt(2 * np.log(2e20)), rel=1e-4)  # Azuma's


@pytest.mark.parametrize("roundings", ["normal", "signs", "uniform"])
def test_errors_exceed_the_quantile_no_more_often_than_promised(roundings):
    """Whatever the roundings are like, as long as none exceeds its size."""
    rng = np.random.default_rng(0)
    samples, runs, n = 8, 40_000, 6
    sizes = rng.uniform(0.5, 2, size=n)
    draw = {
        "normal": lambda shape: rng.standard_normal(shape),
        "signs": lambda shape: rng.choice([-1.0, 1.0], size=shape),
        "uniform": lambda shape: rng.uniform(-1, 1, size=shape),
    }[roundings]
    errors = abs(draw((runs, n)) @ sizes)
    estimated = np.sqrt(np.mean((rng.standard_normal((runs, samples, n)) @ sizes) ** 2, axis=1))
    for probability in (0.1, 0.01):
        assert np.mean(errors > band_quantile(probability, samples) * estimated) <= probability
