"""The mistakes of the notebook this project began with: each test has the faulty formula beside the right one.

The notebook's arrays were columns, (outputs, batch); here they are rows, (batch, outputs).
"""

import numpy as np
import pytest

from mlp_ref import (
    MLP,
    cross_entropy,
    datasets,
    loss_and_gradient,
    mse,
    sigmoid,
    softmax,
    softmax_jacobian,
    softmax_mse,
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def batch(rng):
    """A float64 network with its inputs and labels: 7 rows, 6 inputs, 4 classes."""
    net = MLP([6, 5, 4], init="normal", dtype=np.float64, seed=0)
    return net, rng.standard_normal((7, 6)), rng.integers(0, 4, 7)


def by_differences(function, point, step=1e-6):
    """Return the gradient of a function of an array, by central differences."""
    gradient = np.empty_like(point)
    for index in np.ndindex(point.shape):
        ends = []
        for sign in (1, -1):
            moved = point.copy()
            moved[index] += sign * step
            ends.append(function(moved))
        gradient[index] = (ends[0] - ends[1]) / (2 * step)
    return gradient


def close(actual, expected):
    """Compare with central differences, which are good to some 1e-9 for numbers of about 1 in float64."""
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-8, strict=True)


def test_softmax_has_a_full_jacobian(rng):
    z = rng.standard_normal(4)
    p = softmax(z[np.newaxis])[0]
    notebook = np.diag(p * (1 - p))
    right = softmax_jacobian(p)
    close(right, np.stack([by_differences(lambda z, i=i: softmax(z[np.newaxis])[0, i], z) for i in range(4)]))
    np.testing.assert_allclose(np.diag(right), np.diag(notebook), rtol=1e-14)
    assert np.abs(right - notebook).max() > 0.05


def test_softmax_and_its_loss_have_the_gradient_of_their_composition(rng):
    z, y = rng.standard_normal((1, 4)), np.eye(4)[[2]]
    p = softmax(z)
    notebook = 2 * (p - y) / 4 * p * (1 - p)
    _, right = softmax_mse(z, y)
    expected = by_differences(lambda z: softmax_mse(z, y)[0], z)
    close(right, expected)
    assert np.abs(notebook - expected).max() > 0.01


def test_mean_squared_error_and_its_gradient_divide_by_the_same_number(rng):
    """The loss was a mean over all elements, its gradient divided by the columns: one, for one example."""
    outputs, y = rng.standard_normal((2, 1, 10))
    notebook = 2 * (outputs - y).T / y.T.shape[1]
    _, right = mse(outputs, y)
    close(right, by_differences(lambda outputs: np.mean((outputs - y) ** 2), outputs))
    np.testing.assert_allclose(notebook.T, 10 * right, rtol=1e-14)


def test_bias_gradient_sums_over_the_batch(batch):
    net, x, y = batch
    _, dlogits = cross_entropy(net.forward(x), y)
    notebook = dlogits.T
    bias = net.params[-1].bias
    assert notebook.shape == (4, 7)
    with pytest.raises(ValueError, match="non-broadcastable output operand"):
        bias[:, np.newaxis] -= notebook
    _, grads = net.loss_and_gradient(x, y)
    assert grads[-1].bias.shape == bias.shape
    np.testing.assert_allclose(grads[-1].bias, notebook.sum(axis=1), rtol=1e-14)


def test_the_mean_over_the_batch_is_taken_once(batch):
    """The notebook divided by the batch in the loss's gradient and again in the update."""
    net, x, y = batch
    _, together = net.loss_and_gradient(x, y)
    alone = [net.loss_and_gradient(x[i : i + 1], y[i : i + 1])[1] for i in range(7)]
    for part, *parts in zip(together, *alone, strict=True):
        for name in ("weight", "bias"):
            mean = np.mean([getattr(layer, name) for layer in parts], axis=0)
            np.testing.assert_allclose(getattr(part, name), mean, rtol=0, atol=1e-15, strict=True)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.zeros((60000, 10)), r"\(60000, 10\)"),
        (np.zeros((10, 1)), r"\(10, 1\)"),
        (np.zeros(10), r"\(10,\)"),
    ],
    ids=["all the targets", "a column", "one target for all rows"],
)
def test_targets_that_do_not_match_are_refused(y, message):
    """NumPy would broadcast some of these in silence, and has no helpful message for the others."""
    net = MLP([784, 16, 10], dtype=np.float64, seed=0)
    with pytest.raises(ValueError, match=f"^y must have one row per row of x: x has 32 but y is {message}"):
        net.loss_and_gradient(np.zeros((32, 784)), y)


