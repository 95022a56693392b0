import copy
import pickle

import numpy as np
import pytest

from mlp_ref import MLP, Layer, as_layers, flatten, loss_and_gradient, softmax


@pytest.fixture
def net():
    return MLP([3, 4, 2], dtype=np.float64, seed=0)


def rows(n=6, dtype=np.float64):
    rng = np.random.default_rng(1)
    return rng.normal(size=(n, 3)).astype(dtype), rng.integers(0, 2, n)


def test_one_seed_gives_the_same_bits_and_another_gives_others():
    twin, other = MLP([3, 2], seed=5), MLP([3, 2], seed=6)
    np.testing.assert_array_equal(MLP([3, 2], seed=5).flat, twin.flat, strict=True)
    assert not np.array_equal(twin.flat, other.flat)
    assert not np.array_equal(MLP([3, 2]).flat, MLP([3, 2]).flat)


def test_repr_says_what_it_is(net):
    assert repr(net) == (
        "MLP([3, 4, 2], hidden='sigmoid', loss='cross_entropy', init='glorot', dtype=float64) with 26 parameters"
    )


def test_the_method_is_the_function(net):
    x, y = rows()
    value, grads = net.loss_and_gradient(x, y)
    expected_value, expected = loss_and_gradient(net.params, x, y, net.hidden, net.loss)
    assert value == expected_value
    np.testing.assert_array_equal(flatten(grads), flatten(expected))


def test_predictions_follow_from_the_logits(net):
    x, _ = rows()
    logits = net.forward(x)
    np.testing.assert_array_equal(net.predict_proba(x), softmax(logits), strict=True)
    np.testing.assert_array_equal(net.predict(x), logits.argmax(axis=1), strict=True)


def test_score_is_the_share_of_right_rows(net):
    x, y = rows()
    share = (net.predict(x) == y).mean()
    assert net.score(x, y) == share
    assert net.score(x, np.eye(2)[y]) == share


def test_regression_predicts_its_outputs_and_scores_r_squared():
    net = MLP([3, 2], loss="mse", dtype=np.float64, seed=0)
    x, _ = rows(50)
    outputs = net.forward(x)
    np.testing.assert_array_equal(net.predict(x), outputs)
    y = outputs.copy()
    assert net.score(x, y) == 1
    y[:, 0] += np.where(np.arange(50) % 2, 0.5, -0.5)
    r2 = 1 - 50 * 0.25 / ((y[:, 0] - y[:, 0].mean()) ** 2).sum()
    assert net.score(x, y) == pytest.approx((1 + r2) / 2)
    assert net.score(x, np.zeros((50, 2))) == 0
    with pytest.raises(
        ValueError, match=r'predict_proba needs a softmax loss, but this network has loss="mse"'
    ):
        net.predict_proba(x)


def test_params_are_views_that_can_be_written(net):
    net.params[0].weight[:] = 7
    assert (net.flat[:12] == 7).all()
    net.flat -= 7
    assert not net.params[0].weight.any()


def test_assigned_params_are_copied(net):
    params = [Layer(np.asfortranarray(layer.weight * 2), layer.bias * 2) for layer in net.params]
    net.params = params
    np.testing.assert_array_equal(net.flat, flatten(params))
    params[0].weight[:] = 0
    assert net.params[0].weight.any()


@pytest.mark.parametrize(
    ("name", "change", "error", "message"),
    [
        ("params", lambda net: net.params[:1], ValueError, r"layer sizes \[3, 4, 2\], got \[3, 4\]"),
        (
            "params",
            lambda net: as_layers(net.flat.astype("f4"), [3, 4, 2]),
            TypeError,
            "float64, got float32",
        ),
        ("flat", lambda net: net.flat[1:], ValueError, r"flat must have shape \(26,\), got \(25,\)"),
        ("flat", lambda net: net.flat.astype("f4"), TypeError, "dtype of the network, float64, got float32"),
        ("flat", lambda net: net.flat * np.nan, ValueError, r"flat must be finite, but flat\[0\] is nan"),
    ],
)
def test_bad_assignments_change_nothing(net, name, change, error, message):
    before = net.flat.copy()
    with pytest.raises(error, match=message):
        setattr(net, name, change(net))
    np.testing.assert_array_equal(net.flat, before)


