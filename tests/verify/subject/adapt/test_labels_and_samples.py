"""Labels of every kind, gradients for each sample, and a loss beside the gradient: read, and said to be."""

import itertools

import numpy as np
import pytest

import verify
from verify.reference.spec import Spec
from verify.subject.adapt.reading import Reading, reading_shapes

SIGMOID = Spec("sigmoid", "sigmoid", "squared_error", "half_sum")
QUICK = {"cases": 25, "xla": 0, "certified": 0, "regimes": ["ordinary", "batch_1"]}


class Network:
    """Sigmoid all through, half the squared error, summed; weights (in, out), samples in rows."""

    def __init__(self, sizes):
        self.weights = [np.zeros(pair) for pair in itertools.pairwise(sizes)]
        self.biases = [np.zeros(n) for n in sizes[1:]]

    def deltas(self, x, y):
        a = [x]
        for w, b in zip(self.weights, self.biases, strict=True):
            a.append(1 / (1 + np.exp(-(a[-1] @ w + b))))
        delta, deltas = a[-1] - y, []
        for i in reversed(range(len(self.weights))):
            delta = delta * a[i + 1] * (1 - a[i + 1])
            deltas.append(delta)
            delta = delta @ self.weights[i].T
        return a, deltas[::-1]

    def gradient(self, x, y):
        a, deltas = self.deltas(x, y)
        return [(a[i].T @ d, d.sum(axis=0)) for i, d in enumerate(deltas)]

    def of_each_sample(self, x, y):
        a, deltas = self.deltas(x, y)
        return [(a[i][:, :, None] * d[:, None, :], d) for i, d in enumerate(deltas)]

    def of_classes(self, x, y):
        if y.ndim != 1:
            raise ValueError("class labels, please")
        return self.gradient(x, np.eye(len(self.biases[-1]), dtype=x.dtype)[y])

    def of_one_hot(self, x, y):
        return self.of_classes(x, y.argmax(axis=1))

    def with_loss(self, x, y):
        pairs = self.gradient(x, y)
        return 0.5, [dw for dw, _ in pairs], [db for _, db in pairs]

    def with_loss_before(self, x, y):
        return np.float64(0.5), self.gradient(x, y)


def checked(call, spec=SIGMOID, **said):
    return verify.check(verify.adapt(call, make=Network, spec=spec, **said), **QUICK)


def test_a_network_of_class_labels_is_found_to_take_them_also_with_sigmoids():
    report = checked(Network.of_classes)
    assert report.verdict == "verified"
    assert any("targets as integers" in note for note in report.notes)


@pytest.mark.parametrize("hidden_regime", ["ordinary", "missing_class"])
def test_a_network_of_one_hot_rows_is_judged_on_them(hidden_regime):
    adapted = verify.adapt(Network.of_one_hot, make=Network, spec=SIGMOID, labels="one_hot")
    report = verify.check(adapted, **{**QUICK, "regimes": [hidden_regime]})
    assert report.verdict == "verified"
    assert checked(Network.of_one_hot).verdict == "wrong"


def test_gradients_of_each_sample_are_added_up_where_the_loss_is_a_sum():
    report = checked(Network.of_each_sample)
    assert report.verdict == "verified"
    assert any("gradients for each sample, added up" in note for note in report.notes)


def test_gradients_of_each_sample_are_averaged_where_the_loss_is_a_mean():
    report = checked(Network.of_each_sample, Spec("sigmoid", "sigmoid", "squared_error", "half_mean"))
    assert report.verdict == "verified"
    assert any("gradients for each sample, averaged" in note for note in report.notes)


@pytest.mark.parametrize("call", [Network.with_loss, Network.with_loss_before])
def test_a_loss_beside_the_gradient_is_skipped(call):
    assert checked(call).verdict == "verified"


def test_where_nothing_fits_the_shapes_are_said():
    report = checked(lambda network, x, y: (1.0, 2.0, "text"))
    [finding] = report.findings
    assert finding.verdict == "crashed"
    assert "it has the shapes (a number, a number, a text)" in finding.detail
    assert "wanted are [((" in finding.detail


def test_shapes_are_said_as_they_are_nested():
    assert reading_shapes([(np.zeros((3, 4)), np.zeros(4))]) == "[((3, 4), (4,))]"
    assert reading_shapes({"W": np.zeros((2, 1)), "loss": 0.5}) == "{W: (2, 1), loss: a number}"
    assert reading_shapes(None) == "NoneType"


def test_what_holds_no_scalar_is_taken_as_it_is():
    one_layer = [(np.zeros((3, 2)), np.zeros(2))]
    weights, biases = Reading().taken_apart(one_layer, 1)
    assert (weights[0].shape, biases[0].shape) == ((3, 2), (2,))
