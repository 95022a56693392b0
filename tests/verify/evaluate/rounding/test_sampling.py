"""The samples, and their root mean square."""

import numpy as np
import pytest

from verify.evaluate.rounding.sampling import SampleDraws, root_mean_square_of_samples


def again_after(draws, taken):
    for _ in range(taken):
        draws.standard_normal((50,), np.float64)
    return draws.random((9,), np.float32)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_no_square_underflows_or_overflows(dtype):
    info = np.finfo(dtype)
    sizes = np.array([0, float(info.tiny), 1e-30, 1, 1e25, float(info.max) / 4])
    samples = (np.array([[1], [-1], [1], [1]]) * sizes).astype(dtype)
    with np.errstate(over="ignore"):
        np.testing.assert_allclose(root_mean_square_of_samples(samples), sizes, rtol=1e-6)
        np.testing.assert_allclose(
            root_mean_square_of_samples(samples.reshape(4, 2, 3).transpose(0, 2, 1)),
            sizes.reshape(2, 3).T,
            rtol=1e-6,
        )


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