@pytest.mark.parametrize("name", ["layer_sizes", "hidden", "loss", "dtype"])
def test_what_a_network_is_cannot_be_reassigned(net, name):
    with pytest.raises(AttributeError):
        setattr(net, name, None)


@pytest.mark.parametrize(
    "duplicate", [MLP.copy, copy.copy, copy.deepcopy, lambda n: pickle.loads(pickle.dumps(n))]
)
def test_a_duplicate_goes_its_own_way(net, duplicate):
    x, y = rows()
    twin = duplicate(net)
    assert repr(twin) == repr(net)
    before = net.flat.copy()
    twin.fit(x, y, epochs=2)
    np.testing.assert_array_equal(net.flat, before)
    net.fit(x, y, epochs=2)
    np.testing.assert_array_equal(net.flat, twin.flat, strict=True)
    twin.params[0].weight[:] = 0
    assert not twin.flat[:12].any()
    assert net.flat[:12].any()


def test_a_function_of_the_flat_vector_is_what_an_optimiser_needs(net):
    x, y = rows(20)

    def objective(flat):
        loss, grads = loss_and_gradient(as_layers(flat, net.layer_sizes), x, y)
        return loss, flatten(grads)

    start, gradient = objective(net.flat)
    assert gradient.shape == net.flat.shape
    # Downhill, by as much as the slope says.
    step = 1e-6 * gradient
    assert start - objective(net.flat - step)[0] == pytest.approx(step @ gradient, rel=1e-4)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"hidden": "x"}, ValueError, "hidden must be one of"),
        ({"loss": "x"}, ValueError, "loss must be one of"),
        ({"init": "x"}, ValueError, "init must be one of 'glorot', 'he', 'normal', got 'x'"),
        ({"dtype": int}, TypeError, "dtype must be float32 or float64"),
        ({"seed": 0.5}, TypeError, "seed must be an integer or None, got 0.5"),
    ],
)
def test_bad_options_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        MLP([3, 2], **options)


def test_a_gradient_that_is_held_survives_later_calls():
    """Large enough for its memory to be used again, which only happens to what nobody holds."""
    net = MLP([300, 300, 10], seed=0)
    rng = np.random.default_rng(0)
    x, y = rng.random((4, 8, 300), dtype=np.float32), rng.integers(0, 10, (4, 8))
    expected = [flatten(net.copy().loss_and_gradient(*rows)[1]) for rows in zip(x, y, strict=True)]
    held = [net.loss_and_gradient(*rows)[1][0].weight[1:, ::2] for rows in zip(x, y, strict=True)]
    for part, flat in zip(held, expected, strict=True):
        np.testing.assert_array_equal(part, as_layers(flat, net.layer_sizes)[0].weight[1:, ::2], strict=True)


def test_several_threads_may_call_one_network():
    from concurrent.futures import ThreadPoolExecutor

    net = MLP([20, 30, 5], seed=0)
    rng = np.random.default_rng(0)
    batches = [
        (rng.random((n, 20), dtype=np.float32), rng.integers(0, 5, n)) for n in (1, 2, 7, 7, 30, 31, 32)
    ] * 20

    def answer(batch):
        loss, grads = net.loss_and_gradient(*batch)
        return (
            loss,
            flatten(grads).tobytes(),
            net.predict(batch[0]).tobytes(),
            net.predict_proba(batch[0]).tobytes(),
        )

    expected = [answer(batch) for batch in batches]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(answer, batches)) == expected


def test_calls_keep_little_memory_and_none_of_their_gradients():
    import weakref

    net = MLP([300, 300, 10], seed=0)
    for rows in range(1, 20):
        x = np.ones((rows, 300), np.float32)
        _, grads = net.loss_and_gradient(x, np.zeros(rows, int))
        gone = weakref.ref(grads[0].weight)
        del grads
        assert gone() is None
    assert len(net._pool._workspaces) == 4


