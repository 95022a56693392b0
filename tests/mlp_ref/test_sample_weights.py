import functools

import numpy as np
import pytest

from mlp_ref import MLP, cross_entropy, loss_and_gradient, mse, softmax, softmax_mse
from mlp_ref.params import flatten
from mlp_ref.sample_weights import weights_of_rows
from mlp_ref.workspace import ROWS_AT_ONCE, Workspace

LOSSES = {"cross_entropy": cross_entropy, "softmax_mse": softmax_mse, "mse": mse}


def targets(kind, rng, rows, n=3):
    return {
        "labels": rng.integers(0, n, rows),
        "soft": rng.dirichlet(np.ones(n), size=rows),
        "real": rng.normal(size=(rows, n)),
    }[kind]


each_loss = pytest.mark.parametrize(
    ("loss", "kind"),
    [
        ("cross_entropy", "labels"),
        ("cross_entropy", "soft"),
        ("softmax_mse", "labels"),
        ("softmax_mse", "soft"),
        ("mse", "real"),
    ],
)


@each_loss
def test_a_row_of_weight_k_is_k_rows(loss, kind):
    rng = np.random.default_rng(0)
    logits, y = rng.normal(size=(6, 3)), targets(kind, rng, 6)
    counts = np.array([0, 1, 2, 3, 0, 1])
    value, dlogits = LOSSES[loss](logits, y, sample_weight=counts.astype(float))
    repeated, _ = LOSSES[loss](logits.repeat(counts, axis=0), y.repeat(counts, axis=0))
    assert value == pytest.approx(repeated * counts.sum() / 6, rel=1e-13)
    _, unweighted = LOSSES[loss](logits, y)
    np.testing.assert_allclose(dlogits, unweighted * counts[:, None], rtol=1e-14, strict=True)


@each_loss
@pytest.mark.parametrize("rows", [5, ROWS_AT_ONCE + 7])
def test_the_gradient_of_a_network_is_the_weighted_mean_of_its_rows_and_the_penalty_s(loss, kind, rows):
    rng = np.random.default_rng(1)
    net = MLP([4, 5, 3], loss=loss, dtype=np.float64, seed=0)
    net.flat = rng.normal(size=net.flat.size)
    x, y, weights = rng.normal(size=(rows, 4)), targets(kind, rng, rows), rng.random(rows)
    weights[0] = 0
    value, grads = net.loss_and_gradient(x, y, sample_weight=weights, l2=0.3)
    one_by_one = [net.loss_and_gradient(x[i : i + 1], y[i : i + 1]) for i in range(rows)]
    penalty = 0.15 * sum((weight**2).sum() for weight, _ in net.params)
    expected = sum(w * loss for w, (loss, _) in zip(weights, one_by_one, strict=True)) / rows + penalty
    assert value == pytest.approx(expected, rel=1e-12)
    mean = sum(w * flatten(g) for w, (_, g) in zip(weights, one_by_one, strict=True)) / rows
    decay = np.concatenate([np.r_[0.3 * weight.ravel(), 0 * bias] for weight, bias in net.params])
    np.testing.assert_allclose(flatten(grads), mean + decay, rtol=1e-10, atol=1e-14, strict=True)


def test_an_infinite_loss_of_weight_0_costs_nothing():
    top = 1e308
    logits = np.array([[top, -top], [0.0, 0.0]])
    for y in (np.array([1, 0]), np.array([[0.25, 0.75], [1.0, 0.0]])):
        assert cross_entropy(logits, y)[0] == np.inf
        value, dlogits = cross_entropy(logits, y, sample_weight=np.array([0.0, 1.0]))
        assert value == pytest.approx(np.log(2) / 2, rel=1e-15)
        np.testing.assert_array_equal(dlogits[0], [0, 0])


def test_a_confident_mistake_is_weighted_too():
    """The target's exponential underflows, and the loss is of another formula: the distance of the two logits."""
    logits, y = np.array([[0.0, 2000.0], [0.0, 0.0]]), np.array([0, 0])
    value, _ = cross_entropy(logits, y, sample_weight=np.array([3.0, 1.0]))
    assert value == pytest.approx((3 * 2000 + np.log(2)) / 2, rel=1e-15)


def test_a_huge_squared_error_is_weighted_too():
    """The sum of the squares overflows, also that of the weighted ones, and their mean does not."""
    logits = np.array([[1.25e154, 1.25e154, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0]])
    for weights in ([1.0, 2.0], [0.5, 2.0]):
        value, dlogits = mse(logits, np.zeros((2, 4)), sample_weight=np.array(weights))
        np.testing.assert_allclose(value, 1.25**2 * weights[0] / 4 * 1e308, rtol=1e-14)
        np.testing.assert_allclose(dlogits, logits * np.array(weights)[:, None] / 4, rtol=1e-15, strict=True)


