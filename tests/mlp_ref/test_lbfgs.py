import sys

import numpy as np
import pytest

from mlp_ref import MLP, lbfgs
from mlp_ref.lbfgs import LBFGS
from mlp_ref.stopping import EarlyStopping

needs_scipy = pytest.mark.skipif(
    __import__("importlib.util").util.find_spec("scipy") is None,
    reason="SciPy, whose L-BFGS it is, is not installed",
)


def problem(dtype=np.float64):
    rng = np.random.default_rng(3)
    x = rng.normal(size=(60, 4)).astype(dtype)
    return x, (x[:, 0] > 0) + 2 * (x[:, 1] > 0).astype(int)


def new_net(**options):
    return MLP([4, 5, 4], **{"dtype": np.float64, "seed": 0, **options})


@needs_scipy
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_it_learns_what_gradient_descent_takes_long_for(dtype):
    x, y = problem(dtype)
    net = new_net(dtype=dtype)
    history = net.fit(x, y, epochs=100, optimiser="lbfgs")
    assert net.score(x, y) == 1
    assert history.loss[-1] < 0.01
    assert history.loss == sorted(history.loss, reverse=True)
    assert history.accuracy[-1] == 1
    assert len(history.loss) == len(history.learning_rate)


@needs_scipy
def test_a_linear_network_reaches_the_least_squares():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(50, 3)), rng.normal(size=(50, 2))
    net = MLP([3, 2], hidden="identity", loss="mse", dtype=np.float64, seed=0)
    history = net.fit(x, y, epochs=500, optimiser=LBFGS(tolerance=1e-10))
    assert history.stopped_by == "convergence"
    solution, *_ = np.linalg.lstsq(np.column_stack([x, np.ones(50)]), y, rcond=None)
    np.testing.assert_allclose(net.params[0].weight, solution[:3], rtol=1e-4, atol=1e-6, strict=True)
    np.testing.assert_allclose(net.params[0].bias, solution[3], rtol=1e-4, atol=1e-6, strict=True)


@needs_scipy
def test_it_is_deterministic_and_validates():
    x, y = problem()
    one, other = new_net(), new_net()
    histories = [
        net.fit(x, y, epochs=7, optimiser="lbfgs", validation=(x, y), stopping=EarlyStopping(patience=99))
        for net in (one, other)
    ]
    assert histories[0] == histories[1]
    np.testing.assert_array_equal(one.flat, other.flat, strict=True)
    assert len(histories[0].validation_loss) == 7
    assert histories[0].validation_loss == pytest.approx(histories[0].loss, rel=1e-12)


@needs_scipy
def test_a_callback_ends_it():
    x, y = problem()
    history = new_net().fit(x, y, optimiser="lbfgs", callbacks=[lambda net, history: len(history.loss) == 3])
    assert len(history.loss) == 3
    assert history.stopped_by == "callback"


@needs_scipy
def test_ctrl_c_keeps_the_last_iteration(monkeypatch):
    x, y = problem()
    net, twin = new_net(), new_net()
    true, calls = lbfgs.loss_and_gradient, []

    def interrupted(*arguments, **options):
        calls.append(0)
        if len(calls) == 12:
            raise KeyboardInterrupt
        return true(*arguments, **options)

    monkeypatch.setattr(lbfgs, "loss_and_gradient", interrupted)
    history = net.fit(x, y, epochs=50, optimiser="lbfgs")
    monkeypatch.undo()
    assert history.interrupted
    assert 0 < len(history.loss) < 12
    twin.fit(x, y, epochs=len(history.loss), optimiser="lbfgs")
    np.testing.assert_array_equal(net.flat, twin.flat, strict=True)


@needs_scipy
def test_a_loss_that_is_not_finite_is_an_error_and_changes_nothing():
    net = new_net(hidden="identity", loss="mse")
    before = net.flat.copy()
    x, _ = problem()
    with pytest.raises(FloatingPointError, match="the loss is not finite where L-BFGS starts"):
        net.fit(x * 1e300, x * 1e300, optimiser="lbfgs")
    np.testing.assert_array_equal(net.flat, before)


def test_without_scipy_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    net = new_net()
    before = net.flat.copy()
    with pytest.raises(ModuleNotFoundError, match=r"optimiser=\"lbfgs\" needs SciPy: pip install scipy"):
        net.fit(*problem(), optimiser="lbfgs")
    np.testing.assert_array_equal(net.flat, before)
