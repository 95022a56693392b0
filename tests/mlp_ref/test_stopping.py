import numpy as np
import pytest

from mlp_ref import MLP, History
from mlp_ref.stopping import EarlyStopping, StoppingWatch, as_early_stopping


def exhausted(figures, monitor="loss", **options):
    """Return the epochs, counted from 1, at whose end patience runs out."""
    watch, history = StoppingWatch(EarlyStopping(monitor, **options)), History(**{monitor: figures})
    return [epoch for epoch in range(1, len(figures) + 1) if watch.observe(history, epoch)], watch


@pytest.mark.parametrize(
    ("figures", "options", "expected"),
    [
        ([5, 4, 3, 2, 1], {"patience": 1}, []),
        ([5, 5, 5, 5], {"patience": 2}, [4]),
        ([5, 5, 5, 5, 5, 5, 5, 5], {"patience": 2}, [4, 7]),
        ([5, 5, 4, 4, 3, 3], {"patience": 1}, []),
        ([5, 4.95, 4.9, 4.85], {"patience": 1, "tolerance": 0.1}, [3]),
        ([5, 4.9, 4.8, 4.7], {"patience": 1, "tolerance": 0.05}, []),
        ([5, np.nan, np.nan], {"patience": 1}, [3]),
        ([np.nan, np.nan], {"patience": 1}, [2]),
    ],
)
def test_patience_runs_out_after_more_epochs_than_it_has(figures, options, expected):
    assert exhausted(figures, **options)[0] == expected


def test_an_accuracy_improves_when_it_rises():
    assert exhausted([0.1, 0.2, 0.3, 0.4], "validation_accuracy", patience=1)[0] == []
    assert exhausted([0.4, 0.3, 0.2, 0.1], "validation_accuracy", patience=1)[0] == [3]


def test_the_best_is_the_best_also_by_less_than_the_tolerance():
    _, watch = exhausted([5, 4, 3.99999, 4], patience=9, tolerance=1.0)
    assert (watch.best_epoch, watch.best) == (3, 3.99999)


def overfitting(dtype=np.float64):
    """Labels by chance: what is learned of them helps nobody."""
    rng = np.random.default_rng(0)
    return (rng.normal(size=(40, 8)).astype(dtype), rng.integers(0, 3, 40)) , (
        rng.normal(size=(40, 8)).astype(dtype), rng.integers(0, 3, 40)
    )  # fmt: skip


@pytest.mark.parametrize("optimiser", ["sgd", "adam", "lbfgs"])
def test_training_stops_early_and_gives_back_the_best_parameters(optimiser):
    if optimiser == "lbfgs":
        pytest.importorskip("scipy", reason="SciPy, whose L-BFGS it is, is not installed")
    (x, y), validation = overfitting()
    net = MLP([8, 30, 3], dtype=np.float64, seed=0)
    history = net.fit(
        x, y, epochs=2000, batch_size=10, learning_rate=0.05, optimiser=optimiser, validation=validation,
        stopping=EarlyStopping(patience=5),
    )  # fmt: skip
    assert history.stopped_by == "early stopping"
    assert len(history.loss) < 2000
    assert history.best_epoch == 1 + int(np.argmin(history.validation_loss))
    assert history.best_epoch < len(history.loss)
    loss, _ = net.loss_and_gradient(*validation)
    assert loss == pytest.approx(min(history.validation_loss), rel=1e-13)


def test_without_keeping_the_best_the_last_parameters_stay():
    (x, y), validation = overfitting()
    net = MLP([8, 30, 3], dtype=np.float64, seed=0)
    stopping = EarlyStopping(patience=5, keep_best=False)
    history = net.fit(x, y, epochs=2000, learning_rate=1.0, validation=validation, stopping=stopping)
    loss, _ = net.loss_and_gradient(*validation)
    assert loss == pytest.approx(history.validation_loss[-1], rel=1e-13)
    assert history.validation_loss[-1] > min(history.validation_loss)


def test_true_watches_the_validation_loss_of_a_share_of_the_rows():
    (x, y), _ = overfitting()
    history = MLP([8, 30, 3], dtype=np.float64, seed=0).fit(
        x, y, epochs=2000, learning_rate=1.0, validation=0.25, stopping=True
    )
    assert history.stopped_by == "early stopping"
    assert len(history.validation_loss) == len(history.loss)


@pytest.mark.parametrize(
    ("stopping", "validates", "loss", "error", "message"),
    [
        (3, True, "mse", TypeError, "stopping must be an EarlyStopping, True, False or None, got 3"),
        (True, False, "mse", ValueError, "stopping watches the validation_loss: give validation"),
        (EarlyStopping("time"), True, "mse", ValueError, "stopping.monitor must be one of 'loss', 'validation_l"),
        (EarlyStopping("loss", 0), False, "mse", ValueError, "stopping.patience must be a positive integer, got 0"),
        (EarlyStopping("loss", 1, -1), False, "mse", ValueError, "stopping.tolerance must be a finite number, at"),
        (EarlyStopping("validation_accuracy"), True, "mse", ValueError, 'a network with loss="mse" has not'),
    ],
)  # fmt: skip
def test_bad_settings_are_named(stopping, validates, loss, error, message):
    with pytest.raises(error, match=message):
        as_early_stopping(stopping, validates, loss)


@pytest.mark.parametrize("nothing", [None, False])
def test_nothing_is_watched_unless_asked_for(nothing):
    assert as_early_stopping(nothing, False, "mse") is None
