"""The samples, and their root mean square."""

import numpy as np
import pytest

from verify.evaluate.bounds import Arithmetic
from verify.evaluate.rounding import sampling
from verify.evaluate.rounding.sampling import (
    SampleDraws,
    Sampling,
    line_up_samples,
    root_mean_square_of_samples,
)


def again_after(draws, taken):
    for _ in range(taken):
        draws.standard_normal((50,), np.float64)
    return draws.random((9,), np.float32)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_no_square_underflows_or_overflows(dtype):
    info = np.finfo(dtype)
    tiny, largest = float(info.tiny), float(info.max)
    few_digits = 1.5 * np.sqrt(tiny * float(info.eps))  # its square is 2.25 of the least number's
    sizes = np.array([0, few_digits, tiny, 1e-30, 1, 1e25, np.sqrt(largest) / 3, largest / 4])
    samples = (np.array([[1], [-1], [1], [1]]) * sizes).astype(dtype)
    with np.errstate(over="ignore"):
        np.testing.assert_allclose(root_mean_square_of_samples(samples), sizes, rtol=1e-6)
        np.testing.assert_allclose(
            root_mean_square_of_samples(samples.reshape(4, 2, 4).transpose(0, 2, 1)),
            sizes.reshape(2, 4).T,
            rtol=1e-6,
        )


@pytest.mark.parametrize("size", [1e-40, 1.0, 1e30])
def test_the_root_mean_square_of_samples_of_different_sizes(size):
    samples = (np.array([[0.0], [3.0], [-4.0], [1.0], [-1.0], [3.0]]) * size).astype(np.float32)
    with np.errstate(over="ignore", under="ignore"):
        np.testing.assert_allclose(root_mean_square_of_samples(samples), size * np.sqrt(6), rtol=1e-4)


def test_what_is_no_number_stays_none():
    with np.errstate(all="ignore"):
        found = root_mean_square_of_samples(np.array([[1.0, np.nan, np.inf]] * 2))
    assert found[0] == 1
    assert not np.isfinite(found[1:]).any()


def test_draws_are_the_same_each_time_and_never_repeat():
    first, again = SampleDraws(0), SampleDraws(0)
    for size in ((128, 5, 3), (128, 20_000), (7,)):  # the second is more than is kept
        drawn = first.standard_normal(size, np.float32)
        np.testing.assert_array_equal(drawn, again.standard_normal(size, np.float32))
        assert drawn.shape == size
        assert len(np.unique(drawn)) > 0.9 * drawn.size
        assert abs(drawn.std() - 1) < 5 / np.sqrt(drawn.size)
    a, b = first.standard_normal((50,), np.float64), first.standard_normal((50,), np.float64)
    assert not np.isin(a, b).any()
    np.testing.assert_array_equal(first.random((9,), np.float32), again_after(again, 2))


def test_parts_of_the_samples_draw_apart():
    a, b = (SampleDraws(part).standard_normal((1000,), np.float32) for part in (0, 64))
    assert not np.isin(a, b).all()
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.2


def test_the_kept_numbers_are_handed_out_one_after_the_other_and_then_new_ones(monkeypatch):
    monkeypatch.setattr(sampling, "_first_normals", lambda: np.arange(10, dtype=np.float32))
    draws = SampleDraws(0)
    np.testing.assert_array_equal(draws.standard_normal((2, 2), np.float32), [[0, 1], [2, 3]])
    np.testing.assert_array_equal(draws.standard_normal((6,), np.float64), [4, 5, 6, 7, 8, 9])
    assert not (draws.standard_normal((6,), np.float64) % 1 == 0).any()
    other = SampleDraws(64).standard_normal((1,), np.float64)
    assert other % 1 != 0  # the other parts of the samples have none of them


def test_no_evaluation_changes_the_numbers_of_the_next():
    kept = SampleDraws(0).standard_normal((3,), np.float32)
    with pytest.raises(ValueError, match="read-only"):
        kept += 1


def test_an_even_chance_is_that_of_the_lower_half():
    class Quarters:
        def random(self, size, dtype):
            return np.array([0, 0.25, 0.5, 0.75], dtype).reshape(size)

    at = Sampling(Arithmetic.judging("float32", {}), 2, 10.0, Quarters(), np.float64, True)
    np.testing.assert_array_equal(at.signs((2,)), [[True, True], [False, False]])


@pytest.mark.parametrize(
    ("shape", "ndim", "lined_up"), [((), 2, (1, 1)), ((4,), 3, (1, 1, 4)), ((3, 4), 2, (3, 4))]
)
def test_samples_line_up_with_the_last_axes(shape, ndim, lined_up):
    samples = np.arange(5.0 * np.prod(shape, dtype=int)).reshape(5, *shape)
    found = line_up_samples(samples, ndim)
    np.testing.assert_array_equal(found, samples.reshape(5, *lined_up))
