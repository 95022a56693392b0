import numpy as np
import pytest

from mlp_ref import MLP, loss_and_gradient, softmax, training
from mlp_ref.params import flatten
from mlp_ref.workspace import ROWS_AT_ONCE


def problem(n=50, dtype=np.float64):
    rng = np.random.default_rng(3)
    x = rng.normal(size=(n, 4)).astype(dtype)
    return x, (x[:, 0] > 0) + 2 * (x[:, 1] > 0).astype(int)


def new_net(**options):
    return MLP([4, 5, 4], **{"dtype": np.float64, "seed": 0, **options})


@pytest.mark.parametrize("rows_at_once", [ROWS_AT_ONCE, 3])
def test_an_epoch_is_the_notebook_s_algorithm(rows_at_once, monkeypatch):
    monkeypatch.setattr("mlp_ref.workspace.ROWS_AT_ONCE", rows_at_once)
    x, y = problem(10)
    net, twin = new_net(), new_net()
    history = net.fit(x, y, epochs=2, batch_size=4, learning_rate=0.5)
    losses, accuracies = [], []
    for _ in range(2):
        order = twin._rng.permutation(10)
        loss_sum, right = 0, 0
        for index in (order[:4], order[4:8], order[8:]):
            right += (twin.predict(x[index]) == y[index]).sum()
            loss, grads = loss_and_gradient(twin.params, x[index], y[index])
            loss_sum += loss * len(index)
            twin.flat = twin.flat - 0.5 * flatten(grads)
        losses.append(loss_sum / 10)
        accuracies.append(right / 10)
    np.testing.assert_allclose(net.flat, twin.flat, rtol=1e-13, atol=0, strict=True)
    assert history.loss == pytest.approx(losses, rel=1e-14)
    assert history.accuracy == accuracies


def test_training_learns():
    x, y = problem(400)
    net = new_net()
    history = net.fit(x, y, epochs=60, learning_rate=0.5, validation=(x, y))
    assert len(history.loss) == len(history.validation_loss) == 60
    assert history.loss[-1] < 0.3 * history.loss[0]
    assert net.score(x, y) > 0.93
    assert history.validation_accuracy[-1] == net.score(x, y)
    assert history.validation_loss[-1] == pytest.approx(net.loss_and_gradient(x, y)[0], rel=1e-13)
    assert not history.interrupted


def test_labels_and_one_hot_rows_train_to_the_same_bits():
    x, y = problem()
    net, twin = new_net(), new_net()
    assert net.fit(x, y, epochs=3) == twin.fit(x, np.eye(4)[y], epochs=3)
    np.testing.assert_array_equal(net.flat, twin.flat, strict=True)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("loss", ["cross_entropy", "softmax_mse", "mse"])
@pytest.mark.parametrize("hidden", ["sigmoid", "tanh", "relu", "identity"])
def test_every_combination_descends_on_soft_targets(hidden, loss, dtype):
    x, _ = problem(dtype=dtype)
    y = softmax(x)
    net = new_net(hidden=hidden, loss=loss, dtype=dtype)
    history = net.fit(x, y, epochs=10, learning_rate=0.1)
    assert net.flat.dtype == dtype
    assert history.loss[-1] < history.loss[0]
    assert len(history.accuracy) == (0 if loss == "mse" else 10)


def test_a_second_fit_goes_on_where_the_first_ended():
    x, y = problem()
    net, twin = new_net(), new_net()
    first, second = net.fit(x, y, epochs=2), net.fit(x, y, epochs=3)
    whole = twin.fit(x, y, epochs=5)
    assert first.loss + second.loss == whole.loss
    np.testing.assert_array_equal(net.flat, twin.flat, strict=True)


def test_a_batch_may_be_larger_than_the_data():
    x, y = problem(7)
    net, twin = new_net(), new_net()
    net.fit(x, y, epochs=1, batch_size=1000, learning_rate=1.0)
    _, grads = twin.loss_and_gradient(x, y)
    np.testing.assert_allclose(net.flat, twin.flat - flatten(grads), rtol=1e-12, strict=True)


@pytest.mark.parametrize("relayout", [np.asfortranarray, lambda x: np.repeat(x, 2, axis=1)[:, ::2]])
def test_memory_layout_does_not_matter(relayout):
    x, y = problem()
    net, twin = new_net(), new_net()
    net.fit(x, y, epochs=2)
    twin.fit(relayout(x), y, epochs=2)
    np.testing.assert_array_equal(net.flat, twin.flat, strict=True)


def test_ctrl_c_keeps_the_last_step_and_the_epochs_so_far(monkeypatch):
    x, y = problem(40)
    net, twin = new_net(), new_net()
    steps = 0

    def interrupted(*arguments, **options):
        nonlocal steps
        steps += 1
        if steps > 7:
            raise KeyboardInterrupt
        return loss_and_gradient(*arguments, **options)

    monkeypatch.setattr(training, "loss_and_gradient", interrupted)
    history = net.fit(x, y, epochs=9, batch_size=10)
    assert history.interrupted
    assert len(history.loss) == 1
    monkeypatch.undo()
    twin.fit(x, y, epochs=1, batch_size=10)
    order = twin._rng.permutation(40)
    for index in order[:30].reshape(3, 10):
        _, grads = twin.loss_and_gradient(x[index], y[index])
        twin.flat = twin.flat - 0.01 * flatten(grads)
    np.testing.assert_allclose(net.flat, twin.flat, rtol=1e-13, strict=True)


def test_divergence_stops_and_gives_back_the_epoch_before():
    x, _ = problem()
    options = {"hidden": "identity", "loss": "mse"}
    net, twin = new_net(**options), new_net(**options)
    targets = x * 1e150
    with pytest.raises(FloatingPointError, match=r"stopped being finite in epoch 1 .* learning_rate=1e\+06"):
        net.fit(x, targets, epochs=3, learning_rate=1e6)
    np.testing.assert_array_equal(net.flat, twin.flat, strict=True)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"epochs": 0}, ValueError, "epochs must be a positive integer, got 0"),
        ({"batch_size": 2.5}, TypeError, "batch_size must be a positive integer, got 2.5"),
        ({"learning_rate": -1}, ValueError, "learning_rate must be positive and finite in float64, got -1"),
        ({"x": np.zeros((50, 3))}, ValueError, r"x must have shape \(batch, 4\), got \(50, 3\)"),
        ({"y": np.zeros(49, int)}, ValueError, r"one row per row of x: x has 50 but y is \(49,\)"),
        (
            {"validation": 3},
            TypeError,
            r"must be a pair \(x, y\), or a fraction of the rows such as 0.1, got int",
        ),
        ({"validation": (np.zeros((2, 4)), [0, 4])}, ValueError, r"but validation y\[1\] is 4"),
        (
            {"validation": (np.zeros((2, 5)), [0, 4])},
            ValueError,
            r"validation x must have shape \(batch, 4\)",
        ),
    ],
)
def test_a_refused_fit_changes_nothing(change, error, message):
    x, y = problem()
    net, twin = new_net(), new_net()
    with pytest.raises(error, match=message):
        net.fit(**{"x": x, "y": y, **change})
    np.testing.assert_array_equal(net.flat, twin.flat)
    assert net.fit(x, y, epochs=1) == twin.fit(x, y, epochs=1)
