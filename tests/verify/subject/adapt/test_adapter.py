"""Adapters: what they infer, what they refuse, and what they notice about the networks that they call."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest

import verify
from mlp_ref import loss_and_gradient
from mlp_ref.params import Layer
from verify.subject.adapt.recovery import recovered_gradient, recovered_mean
from verify.subject.adapt.slots import slots

QUICK = {"cases": 30, "xla": 0, "certified": 0, "diagnose": False, "regimes": ("ordinary", "batch_1", "tiny")}


class Net:
    """A right network in plain conventions, made of `mlp_ref`, for what concerns state rather than layout."""

    dtype = None

    def __init__(self, sizes):
        shapes = list(itertools.pairwise(sizes))
        self.weights = [np.ones(shape, dtype=self.dtype) for shape in shapes]
        self.biases = [np.ones(shape[1], dtype=self.dtype) for shape in shapes]

    @property
    def params(self):
        return [Layer(*pair) for pair in zip(self.weights, self.biases, strict=True)]

    def gradient(self, x, y):
        return loss_and_gradient(self.params, x, y)[1]

    def step(self, x, y, rate):
        for i, (dweight, dbias) in enumerate(self.gradient(x, y)):
            self.weights[i] = self.weights[i] - rate * dweight
            self.biases[i] = self.biases[i] - rate * dbias


def first(report):
    assert report.findings, str(report)
    return report.findings[0]


# --- places


def test_places_of_every_kind():
    net = SimpleNamespace(
        weights=[1, 2],
        padded=[None, 3, 4],
        W0=5,
        W1=6,
        params={"W1": 7, "W2": 8},
        layers=[SimpleNamespace(W=9), object(), {"W": 10}],
        by_number={1: 11, 2: 12},
        deep=SimpleNamespace(
            blocks=[
                SimpleNamespace(dense=SimpleNamespace(W=13)),
                SimpleNamespace(dense=SimpleNamespace(W=14)),
            ]
        ),
        tuples=[(15, 0), (16, 0)],
    )
    for path, expected in (
        ("weights", [1, 2]),
        ("padded", [3, 4]),
        ("W{}", [5, 6]),
        ("params.W{}", [7, 8]),
        ("layers[].W", [9, 10]),
        ("by_number", [11, 12]),
        ("deep.blocks[].dense.W", [13, 14]),
        ("tuples[].0", [15, 16]),
        (lambda net: net.weights, [1, 2]),
    ):
        assert [slot.get() for slot in slots(net, path, 2, "weights")] == expected
    assert [slot.get() for slot in slots(net.layers, "[].W", 2, "weights")] == [9, 10]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (
            "nothing",
            "weights='nothing' does not lead to arrays in the Net: 'Net' object has no attribute 'nothing'",
        ),
        ("weights", "weights='weights' leads to 2 arrays in the Net; there are 3 layers"),
        (
            "layers[].W",
            "weights='layers[].W' does not lead to arrays in the Net: 'Net' object has no attribute 'layers'",
        ),
    ],
)
def test_a_place_that_is_not_there_is_said(path, message):
    with pytest.raises(LookupError) as raised:
        slots(Net([2, 3, 4]), path, 3, "weights")
    assert str(raised.value) == message


def test_an_empty_dictionary_is_filled():
    net = {}
    for path in ("W{}", "biases"):
        for i, slot in enumerate(slots(net, path, 2, "weights")):
            slot.put(np.full(1, i), in_place=False)
    assert net == {"W1": 0, "W2": 1, "biases": [0, 1]}


@pytest.mark.parametrize(("paths", "inferred"), [(("W{}", "b{}"), True), (("W{0}", "b{0}"), False)])
def test_a_dictionary_whose_layers_count_from_zero(paths, inferred):
    def grads(net, x, y):
        params = [Layer(net[f"W{i}"], net[f"b{i}"]) for i in range(len(net) // 2)]
        return {
            f"{kind}{i}": tensor
            for i, layer in enumerate(loss_and_gradient(params, x, y)[1])
            for kind, tensor in zip(("dW", "db"), layer, strict=True)
        }

    weights, biases = paths
    adapter = verify.adapt(grads, weights=weights, biases=biases, gradients=("dW{}", "db{}"))
    report = verify.check(adapter, **QUICK)
    assert report.ok, report
    assert ("layers counted from 0" in report.notes) is inferred
    half = verify.adapt(
        lambda net, x, y: {name: 0.5 * tensor for name, tensor in grads(net, x, y).items()},
        weights=weights, biases=biases, gradients=("dW{}", "db{}"),
    )  # fmt: skip
    assert first(verify.check(half, **QUICK)).verdict == "wrong"


def test_a_function_that_runs_with_no_count_shows_its_own_error():
    adapter = verify.adapt(lambda net, x, y: net["V7"], weights="W{}", biases="b{}")
    assert "KeyError: 'V7'" in first(verify.check(adapter, **QUICK)).detail


# --- arguments


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            {},
            TypeError,
            "adapt needs one of call(network, x, y) and update(network, x, y, learning_rate); got neither",
        ),
        (
            {"call": print, "update": print},
            TypeError,
            "adapt needs one of call(network, x, y) and update(network, x, y, learning_rate); got both",
        ),
        ({"call": 3}, TypeError, "call must be a function; got int"),
        ({"call": print, "make": 3}, TypeError, "make must be a function; got int"),
        ({"call": print, "samples": "cols"}, ValueError, "samples must be one of rows, columns, single, "),
        (
            {"call": print, "bias": "none"},
            ValueError,
            "bias='none' needs biases to be None, as there are none of their own; got biases='biases'",
        ),
        (
            {"call": print, "bias": "flat", "biases": None},
            ValueError,
            "bias='flat' needs biases to be where they are; got biases=None",
        ),
        (
            {"call": print, "gradients": "dW"},
            ValueError,
            "gradients must be a tuple of places, (weights', biases'); ",
        ),
        (
            {"call": print, "gradients": ("a", "b"), "biases": None},
            ValueError,
            "gradients must be a tuple of places, ",
        ),
        ({"call": print, "reduce": "max"}, ValueError, "reduce must be 'mean' or 'sum'; got 'max'"),
        (
            {"update": print, "learning_rates": (0,)},
            ValueError,
            "learning_rates must be one or two positive numbers",
        ),
        (
            {"call": print, "dtypes": "float64"},
            ValueError,
            "dtypes must be a non-empty list from float64, float32",
        ),
    ],
)
def test_arguments_that_do_not_go_together_are_refused(arguments, error, message):
    with pytest.raises(error) as raised:
        verify.adapt(**arguments)
    assert str(raised.value).startswith(message)


# --- inference


def test_the_report_says_what_was_inferred():
    report = verify.check(verify.adapt(Net.gradient, make=Net), **QUICK)
    assert report.ok
    assert report.notes == (
        "weights (in, out); biases (n,); samples in rows; targets as rows",
        "gradients as (dweight, dbias) pairs",
        "(inferred on 8-5-3, batch 11)",
    )
    assert "  read as          weights (in, out); biases (n,); samples in rows" in str(report)


def test_nothing_is_inferred_that_was_said():
    adapter = verify.adapt(
        Net.gradient, make=Net, orientation="in_out", bias="flat", samples="rows", labels="rows"
    )
    assert verify.check(adapter, **QUICK).notes[0] == "gradients as (dweight, dbias) pairs"


def test_a_mean_that_was_forgotten_is_not_taken_for_single_samples():
    def summed(net, x, y):
        return [Layer(w * len(x), b * len(x)) for w, b in net.gradient(x, y)]

    report = verify.check(verify.adapt(summed, make=Net), **{**QUICK, "diagnose": True})
    assert report.verdict == "wrong"
    assert "every tensor is batch times what it must be" in first(report).diagnosis
    assert "(it would also run with one sample (1, n) at a time (samples='single_row'))" in report.notes
    assert verify.check(verify.adapt(summed, make=Net, samples="single_row"), **QUICK).ok


def test_bias_gradients_that_were_never_summed_are_not_taken_for_single_samples():
    class Columns(Net):
        def __init__(self, sizes):
            super().__init__(sizes)
            self.biases = [bias[:, None] for bias in self.biases]

        def backprop(self, x, y):
            biases = [bias.reshape(-1) for bias in self.biases]
            params = [Layer(*pair) for pair in zip(self.weights, biases, strict=True)]
            parts = [loss_and_gradient(params, x.T[i : i + 1], y.T[i : i + 1])[1] for i in range(x.shape[1])]
            return [
                (sum(layer.weight for layer in layers), np.stack([layer.bias for layer in layers], axis=1))
                for layers in zip(*parts, strict=True)
            ]

    report = verify.check(verify.adapt(Columns.backprop, make=Columns), **QUICK)
    assert report.verdict == "wrong"
    assert first(report).check == "result"
    assert first(report).detail == "the dbias of layer 1 has shape (2, 2); the parameter has (2,)"
    assert verify.check(verify.adapt(Columns.backprop, make=Columns, samples="single_column"), **QUICK).ok


def test_a_network_that_runs_in_no_reading_crashes_with_its_own_words():
    def broken(net, x, y):
        raise RuntimeError("no luck")

    report = verify.check(verify.adapt(broken, make=Net), **QUICK)
    assert report.verdict == "crashed"
    assert first(report).detail.startswith("the gradient raised RuntimeError: no luck (line ")
    assert report.notes[-1] == "(no reading ran on 8-5-3, batch 11; this is the first that was tried)"


def test_a_place_that_was_misspelt_is_in_the_report():
    report = verify.check(verify.adapt(Net.gradient, make=Net, weights="wieghts"), **QUICK)
    assert report.verdict == "crashed"
    assert "weights='wieghts' does not lead to arrays in the Net" in first(report).detail


def test_a_network_of_one_depth_is_judged_at_that_depth():
    def make(sizes):
        assert len(sizes) == 4
        return Net(sizes)

    report = verify.check(
        verify.adapt(Net.gradient, make=make, layers=3),
        **{**QUICK, "regimes": ("ordinary", "no_hidden", "deep")},
    )
    assert report.ok
    assert "no_hidden" not in report.judged
    assert "deep" not in report.judged


# --- setting parameters


class Shared(Net):
    """Computes with arrays that other names share: parameters must be set in place."""

    def __init__(self, sizes):
        super().__init__(sizes)
        self.used = [Layer(*pair) for pair in zip(self.weights, self.biases, strict=True)]

    @property
    def params(self):
        return self.used


class Shared32(Shared):
    dtype = np.float32


def test_parameters_are_set_in_place_where_replacing_them_does_nothing():
    report = verify.check(verify.adapt(Shared.gradient, make=Shared), **QUICK)
    assert report.ok, str(report)
    assert report.notes[-1] == (
        "float64 only: parameters are set in place, in arrays that the network made float64"
    )


def test_float32_parameters_set_in_place_are_noticed():
    adapter = verify.adapt(Shared32.gradient, make=Shared32)
    report = verify.check(adapter, **QUICK)
    assert report.ok, str(report)
    assert report.notes[-1].startswith("float32 only: parameters are set in place")
    report = verify.check(adapter, dtypes=("float64",), **QUICK)
    assert report.verdict == "imprecise"
    assert first(report).check == "parameters"
    assert first(report).detail == (
        "the network keeps the weight of layer 1 in float32: float64 numbers were rounded as they were set "
        "(dtypes=('float32',) judges float32 alone)"
    )


def test_a_call_that_changes_the_parameters_is_noticed():
    def training(net, x, y):
        gradient = net.gradient(x, y)
        net.step(x, y, 0.1)
        return gradient

    report = verify.check(verify.adapt(training, make=Net), **QUICK)
    assert first(report).check == "inputs"
    assert first(report).detail == (
        "the call changed the weight of layer 1 of the network, which it was to differentiate"
    )


def test_gradients_that_are_parameters_are_noticed():
    report = verify.check(verify.adapt(lambda net, x, y: net.params, make=Net), **QUICK)
    assert first(report).check == "aliasing"
    assert first(report).detail == (
        "the gradient of the weight of layer 1 shares memory with a parameter of the network"
    )


# --- one instance, many calls


class Accumulating(Net):
    def __init__(self, sizes):
        super().__init__(sizes)
        self.dweights = [0 * weight for weight in self.weights]
        self.dbiases = [0 * bias for bias in self.biases]

    def run(self, x, y):
        for i, (dweight, dbias) in enumerate(self.gradient(x, y)):
            self.dweights[i] = self.dweights[i].astype(dweight.dtype) + dweight
            self.dbiases[i] = self.dbiases[i].astype(dbias.dtype) + dbias


def test_a_fresh_network_for_each_call_and_one_for_the_checks_of_state():
    adapter = verify.adapt(Accumulating.run, make=Accumulating, gradients=("dweights", "dbiases"))
    options = {name: value for name, value in QUICK.items() if name != "cases"}
    assert verify.check(adapter, cases=20, checks=("gradient",), **options).ok
    report = verify.check(adapter, cases=60, **options)
    assert report.verdict == "wrong"
    assert {finding.check for finding in report.findings} <= {
        "repeat",
        "second_call",
        "batch_order",
        "split_batch",
    }


def test_one_network_for_all_calls_where_the_user_says_so():
    made = []

    def make(sizes):
        made.append(tuple(sizes))
        return Net(sizes)

    target = verify.adapt(Net.gradient, make=make, fresh=False).target()
    assert target.session is None
    made.clear()
    case = verify.Case((3, 4, 2), 5)
    for _ in range(3):
        target.gradient(*case.arrays())
    assert made == [(3, 4, 2)]


# --- updates


def test_a_right_step_is_verified_and_the_rates_are_in_the_report():
    report = verify.check(verify.adapt(update=Net.step, make=Net), **QUICK)
    assert report.ok, str(report)
    assert "gradient recovered from steps at learning rate 1024 and 1" in report.notes


def test_decay_outside_the_rate_and_weights_updated_too_early_show_at_two_rates():
    def decaying(net, x, y, rate):
        net.step(x, y, rate)
        net.weights = [0.99 * weight for weight in net.weights]

    def early(net, x, y, rate):
        dweight, dbias = net.gradient(x, y)[-1]
        net.weights[-1] = net.weights[-1] - rate * dweight
        net.biases[-1] = net.biases[-1] - rate * dbias
        for i, (dweight, dbias) in enumerate(net.gradient(x, y)[:-1]):
            net.weights[i] = net.weights[i] - rate * dweight
            net.biases[i] = net.biases[i] - rate * dbias

    for update in (decaying, early):
        report = verify.check(verify.adapt(update=update, make=Net), **QUICK)
        assert first(report).check == "learning_rate", str(report)
        assert first(report).verdict == "wrong"


def test_one_rate_alone_shows_the_gradient_only():
    report = verify.check(verify.adapt(update=Net.step, make=Net, learning_rates=[0.1]), **QUICK)
    assert report.ok, str(report)
    assert "gradient recovered from steps at learning rate 0.1" in report.notes


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rate", [0.01, 1.0, 1024.0, 3e-7])
def test_the_error_of_a_recovery_holds_the_gradient_that_was_stepped(dtype, rate):
    rng = np.random.default_rng(0)
    gradient = rng.standard_normal((200, 50)) * 10.0 ** rng.integers(-8, 3, (200, 50))
    before = rng.standard_normal((200, 50)).astype(dtype)
    gradient = gradient.astype(dtype)
    after = before - rate * gradient
    assert after.dtype == dtype
    [layer] = found = recovered_gradient([Layer(before, before[0])], [Layer(after, after[0])], rate)
    exact = gradient.astype(np.longdouble)
    error = abs(layer.weight.astype(np.longdouble) - exact)
    assert np.all(error <= found.error[0].weight)
    if rate in (0.01, 3e-7):  # the product with a power of two does not round
        assert error.max() > found.error[0].weight.max() / 4  # it is not much larger than it must be


def test_gradients_recovered_one_by_one_are_averaged_with_their_errors():
    layer = Layer(np.array([[1.0, 2.0]]), np.array([3.0]))
    parts = [
        recovered_gradient([layer], [Layer(layer.weight - g, layer.bias - g)], 1.0) for g in (0.25, 0.75)
    ]
    average = recovered_mean(parts, 2)
    np.testing.assert_array_equal(average[0].weight, [[0.5, 0.5]], strict=True)
    assert np.all(average.error[0].weight >= sum(part.error[0].weight for part in parts) / 2)


def test_an_update_that_changes_a_shape_is_named():
    def spreading(net, x, y, rate):
        net.step(x, y, rate)
        net.biases[0] = net.biases[0] + np.zeros((len(x), 1))

    report = verify.check(verify.adapt(update=spreading, make=Net, bias="flat", samples="rows"), **QUICK)
    assert first(report).check == "result"
    assert first(report).detail.startswith("the dbias of layer 1 has shape (")
