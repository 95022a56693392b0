"""Values with samples: drawn once, measured without underflow."""

import numpy as np

from verify.evaluate.bounds import EXACT, Arithmetic
from verify.evaluate.rounding.deviating import Deviating
from verify.evaluate.rounding.sampling import Sampling


def sampling(dtype=np.float64):
    return Sampling(Arithmetic.judging("float32", {}), 4000, 10.0, np.random.default_rng(0), dtype, True)


def test_its_own_roundings_are_drawn_once():
    a = Deviating(np.zeros(3), own=np.array([1.0, 2.0, 0.0]))
    first = a.drawn(sampling())
    assert first is not None
    assert a.drawn(sampling()) is first  # every use sees the same
    np.testing.assert_allclose(first.std(axis=0), [1, 2, 0], rtol=0.05)
    assert a.own is None


def test_they_add_to_what_it_was_handed():
    handed = 3 * np.random.default_rng(1).standard_normal((4000, 2))
    a = Deviating(np.zeros(2), handed, np.array(4.0))
    drawn = a.drawn(sampling())
    assert drawn is not None
    np.testing.assert_allclose(drawn.std(axis=0), [5, 5], rtol=0.05)


def test_where_nothing_is_rounded_the_samples_are_those_that_it_was_handed():
    handed = np.random.default_rng(1).standard_normal((4000, 2))
    drawn = Deviating(np.zeros(2), handed, np.array([0.0, 1e-9])).drawn(sampling())
    np.testing.assert_array_equal(drawn[:, 0], handed[:, 0])
    np.testing.assert_allclose(drawn[:, 1], handed[:, 1], atol=1e-8)


def test_what_is_exact_has_no_samples():
    a = Deviating(np.ones(2))
    assert a.drawn(sampling()) is None
    assert a.excursion(sampling()) == (a.value, EXACT)
    np.testing.assert_array_equal(a.spread(), [0, 0])


def test_an_excursion_is_as_far_as_the_band_reaches():
    at = sampling()
    _, error = Deviating(np.ones(2), np.full((4000, 2), 3.0)).excursion(at)
    np.testing.assert_allclose(error, [30 * at.at.u] * 2)
    flips = np.zeros((4000, 2), bool)
    flips[7, 1] = True
    _, doubt = Deviating(np.ones(2, bool), flips).excursion(at)
    np.testing.assert_array_equal(doubt, [False, True])