def test_rows_are_normalised_row_by_row(rng):
    """Normalising along axis 0 is right for columns; the notebook printed its figures from rows."""
    z = rng.standard_normal((3, 4))
    np.testing.assert_allclose(softmax(z).sum(axis=1), np.ones(3), rtol=1e-15)
    columns = np.exp(z) / np.exp(z).sum(axis=0)
    assert np.abs(columns.sum(axis=1) - 1).max() > 0.1


def test_sigmoid_does_not_overflow():
    z = np.array([-1000.0])
    with pytest.warns(RuntimeWarning, match="overflow"):
        1 / (1 + np.exp(-z))
    a, _ = sigmoid(z)
    assert 0 <= a[0] < 1e-300


def test_slope_survives_saturation():
    z = np.array([20.0], np.float32)
    a, slope = sigmoid(z)
    assert a * (1 - a) == 0
    np.testing.assert_allclose(slope, np.exp(-z), rtol=1e-6)


def test_a_confident_mistake_has_a_gradient():
    """Squared error after softmax forgives what it should correct most; cross-entropy does not."""
    logits, y = np.array([[20.0, 0.0]]), np.array([1])
    _, squared = softmax_mse(logits, y)
    _, entropy = cross_entropy(logits, y)
    assert np.abs(squared).max() < 1e-8
    np.testing.assert_allclose(entropy, [[1, -1]], rtol=1e-8)


def test_new_network_is_not_saturated(rng):
    """Standard normal weights make sums of 784 inputs whose sigmoids are flat before training begins."""
    x = rng.random((100, 784), np.float32)
    flat = {}
    for init in ("normal", "glorot"):
        layer = MLP([784, 16, 10], init=init, seed=0).params[0]
        _, slope = sigmoid(x @ layer.weight + layer.bias)
        flat[init] = float(np.mean(slope < 0.01))
    assert flat["normal"] > 0.5
    assert flat["glorot"] == 0


def test_same_seed_same_bits():
    (x, y), _ = datasets.load_digits()
    first, second = (MLP([64, 16, 10], seed=3) for _ in range(2))
    for net in (first, second):
        np.random.rand()  # noqa: NPY002 - the global generator, which the notebook drew from, has no say
        net.fit(x, y, epochs=1)
    np.testing.assert_array_equal(first.flat, second.flat, strict=True)


def test_a_smaller_last_batch_has_its_own_mean(batch):
    """Seven rows in batches of 32: dividing their sum by 32 makes a step of 7/32."""
    net, x, y = batch
    before = net.flat.copy()
    _, grads = net.loss_and_gradient(x, y)
    net.fit(x, y, epochs=1, batch_size=32, learning_rate=0.5)
    right = np.concatenate([part.ravel() for layer in grads for part in layer])
    np.testing.assert_allclose(net.flat, before - 0.5 * right, rtol=0, atol=1e-14, strict=True)
    assert np.abs(net.flat - (before - 0.5 * right * 7 / 32)).max() > 1e-3


def test_every_epoch_is_reported_also_the_last(capsys):
    """Printing where the epoch's number divides by 10 leaves out the last of 20."""
    (x, y), _ = datasets.load_digits()
    history = MLP([64, 10], seed=0).fit(x, y, epochs=20, progress=True)
    assert len(history.loss) == len(history.accuracy) == 20
    assert "Epoch: 20/20, Loss: " in capsys.readouterr().out


def test_accuracy_is_measured_on_other_images_by_the_finished_epoch():
    """The notebook measured on the training images, while the weights were changing, and never on the others."""
    train, test = datasets.load_digits()
    net = MLP([64, 10], seed=0)
    history = net.fit(*train, epochs=3, learning_rate=0.5, validation=test)
    assert history.validation_accuracy[-1] == net.score(*test)


def test_a_gradient_does_not_depend_on_an_earlier_call(batch):
    """The notebook kept its activations on the network: backprop answered for whatever had run last."""
    net, x, y = batch
    loss, grads = net.loss_and_gradient(x, y)
    net.forward(x[:2] + 1)
    net.predict(x[:3])
    again, grads_again = loss_and_gradient(net.params, x, y)
    assert again == loss
    for one, two in zip(grads, grads_again, strict=True):
        np.testing.assert_array_equal(one.weight, two.weight, strict=True)
        np.testing.assert_array_equal(one.bias, two.bias, strict=True)


def test_a_column_is_not_taken_for_a_row():
    """A flat example became a column of its own shape; here an example is a row of a batch, or refused."""
    net = MLP([6, 4], dtype=np.float64, seed=0)
    with pytest.raises(ValueError, match=r"^x must .*\(6,\)"):
        net.forward(np.zeros(6))
    with pytest.raises(ValueError, match=r"^x must .*\(6, 1\)"):
        net.forward(np.zeros((6, 1)))