@pytest.mark.parametrize("loss", ["cross_entropy", "mse"])
def test_a_parameter_that_was_made_infinite_or_nan_is_named(loss):
    net = MLP([3, 4, 2], loss=loss, dtype=np.float64, seed=0)
    x, _ = rows()
    y = np.full((6, 2), 0.5)
    net.params[1].weight[2, 1] = np.nan
    message = r"params\[1\].weight must be finite, but params\[1\].weight\[2, 1\] is nan"
    for batch in (6, 1):
        with pytest.raises(ValueError, match=message):
            net.loss_and_gradient(x[:batch], y[:batch])
        for call in (net.forward, net.predict):
            with pytest.raises(ValueError, match=message):
                call(x[:batch])
    net.params[1].weight[2, 1] = 0
    net.params[1].bias[0] = np.inf
    with pytest.raises(
        ValueError, match=r"params\[1\].bias must be finite, but params\[1\].bias\[0\] is inf"
    ):
        net.loss_and_gradient(x, y)


def test_an_infinite_parameter_that_a_sigmoid_makes_finite_has_the_gradient_of_the_limit(net):
    """What a network holds is not looked at before, only what comes of it, and this is right."""
    x, y = np.abs(rows()[0]) + 0.1, rows()[1]
    net.params[0].weight[:, 1] = 1e6
    loss, grads = net.loss_and_gradient(x, y)
    net.params[0].weight[:, 1] = np.inf
    limit, grads_of_the_limit = net.loss_and_gradient(x, y)
    assert limit == loss
    np.testing.assert_allclose(flatten(grads_of_the_limit), flatten(grads), rtol=0, atol=1e-300, strict=True)


def test_a_number_of_a_later_piece_that_is_not_finite_is_named(net, monkeypatch):
    monkeypatch.setattr("mlp_ref.workspace.ROWS_AT_ONCE", 4)
    x, y = rows(10)
    x[9, 2] = np.inf
    for call in (net.forward, net.predict, net.predict_proba, lambda x: net.score(x, y)):
        with pytest.raises(ValueError, match=r"x must be finite, but x\[9, 2\] is inf"):
            call(x)
    with pytest.raises(ValueError, match=r"x must be finite, but x\[9, 2\] is inf"):
        net.loss_and_gradient(x, y)


@pytest.mark.parametrize("relayout", [np.asfortranarray, lambda x: np.repeat(x, 2, axis=1)[:, ::2]])
@pytest.mark.parametrize("rows_at_once", [4, 1024])
def test_predictions_are_the_same_in_pieces_and_in_any_memory_layout(
    net, monkeypatch, relayout, rows_at_once
):
    x, y = rows(10)
    expected = softmax(net.forward(x))
    monkeypatch.setattr("mlp_ref.workspace.ROWS_AT_ONCE", rows_at_once)
    net = net.copy()
    np.testing.assert_allclose(net.predict_proba(relayout(x)), expected, rtol=1e-13, strict=True)
    np.testing.assert_array_equal(net.predict(relayout(x)), expected.argmax(axis=1), strict=True)
    assert net.score(relayout(x), y) == np.mean(expected.argmax(axis=1) == y)


@pytest.mark.parametrize("call", ["predict", "predict_proba", "loss_and_gradient"])
def test_a_warm_call_allocates_what_it_returns_alone(call):
    import tracemalloc

    net = MLP([20, 200, 20], seed=0)
    x, y = np.ones((1000, 20), np.float32), np.zeros(1000, int)
    arguments = (x, y) if call == "loss_and_gradient" else (x,)
    returned = {"predict": 8000, "predict_proba": 80_000, "loss_and_gradient": 4 * net.flat.size}[call]
    getattr(net, call)(*arguments)
    tracemalloc.start()
    try:
        getattr(net, call)(*arguments)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # NumPy broadcasts through a buffer of 8192 numbers; one hidden layer would take 800,000 bytes.
    assert peak < returned + 8192 * 4 + 30_000