@pytest.mark.parametrize("l2", [0.0, 0.1, 1])
@each_loss
def test_the_function_and_a_workspace_give_what_the_method_does(loss, kind, l2):
    rng = np.random.default_rng(2)
    net = MLP([4, 5, 3], loss=loss, dtype=np.float64, seed=0)
    x, y, weights = rng.normal(size=(6, 4)), targets(kind, rng, 6), rng.random(6)
    value, grads = net.loss_and_gradient(x, y, sample_weight=weights, l2=l2)
    assert value != net.loss_and_gradient(x, y, l2=l2)[0]
    for workspace in (None, Workspace([4, 5, 3], 6, np.float64)):
        of_function, grads_of_function = loss_and_gradient(
            net.params, x, y, loss=loss, sample_weight=weights, l2=l2, workspace=workspace
        )
        assert of_function == value
        np.testing.assert_array_equal(flatten(grads_of_function), flatten(grads), strict=True)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_weights_and_penalty_keep_the_dtype_and_a_workspace_keeps_its_arrays(dtype):
    rng = np.random.default_rng(0)
    net = MLP([4, 5, 3], dtype=dtype, seed=0)
    x, y, weights = rng.normal(size=(6, 4)).astype(dtype), rng.integers(0, 3, 6), rng.random(6).astype(dtype)
    workspace = Workspace([4, 5, 3], 6, dtype)
    _, grads = loss_and_gradient(net.params, x, y, sample_weight=weights, l2=0.1, workspace=workspace)
    assert {part.dtype for layer in grads for part in layer} == {np.dtype(dtype)}
    room = workspace._room
    assert room.dtype == dtype
    assert np.shares_memory(workspace.room_for_weight((4, 5)), room)
    assert workspace.room_for_weight((5, 3)).shape == (5, 3)
    before = workspace.flat_grads.copy()
    loss_and_gradient(net.params, x, y, sample_weight=weights, l2=0.1, workspace=workspace)
    np.testing.assert_array_equal(workspace.flat_grads, before, strict=True)
    assert workspace._room is room


@pytest.mark.parametrize(
    ("weights", "error", "message"),
    [
        ([1, 1, 1], TypeError, "sample_weight must be float32 or float64, got int64"),
        (np.ones(2), ValueError, r"sample_weight must have shape \(3,\), one weight a row, got \(2,\)"),
        (np.ones((3, 1)), ValueError, r"sample_weight must have shape \(3,\)"),
        (np.ones(3, np.float32), TypeError, "sample_weight must have the dtype of the parameters, float64"),
        (np.array([1, np.nan, 1]), ValueError, r"must be finite, but sample_weight\[1\] is nan"),
        (np.array([1.0, 1.0, -1.0]), ValueError, r"must not be negative, but sample_weight\[2\] is -1"),
    ],
)
def test_bad_weights_are_refused_everywhere(weights, error, message):
    net = MLP([2, 3], dtype=np.float64, seed=0)
    x, y = np.ones((3, 2)), np.arange(3)
    before = net.flat.copy()
    for call in (
        lambda: cross_entropy(np.ones((3, 3)), y, sample_weight=weights),
        lambda: net.loss_and_gradient(x, y, sample_weight=weights),
        lambda: loss_and_gradient(net.params, x, y, sample_weight=weights),
        lambda: net.fit(x, y, sample_weight=weights),
    ):
        with pytest.raises(error, match=message):
            call()
    np.testing.assert_array_equal(net.flat, before)


@pytest.mark.parametrize(
    ("l2", "error"), [(-0.1, ValueError), (np.inf, ValueError), ("much", TypeError), (None, TypeError)]
)
def test_bad_penalties_are_refused(l2, error):
    net = MLP([2, 3], dtype=np.float64, seed=0)
    function = functools.partial(loss_and_gradient, net.params)
    for call in (function, net.loss_and_gradient, net.fit):
        with pytest.raises(error, match=r"^l2 must be a"):
            call(np.ones((3, 2)), np.arange(3), l2=l2)


