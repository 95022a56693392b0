"""The outputs that a user's forward pass is compared with: right in every regime, and tight."""

import numpy as np
import pytest

import verify
from verify.case.case import REGIMES
from verify.reference.derivative import traced_derivative
from verify.reference.outputs import traced_outputs, truth_of_outputs
from verify.reference.spec import OUTPUT_LOSSES, Spec
from verify.reference.truth import sizes_of_inputs
from verify.subject.target import Target


def sigmoid(z):
    return np.where(z < 0, np.exp(-abs(z)), 1) / (1 + np.exp(-abs(z)))


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


OUTPUT = {"softmax": softmax, "sigmoid": sigmoid, "tanh": np.tanh, "identity": lambda z: z}


def forward_of(spec):
    def forward(params, x):
        for weight, bias in params[:-1]:
            x = np.tanh(x @ weight + bias)
        weight, bias = params[-1]
        return OUTPUT[spec.output](x @ weight + bias).astype(x.dtype)

    return forward


def gradient_of(spec):
    """The reference's own values: only the outputs are on trial here."""

    def gradient(params, x, y):
        from verify.reference.truth import Truth

        inputs = [np.asarray(tensor, dtype=np.float64) for layer in params for tensor in layer]
        layers = Truth.of(spec, [*inputs, x.astype(np.float64), y.astype(np.float64)], x.dtype).gradient
        return [tuple(tensor.astype(x.dtype) for tensor in layer) for layer in layers]

    return gradient


@pytest.mark.parametrize(("output", "loss"), OUTPUT_LOSSES)
def test_a_plain_forward_pass_is_within_its_bounds_in_every_regime(output, loss):
    spec = Spec("tanh", output, loss)
    target = Target(gradient_of(spec), forward=forward_of(spec))
    report = verify.check(target, spec, cases=60, xla=0, certified=0, regimes=tuple(REGIMES), diagnose=False)
    assert report.ok, str(report)


def test_the_bounds_of_outputs_are_tight():
    case = verify.Case((8, 16, 10), 32, seed=3)
    ((value, bound),) = truth_of_outputs(Spec(), case.inputs(), "float64").outputs
    assert value.shape == bound.shape == (32, 10)
    assert (bound / value).max() < 1e-13
    np.testing.assert_array_less(abs(value.sum(axis=1) - 1), 1e-15 * 10)


def test_a_forward_pass_is_traced_once_a_depth():
    assert traced_outputs(Spec(), 2) is traced_outputs(Spec(), 2)
    sizes = sizes_of_inputs(verify.Case((3, 4, 2), 5).inputs())
    assert len(traced_outputs(Spec(), 2).operations) < len(traced_derivative(Spec(), sizes).operations)


def test_without_biases_the_outputs_do_not_depend_on_them():
    inputs = verify.Case((3, 4, 2), 5).inputs()
    ((value, _),) = truth_of_outputs(Spec(biases=False), inputs, "float64").outputs
    inputs[1] = inputs[1] + 1
    ((again, _),) = truth_of_outputs(Spec(biases=False), inputs, "float64").outputs
    np.testing.assert_array_equal(again, value, strict=True)
