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