class TestTraining:
    def problem(self, rows=24):
        rng = np.random.default_rng(5)
        return rng.normal(size=(rows, 4)), rng.integers(0, 3, rows)

    def fit(self, x, y, **options):
        net = MLP([4, 6, 3], dtype=np.float64, seed=0)
        settings = {"epochs": 5, "batch_size": len(x), "learning_rate": 0.5}
        history = net.fit(x, y, **{**settings, **options})
        return net.flat, history

    def test_rows_of_weight_0_are_left_out_to_the_bit(self):
        x, y = self.problem()
        kept = np.arange(24) % 3 > 0
        flat, history = self.fit(x, y, sample_weight=kept.astype(float), batch_size=5)
        other, same = self.fit(x[kept], y[kept], batch_size=5)
        np.testing.assert_array_equal(flat, other, strict=True)
        assert history.loss == pytest.approx(same.loss, rel=1e-14)

    @pytest.mark.parametrize("optimiser", ["sgd", "adam", "lbfgs"])
    def test_integer_weights_are_repetitions(self, optimiser):
        if optimiser == "lbfgs":
            pytest.importorskip("scipy", reason="SciPy, whose L-BFGS it is, is not installed")
        x, y = self.problem()
        counts = np.arange(24) % 4
        flat, history = self.fit(x, y, sample_weight=counts.astype(float), optimiser=optimiser)
        repeated = x.repeat(counts, axis=0), y.repeat(counts)
        other, same = self.fit(*repeated, optimiser=optimiser)
        np.testing.assert_allclose(flat, other, rtol=1e-7, atol=1e-9, strict=True)
        assert history.loss == pytest.approx(same.loss, rel=1e-9)

    def test_only_the_ratio_of_weights_matters(self):
        x, y = self.problem()
        weights = np.random.default_rng(0).random(24)
        flat, _ = self.fit(x, y, sample_weight=weights, batch_size=7)
        other, _ = self.fit(x, y, sample_weight=1024 * weights, batch_size=7)
        np.testing.assert_allclose(flat, other, rtol=1e-12, strict=True)

    @pytest.mark.parametrize("optimiser", ["sgd", "lbfgs"])
    def test_the_penalty_is_part_of_the_loss(self, optimiser):
        if optimiser == "lbfgs":
            pytest.importorskip("scipy", reason="SciPy, whose L-BFGS it is, is not installed")
        x, y = self.problem()
        net = MLP([4, 6, 3], dtype=np.float64, seed=0)
        first, _ = net.loss_and_gradient(x, y, l2=0.7)
        flat, history = self.fit(x, y, l2=0.7, epochs=200, optimiser=optimiser)
        assert history.loss[0] <= first * (1 + 1e-13)
        if optimiser == "sgd":
            assert history.loss[0] == pytest.approx(first, rel=1e-13)
        assert np.abs(flat[:24]).max() < 0.01  # the weights of the first layer: the penalty has won

    def test_class_weights_are_weights_of_rows(self):
        x, y = self.problem()
        flat, _ = self.fit(x, y, class_weight={0: 3.0, 2: 0.5}, batch_size=7)
        other, _ = self.fit(x, y, sample_weight=np.array([3.0, 1.0, 0.5])[y], batch_size=7)
        np.testing.assert_array_equal(flat, other, strict=True)
        rows = np.random.default_rng(0).random(24)
        flat, _ = self.fit(x, y, class_weight=[3.0, 1.0, 0.5], sample_weight=rows, batch_size=7)
        other, _ = self.fit(x, y, sample_weight=rows * np.array([3.0, 1.0, 0.5])[y], batch_size=7)
        np.testing.assert_allclose(flat, other, rtol=1e-12, strict=True)

    def test_soft_targets_have_no_class(self):
        x, _ = self.problem()
        with pytest.raises(ValueError, match="needs y to hold class labels or one-hot rows, got rows of"):
            self.fit(x, softmax(x[:, :3]), class_weight="balanced")

    @pytest.mark.parametrize(
        ("class_weight", "error", "message"),
        [
            ({3: 1.0}, ValueError, "class_weight must be for classes from 0 to 2, got 3 too"),
            ([1.0, 2.0], ValueError, "class_weight must hold 3 numbers, one a class, got 2"),
            ([1.0, 2.0, -1.0], ValueError, "class_weight must be a finite number, at least 0, got -1.0"),
            ("even", ValueError, "class_weight must be numbers or \"balanced\", got 'even'"),
            (3.0, TypeError, 'class_weight must be a mapping, a sequence or "balanced", got 3.0'),
            (
                [0.0, 0.0, 0.0],
                ValueError,
                "sample_weight, times class_weight, must have a positive, finite sum, got 0",
            ),
        ],
    )
    def test_bad_class_weights_are_refused(self, class_weight, error, message):
        with pytest.raises(error, match=message):
            self.fit(*self.problem(), class_weight=class_weight)


def test_balanced_classes_have_the_same_sum():
    y = np.array([0, 0, 0, 2, 2, 1])
    weights = weights_of_rows(None, "balanced", y, 4, np.dtype(float))
    sums = np.bincount(y, weights)
    np.testing.assert_allclose(sums, [2, 2, 2], rtol=1e-15, strict=False)
    assert weights.mean() == pytest.approx(1, rel=1e-15)
