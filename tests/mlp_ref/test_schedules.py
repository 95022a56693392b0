import numpy as np
import pytest

from mlp_ref import MLP
from mlp_ref.schedules import Adaptive, Constant, Cosine, InverseScaling, Moment, as_schedule
from mlp_ref.stopping import EarlyStopping


def rates(schedule, epochs=4, rows=3, lowered=(0, 0, 1, 2)):
    return [as_schedule(schedule)(0.8, Moment(i, epochs, rows, lowered[i])) for i in range(epochs)]


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", [0.8] * 4),
        ("inverse_scaling", [0.8, 0.8 / 2, 0.8 / 7**0.5, 0.8 / 10**0.5]),
        (InverseScaling(1), [0.8, 0.8 / 4, 0.8 / 7, 0.8 / 10]),
        ("cosine", [0.8, 0.4 * (1 + 0.5**0.5), 0.4, 0.4 * (1 - 0.5**0.5)]),
        (Cosine(0.5), [0.8, 0.6 + 0.2 * 0.5**0.5, 0.6, 0.6 - 0.2 * 0.5**0.5]),
        ("adaptive", [0.8, 0.8, 0.16, 0.032]),
        (Adaptive(2), [0.8, 0.8, 0.4, 0.2]),
        (lambda first, at: first + at.epoch, [0.8, 1.8, 2.8, 3.8]),
    ],
)
def test_rates(schedule, expected):
    assert rates(schedule) == pytest.approx(expected, rel=1e-15)


def test_training_uses_the_rate_of_each_epoch():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(6, 3)), rng.integers(0, 2, 6)
    net, twin = (MLP([3, 2, 2], dtype=np.float64, seed=0) for _ in range(2))
    history = net.fit(x, y, epochs=3, learning_rate=0.5, schedule="cosine")
    assert history.learning_rate == pytest.approx([0.5, 0.375, 0.125], rel=1e-15)
    for rate in history.learning_rate:
        twin.fit(x, y, epochs=1, learning_rate=rate)
    np.testing.assert_array_equal(net.flat, twin.flat, strict=True)


def test_adaptive_lowers_the_rate_when_patience_runs_out_and_ends_at_the_smallest():
    """Nothing is an improvement by 1000: patience runs out every second epoch."""
    x, y = np.eye(4), np.arange(4)
    net = MLP([4, 4], dtype=np.float64, seed=0)
    stopping = EarlyStopping("loss", patience=1, tolerance=1000.0, keep_best=False)
    schedule = Adaptive(10, smallest=1e-3)
    history = net.fit(x, y, epochs=99, learning_rate=0.1, schedule=schedule, stopping=stopping)
    assert history.learning_rate == pytest.approx([0.1] * 3 + [0.01] * 2 + [0.001] * 2, rel=1e-15)
    assert history.stopped_by == "early stopping"


def test_adaptive_without_early_stopping_watches_the_loss():
    x, y = np.eye(4), np.arange(4)
    options = {"epochs": 40, "learning_rate": 1e-7, "schedule": "adaptive"}
    history = MLP([4, 4], dtype=np.float64, seed=0).fit(x, y, **options)
    # Eleven epochs without improvement after the first, at a rate that is smaller than the smallest.
    assert len(history.loss) == 12
    assert history.stopped_by == "early stopping"


@pytest.mark.parametrize(
    ("schedule", "error", "message"),
    [
        ("linear", ValueError, "schedule must be one of 'constant', 'inverse_scaling', 'adaptive', 'cosine'"),
        (Cosine, ValueError, "schedule must be one of"),
        (InverseScaling(-1), ValueError, "schedule.power must be a finite number, more than 0, got -1"),
        (Cosine(1.0), ValueError, "schedule.last must be a finite number, at least 0 and less than 1"),
        (Adaptive(1), ValueError, "schedule.divisor must be a finite number, more than 1, got 1"),
        (Adaptive(smallest=0), ValueError, "schedule.smallest must be a finite number, more than 0, got 0"),
        (lambda first, at: -first, ValueError, "schedule must give rates that are positive .*, got -0.01"),
        (lambda first, at: "slow", TypeError, "schedule must give rates that are numbers, got 'slow'"),
    ],
)
def test_bad_schedules_are_refused(schedule, error, message):
    with pytest.raises(error, match=message):
        MLP([4, 4], dtype=np.float64, seed=0).fit(np.eye(4), np.arange(4), epochs=1, schedule=schedule)


def test_constant_is_a_value():
    assert as_schedule("constant") == Constant()
