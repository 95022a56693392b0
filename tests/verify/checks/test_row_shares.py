"""Shares of the rows of a batch in a gradient."""

import jax.numpy as jnp
import numpy as np
import pytest

import verify
from mlp_ref import loss_and_gradient
from verify.checks.row_shares import find_row_shares
from verify.reference.judge import judge
from verify.reference.truth import Truth, tensors_of

CASE = verify.Case((12, 12, 12), 6)


def right(params, x, y):
    return loss_and_gradient(params, x, y)[1]


def shares(gradient, case=CASE, spec=None):
    spec = spec or verify.Spec()
    truth = Truth.of(spec, case.inputs(), case.dtype)
    got = [np.asarray(tensor) for tensor in tensors_of(gradient(*case.arrays()))]
    found = find_row_shares(spec, case, judge(truth.tensors, got, case.dtype).entries)
    return found and {part.kind: np.round(part.shares, 3).tolist() for part in found.of}


def of_rows(weights):
    """The mean over the rows, each times a weight."""

    def gradient(params, x, y):
        parts = [right(params, x[i : i + 1], y[i : i + 1]) for i in range(len(x))]
        return [
            [sum(w * part[layer][k] for w, part in zip(weights, parts, strict=True)) / len(x) for k in (0, 1)]
            for layer in range(len(params))
        ]

    return gradient


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_missing_row_a_double_one_and_a_negative_one(dtype):
    weights = [1.0, 0.0, 2.0, -1.0, 1.0, 0.5]
    case = verify.Case((12, 12, 12), 6, dtype)
    assert shares(of_rows(weights), case) == {"weights": weights, "biases": weights}


def test_weights_and_biases_are_told_apart():
    def first_row(params, x, y):
        alone = right(params, x[:1], y[:1])
        return [(dw, db / len(x)) for (dw, _), (_, db) in zip(right(params, x, y), alone, strict=True)]

    assert shares(first_row) == {"weights": [1.0] * 6, "biases": [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]}


def test_a_sum_over_the_rows_is_taken_apart_as_a_mean_is():
    def summed(params, x, y):
        return [(len(x) * dw, len(x) * db) for dw, db in right(params, x, y)]

    assert shares(summed, spec=verify.Spec(reduction="sum")) == {"weights": [1.0] * 6, "biases": [1.0] * 6}
    assert shares(summed) == {"weights": [6.0] * 6, "biases": [6.0] * 6}


def test_what_is_no_sum_of_rows_is_not_called_one():
    def squared(params, x, y):
        return [(dw**2, db**2) for dw, db in right(params, x, y)]

    assert shares(squared) is None
    assert shares(lambda *arrays: [(dw * np.nan, db * np.nan) for dw, db in right(*arrays)]) is None


def test_fewer_numbers_than_would_determine_the_shares_say_nothing():
    assert shares(right, verify.Case((2, 2), 6)) is None
    assert shares(right, verify.Case((12, 12), 1)) is None


def test_a_loss_that_mixes_rows_is_left_alone():
    def loss(params, x, y):
        (weight, bias), *_ = params
        return jnp.sum(jnp.mean((x @ weight + bias[jnp.newaxis, :] - y), axis=0) ** 2)

    assert shares(right, verify.Case((12, 12), 6), loss) is None


def test_a_finding_has_them():
    report = verify.check(of_any_rows, cases=40, xla=0, certified=0, false_alarm=0, diagnose=False)
    (finding,) = (finding for finding in report.findings if finding.check == "gradient")
    assert finding.rows.case.batch == 6
    assert [np.round(part.shares, 3).tolist() for part in finding.rows.of] == [[1.2] * 5 + [0.0]] * 2
    assert "rows" not in report.to_dict()["findings"][0]
    assert "The rows of a batch" in report.to_html()


def of_any_rows(params, x, y):
    """The last row is left out, where there are several."""
    return right(params, x[:-1], y[:-1]) if len(x) > 1 else right(params, x, y)
