"""Slopes by hand: derivatives of powers, chords as far as the band reaches, and what stays as it is."""

import numpy as np
import pytest

from verify.evaluate.rounding.deviating import Deviating
from verify.evaluate.rounding.passing_rules import PASSING

from .first_order import SAMPLES, sampling
from .first_order import quiet as quiet


def slope(name, *values, of, which=0):
    """What a deviation of one operand by u in every sample becomes, where the function's value is that given."""
    at = sampling(dtype="float64")
    operands = [Deviating(np.array([value])) for value in values]
    operands[which].deviation = np.ones((SAMPLES, 1))
    found = PASSING[name](at, {}, np.array([of]), operands)
    assert found is not None
    assert (found == found[0]).all()
    return found[0, 0]


@pytest.mark.parametrize(
    ("a", "b", "by_a", "by_b"),
    [
        (2.0, 3.0, 12.0, 8 * np.log(2)),
        (2.0, -1.0, -0.25, 0.5 * np.log(2)),
        (0.5, 2.0, 1.0, -0.25 * np.log(2)),
        (0.5, -2.0, -16.0, -4 * np.log(2)),
        (-2.0, 3.0, 12.0, None),
        (-2.0, 2.0, -4.0, None),
        (-2.0, -1.0, -0.25, None),
        (-2.0, -2.0, 0.25, None),
        (1.0, 4.0, 4.0, 0.0),
        (3.0, 0.0, 0.0, np.log(3)),
        (0.0, 0.0, 0.0, None),
    ],
)
def test_a_power_has_the_slopes_of_calculus(a, b, by_a, by_b):
    """b a**(b - 1) by the base and a**b log(a) by the exponent, of either sign."""
    assert slope("pow", a, b, of=a**b) == pytest.approx(by_a, rel=1e-6)
    if by_b is not None:
        assert slope("pow", a, b, which=1, of=a**b) == pytest.approx(by_b, rel=1e-6)


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_the_slope_of_a_power_does_not_underflow_with_a_product(power):
    """b a**(b - 1) of small numbers, though a**b times a is below all numbers."""
    a = 1e-110 if power == 2 else 1e-200
    at = sampling(dtype="float64")
    base = Deviating(np.array([a]), np.full((SAMPLES, 1), a))
    found = PASSING["pow"](at, {}, np.array([a**power]), [base, Deviating(np.array([power]))])
    np.testing.assert_allclose(found, power * a**power, rtol=1e-6)


def test_a_power_that_underflows_does_not_change_with_its_exponent():
    assert slope("pow", 1e-200, 2.0, which=1, of=0.0) == 0


@pytest.mark.parametrize("name", ["exp", "rsqrt"])
def test_an_entry_that_does_not_deviate_stays(name):
    deviation = np.ones((SAMPLES, 2)) * [1.0, 0.0]
    found = PASSING[name](sampling(), {}, np.ones(2), [Deviating(np.array([0.5, 0.5]), deviation)])
    assert (found[:, 0] != 0).all()
    assert (found[:, 1] == 0).all()


@pytest.mark.parametrize("which", [0, 1])
def test_an_entry_of_a_power_that_does_not_deviate_stays(which):
    operands = [Deviating(np.array([0.5, 0.5])), Deviating(np.array([2.0, 2.0]))]
    operands[which].deviation = np.ones((SAMPLES, 2)) * [1.0, 0.0]
    found = PASSING["pow"](sampling(), {}, np.array([0.25, 0.25]), operands)
    assert (found[:, 0] != 0).all()
    assert (found[:, 1] == 0).all()


@pytest.mark.parametrize("name", ["sin", "cos"])
def test_a_wave_bends_within_its_band_and_its_slope_is_1_at_most(name):
    """Where its slope is 1/2 or -1/2, the slope gains as much as the band is wide, up to 1."""
    at = sampling()
    angles = np.array([1, 2, 4, 5]) * np.pi / 3 - (
        np.pi / 2 if name == "cos" else 0
    )  # cos(x - pi/2) is sin(x)
    signs = np.array([1, -1, -1, 1])
    for out, steepest in ((0.2, 0.7), (0.8, 1.0)):
        deviation = np.full((SAMPLES, 4), out / (at.reach * at.at.u))
        found = PASSING[name](at, {}, np.zeros(4), [Deviating(angles, deviation)])
        np.testing.assert_allclose(found, np.broadcast_to(signs * steepest * deviation[0], found.shape))


def test_of_two_numbers_that_differ_each_has_its_own_band():
    """The first is exact: only the second one's band makes the comparison doubtful."""
    a, b = Deviating(np.array([0.0])), Deviating(np.array([1e-8]), np.ones((SAMPLES, 1)))
    for operands in ([a, b], [b, a]):
        flips = PASSING["lt"](sampling(), {}, operands[0].value < operands[1].value, operands)
        assert flips is not None
        assert 0 < flips.sum() < SAMPLES
