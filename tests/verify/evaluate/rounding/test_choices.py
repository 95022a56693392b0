"""Comparisons, selections, and the larger of two: what they make of deviations, in doubt and without."""

import numpy as np
import pytest

from verify.evaluate.program import NoRule
from verify.evaluate.rounding.deviating import Deviating
from verify.evaluate.rounding.passing_rules import PASSING

from .first_order import SAMPLES, sampling
from .first_order import quiet as quiet


def test_outcomes_in_doubt_fall_on_either_side():
    at = sampling()
    z = Deviating(np.array([1.0, 1e-8, 0.0, -1e-8, -1.0]), np.ones((SAMPLES, 5)))
    zero = Deviating(np.zeros(5))
    flips = PASSING["gt"](at, {}, z.value > 0, [z, zero])
    assert flips is not None
    share = flips.mean(axis=0)
    assert share[0] == share[4] == 0
    assert np.all((share[1:4] > 0) & (share[1:4] < 1))
    assert PASSING["gt"](sampling(either=False), {}, z.value > 0, [z, zero]) is None
    assert PASSING["eq"](at, {}, np.ones(5, bool), [z, z]) is None  # a number is itself
    far = Deviating(z.value + 5, z.deviation)
    assert PASSING["gt"](at, {}, far.value > 0, [far, zero]) is None


def test_what_is_selected_in_doubt_is_either_branch():
    at = sampling()
    flips = np.arange(SAMPLES)[:, np.newaxis] % 2 == 0
    which = Deviating(np.array([True, False]), flips & np.array([True, True]))
    low, high = Deviating(np.array([1.0, 1.0])), Deviating(np.array([3.0, 3.0]), np.ones((SAMPLES, 2)))
    found = PASSING["select_n"](at, {}, np.array([3.0, 1.0]), [which, low, high])
    assert found is not None
    np.testing.assert_allclose(at.at.u * found[0], [-2.0, 2.0 + at.at.u])
    np.testing.assert_allclose(found[1], [1.0, 0.0])
    sure = Deviating(which.value)
    for branches in ([low, high], [high, low]):
        found = PASSING["select_n"](at, {}, np.array([3.0, 1.0]), [sure, *branches])
        np.testing.assert_array_equal(found, np.ones((SAMPLES, 2)) * (which.value == (branches[1] is high)))
    assert PASSING["select_n"](at, {}, np.array([3.0, 1.0]), [sure, low, low]) is None
    with pytest.raises(NoRule, match="more than two branches"):
        PASSING["select_n"](at, {}, low.value, [sure, low, low, low])


def test_logic_of_outcomes_in_doubt():
    at = sampling()
    flips = np.zeros((SAMPLES, 4), bool)
    flips[0] = True
    a, b = (
        Deviating(np.array([True, True, False, False]), flips),
        Deviating(np.array([True, False, True, False])),
    )
    for name, result in (("and", a.value & b.value), ("or", a.value | b.value)):
        found = PASSING[name](at, {}, result, [a, b])
        assert found is not None
        function = np.logical_and if name == "and" else np.logical_or
        np.testing.assert_array_equal(found[0] ^ result, function(~a.value, b.value))
        assert not found[1:].any()
    found = PASSING["not"](at, {}, ~a.value, [a])
    assert found is not None
    np.testing.assert_array_equal(found, flips)
    assert PASSING["and"](at, {}, b.value, [b, b]) is None


def test_outcomes_as_numbers():
    at = sampling()
    flips = np.zeros((SAMPLES, 2), bool)
    flips[0] = True
    found = PASSING["convert_element_type"](
        at, {"new_dtype": np.float64}, np.array([1.0, 0.0]), [Deviating(np.array([True, False]), flips)]
    )
    assert found is not None
    np.testing.assert_allclose(at.at.u * found[0], [-1, 1])
    assert not found[1:].any()
    number = Deviating(np.array([2.5, 3.0]), np.ones((SAMPLES, 2)))
    whole = PASSING["convert_element_type"](at, {"new_dtype": np.int64}, np.array([2.0, 3.0]), [number])
    assert whole is not None
    assert not whole[:, 0].any()
    np.testing.assert_allclose(np.unique(at.at.u * whole[:, 1]), [0, 1])


def test_a_sign_in_doubt():
    at = sampling()
    z = Deviating(np.array([1.0, 1e-8]), np.ones((SAMPLES, 2)))
    found = PASSING["sign"](at, {}, np.ones(2), [z])
    assert found is not None
    assert not found[:, 0].any()
    np.testing.assert_allclose(np.unique(at.at.u * abs(found[:, 1])), [0, 2])
    assert PASSING["sign"](sampling(either=False), {}, np.ones(2), [z]) is None
    assert PASSING["is_finite"](at, {}, np.ones(2, bool), [z]) is None


def test_the_larger_of_two_in_doubt_deviates_as_the_wilder_one():
    samples = np.arange(1.0, SAMPLES + 1)[:, np.newaxis]
    a, b = Deviating(np.array([1.0]), samples), Deviating(np.array([1.0 - 1e-8]), 10 * samples)
    found = PASSING["max"](sampling(), {}, np.array([1.0]), [a, b])
    assert found is not None
    np.testing.assert_array_equal(found, 10 * samples)
    found = PASSING["max"](sampling(either=False), {}, np.array([1.0]), [a, b])
    assert found is not None
    np.testing.assert_array_equal(found, samples)


@pytest.mark.parametrize("name", ["max", "min"])
def test_of_two_that_are_equal_or_deviate_alike_the_first_is_taken(name):
    samples = np.arange(1.0, SAMPLES + 1)[:, np.newaxis]
    for either in (True, False):
        a, b = Deviating(np.array([1.0]), samples), Deviating(np.array([1.0]), -samples)
        found = PASSING[name](sampling(either), {}, np.array([1.0]), [a, b])
        np.testing.assert_array_equal(found, samples)


def test_a_number_at_its_lower_limit_deviates_though_the_limit_is_exact():
    zero, one = Deviating(np.zeros(1)), Deviating(np.ones(1))
    a = Deviating(np.zeros(1), np.ones((SAMPLES, 1)))
    for either in (True, False):
        found = PASSING["clamp"](sampling(either), {}, np.zeros(1), [zero, a, one])
        np.testing.assert_array_equal(found, a.deviation)


def test_two_numbers_are_in_doubt_as_soon_as_their_bands_touch():
    at, samples = sampling(), np.arange(1.0, SAMPLES + 1)[:, np.newaxis]
    small = Deviating(np.zeros(1), samples)
    _, band = small.excursion(at)
    for large, deviations in ((band, samples), (np.nextafter(band, 1), 0 * samples)):
        found = PASSING["max"](at, {}, large, [Deviating(large), small])
        np.testing.assert_array_equal(found, deviations)
