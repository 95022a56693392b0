"""Accuracy is measured against certified enclosures, in units that mean something."""

import argparse

import numpy as np
import pytest

from mlp_ref import softmax
from verify.case.case import Case
from verify.commands import accuracy
from verify.evaluate import balls
from verify.reference.derivative import traced_derivative
from verify.reference.truth import sizes_of_inputs, tensors_of
from verify.subject import mlp_ref_targets

SPEC = mlp_ref_targets.SPECS["sigmoid", "cross_entropy"]


def rounded_truth(spec):
    """An implementation with no error but the last rounding."""

    def gradient(params, x, y):
        inputs = [np.asarray(array, dtype=np.float64) for array in (*tensors_of(params), x, y)]
        sizes = sizes_of_inputs(inputs)
        _, *tensors = balls.evaluate_certified(traced_derivative(spec, sizes), inputs, sizes, x.dtype)
        values = [balls.ball_middle(tensor).astype(x.dtype) for tensor in tensors]
        return [type(params[0])(*pair) for pair in zip(values[::2], values[1::2], strict=True)]

    return gradient


def off_by(factor):
    exact = rounded_truth(SPEC)

    def gradient(params, x, y):
        return [
            type(params[0])(*(np.asarray(t * (1 + factor), dtype=x.dtype) for t in layer))
            for layer in exact(params, x, y)
        ]

    return gradient


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_errors_in_units_of_the_bound(dtype):
    case = Case((4, 3, 2), 3, dtype)
    found = {"best": rounded_truth(SPEC), "wrong": off_by(1e-2)}
    errors = accuracy.errors_in_bounds(SPEC, case, found)
    assert 0 <= errors["best"] < 0.2
    assert errors["wrong"] > 1


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_delta_of_a_confident_row_in_units_of_the_roundoff(dtype):
    u = float(np.finfo(dtype).eps) / 2
    found = {
        "best": rounded_truth(SPEC),
        "64 u": off_by(64 * u),
        "mlp_ref": mlp_ref_targets.mlp_ref_target().gradient,
    }
    errors = [accuracy.delta_errors(SPEC, dtype, seed, found) for seed in range(4)]
    assert max(error["best"] for error in errors) <= 1
    assert all(60 < error["64 u"] < 68 for error in errors)
    assert max(error["mlp_ref"] for error in errors) <= 16


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_confident_row_has_exact_logits_far_apart(dtype):
    [layer], x, y = accuracy.confident_row_for_accuracy(dtype, 3)
    z = x @ layer.weight + layer.bias
    np.testing.assert_array_equal(z, np.asarray(z, dtype=np.float64))
    assert np.all(8 * z == np.round(8 * z))
    assert y[0, int(np.argmax(z))] == 1
    p = softmax(z)
    assert p.max() == 1
    assert p.min() >= np.finfo(dtype).tiny


def test_the_implementations_that_are_compared():
    found = accuracy.implementations("sigmoid", "cross_entropy")
    assert {"mlp_ref", "JAX"} <= set(found) <= {"mlp_ref", "JAX", "PyTorch"}


def test_a_difference_counts_beyond_two_standard_errors():
    rng = np.random.default_rng(0)
    theirs = rng.random(100)
    rows = [
        accuracy.AccuracyRow(
            "ordinary", "float64", {"mlp_ref": theirs + 0.001 * rng.standard_normal(100), "JAX": theirs}
        ),
        accuracy.AccuracyRow("deep", "float64", {"mlp_ref": 1.5 * theirs, "JAX": theirs}),
        accuracy.AccuracyRow("saturated", "float64", {"mlp_ref": 0.5 * theirs, "JAX": theirs}),
    ]
    worst, larger, smaller = accuracy.compare_accuracy(rows)
    assert "deep float64 (1.50 times)" in worst
    assert larger.endswith("in 1 of 3: deep float64 (1.50 times)")
    assert smaller.endswith("in 1 of 3: saturated float64 (0.50 times)")


def test_one_case_tells_no_difference_of_means():
    row = accuracy.AccuracyRow("ordinary", "float64", {"mlp_ref": np.array([2.0]), "JAX": np.array([1.0])})
    assert row.excess("mlp_ref", "JAX") == 0


def test_the_command_has_its_options():
    parser = argparse.ArgumentParser()
    accuracy.add_arguments(parser)
    assert vars(parser.parse_args([])) == {"cases": 20, "hidden": "sigmoid", "loss": "cross_entropy"}
