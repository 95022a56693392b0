import numpy as np
import pytest

import verify
from verify.diagnosis.recognise import FACTORS, RecognisedFactor, recognise
from verify.oracle.report import Report
from verify.reference.spec import Spec
from verify.reference.truth import Truth
from verify.subject.target import Target


def gradient_of(spec, factor=lambda params, x, y: 1):
    """The reference's own gradient of a spec, times a factor, as somebody's function."""

    def gradient(params, x, y):
        inputs = [np.asarray(tensor, dtype=np.float64) for layer in params for tensor in layer]
        inputs += [np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)]
        layers = Truth.of(spec, inputs, "float64").gradient
        return [
            tuple((tensor * factor(params, x, y)).astype(x.dtype) for tensor in layer) for layer in layers
        ]

    return gradient


@pytest.mark.parametrize(
    ("factor", "text"),
    [
        (lambda params, x, y: -1, "every tensor is -1 times what it must be"),
        (lambda params, x, y: 2, "every tensor is 2 times what it must be"),
        (lambda params, x, y: -2 / len(x), "every tensor is -2 / batch times what it must be"),
        (lambda params, x, y: x.shape[1], "every tensor is n_in times what it must be"),
        (lambda params, x, y: 1 / (len(x) * y.shape[1] ** 2), ""),
        (
            lambda params, x, y: 1 / y.size / len(x),
            "every tensor is 1 / (batch^2 * n_out) times what it must be",
        ),
        (lambda params, x, y: 0.37, "every tensor is 37 / 100 times what it must be"),
        (lambda params, x, y: len(params), ""),
        (lambda params, x, y: 1 + 1e-9, ""),
    ],
)
def test_a_constant_factor_is_found_with_its_formula(factor, text):
    assert recognise(Target(gradient_of(Spec(), factor)), Spec()) == text


@pytest.mark.parametrize(
    ("really", "declared"),
    [
        (Spec(reduction="sum"), Spec()),
        (Spec(reduction="half_mean_all"), Spec(reduction="sum")),
        (Spec("sigmoid", "sigmoid", "squared_error", "half_sum"), Spec()),
        (Spec("sigmoid", "softmax", "squared_error"), Spec()),
        (Spec("relu"), Spec("leaky_relu", reduction="sum")),
        (Spec(), Spec(l2=0.1)),
        (Spec(l2=0.1, reduction="sum"), Spec(l2=0.1)),
    ],
    ids=str,
)
def test_another_member_of_the_family_is_named(really, declared):
    text = recognise(Target(gradient_of(really)), declared)
    assert f"this is exactly the gradient of {really}\nyou declared {declared}" in text


def test_a_factor_and_another_loss_at_once():
    gradient = gradient_of(Spec("sigmoid", "tanh", "squared_error"), lambda params, x, y: -1)
    declared = Spec("sigmoid", "identity", "squared_error")
    assert recognise(Target(gradient), declared).startswith(
        "this is exactly -1 times the gradient of sigmoid hidden, tanh with squared_error, mean\n"
    )


def test_a_right_gradient_and_one_that_is_nobody_s_are_not_recognised():
    assert recognise(Target(gradient_of(Spec())), Spec()) == ""

    def some(params, x, y):
        gradient = gradient_of(Spec())(params, x, y)
        return [(weight, 2 * bias) for weight, bias in gradient]

    assert recognise(Target(some), Spec()) == ""


def test_a_gradient_that_raises_or_has_a_jax_loss_is_not_recognised():
    assert recognise(Target(lambda params, x, y: None), Spec()) == ""
    assert recognise(Target(gradient_of(Spec())), lambda params, x, y: 0.0) == ""


def test_networks_of_one_layer_and_of_three_and_integer_labels():
    gradient = gradient_of(Spec(), lambda params, x, y: len(x))
    for layers in (1, 3):
        assert recognise(Target(gradient, layers=layers), Spec()).startswith("every tensor is batch times")

    def from_labels(params, x, y):
        return gradient(params, x, np.eye(len(params[-1].bias))[y])

    assert recognise(Target(from_labels, labels="integer"), Spec()).startswith("every tensor is batch times")


def test_it_is_in_the_report():
    report = verify.check(gradient_of(Spec(reduction="sum")), cases=20, xla=0, certified=0)
    assert isinstance(report, Report)
    assert "  every tensor is batch times what it must be\n" in str(report)


def test_factors_are_tried_from_simple_to_odd_and_each_has_a_text_of_its_own():
    assert FACTORS[0] == RecognisedFactor()
    assert len({str(factor) for factor in FACTORS}) == len(FACTORS)
