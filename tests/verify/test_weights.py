"""Weights of rows, through the whole oracle: drawn, given to the gradient, judged, and mistakes with them named."""

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mlp_ref
import verify
from verify.case.case import Call
from verify.reference.network import network_loss_of
from verify.reference.spec import Spec
from verify.reference.truth import Truth, tensors_of
from verify.subject import mlp_ref_targets

NETWORKS = sorted(mlp_ref_targets.SPECS)


def weighted(params, x, y, sample_weight):
    return mlp_ref.loss_and_gradient(params, x, y, sample_weight=sample_weight)[1]


def normalised(params, x, y, sample_weight):
    return weighted(params, x, y, sample_weight * x.dtype.type(len(x) / sample_weight.sum()))


@pytest.mark.parametrize("network", NETWORKS, ids="-".join)
def test_the_oracle_verifies_the_weighted_and_penalised_network(network):
    """The gradient and the loss are verified; XLA and certified balls agree with the evaluator on some of the cases."""
    target, spec = mlp_ref_targets.weighted_target(*network, l2=0.3)
    report = verify.check(target, spec, cases=60, xla=1, certified=1, false_alarm=0)
    assert report.ok, str(report)


def test_at_sizes_of_practice_and_under_random_rounding_too():
    report = verify.check(*mlp_ref_targets.weighted_target("relu", "cross_entropy", l2=0.3), cases=20)
    assert report.judged["practical"] > 0
    assert report.ok, str(report)


@given(case=verify.cases(Spec(weights="rows")))
def test_a_weighted_loss_is_the_weighted_mean_of_the_rows_losses(case):
    """Written down without the reference's own words: row by row, by the Spec without weights."""
    *params, x, y, sample_weight = case.inputs()
    truth = Truth.of(Spec(weights="rows"), case.inputs(), "float64")
    rows = [Truth.of(Spec(), [*params, x[i : i + 1], y[i : i + 1]], "float64") for i in range(len(x))]
    shares = sample_weight / len(x)
    for k, (value, bound) in enumerate([truth.loss, *truth.tensors]):
        parts = [[row.loss, *row.tensors][k] for row in rows]
        expected = sum(share * part for share, (part, _) in zip(shares, parts, strict=True))
        room = sum(share * room for share, (_, room) in zip(shares, parts, strict=True))
        size = sum(share * abs(part) for share, (part, _) in zip(shares, parts, strict=True))
        assert np.all(abs(value - expected) <= bound + room + (len(x) + 3) * 2.0**-52 * size)


def test_normalised_weights_are_those_divided_by_their_mean():
    case = verify.Case((3, 4, 2), 5, weights=True)
    params, x, y, sample_weight = case.arrays()
    one, other = (network_loss_of(Spec(weights=weights)) for weights in ("rows", "normalised"))
    with jax.enable_x64(True):
        rows = one(params, x, y, sample_weight / sample_weight.mean())
        assert float(other(params, x, y, sample_weight)) == pytest.approx(float(rows), rel=1e-14)


class TestCases:
    def test_the_other_arrays_are_those_of_the_case_without_weights(self):
        plain, with_weights = verify.Case((3, 2), 6, seed=7), verify.Case((3, 2), 6, seed=7, weights=True)
        for a, b in zip(plain.inputs(), with_weights.inputs()[:-1], strict=True):
            np.testing.assert_array_equal(a, b, strict=True)
        assert len(with_weights.arrays()) == 4

    @given(seed=st.integers(0, 1000), dtype=st.sampled_from(["float32", "float64"]))
    def test_weights_are_not_negative_and_the_first_is_not_zero(self, seed, dtype):
        weights = verify.Case((3, 2), 9, dtype, seed=seed, weights=True).arrays().sample_weight
        assert weights.shape == (9,)
        assert weights.dtype == dtype
        assert weights.min() >= 0
        assert weights[0] > 0

    def test_some_weights_are_zero(self):
        weights = verify.Case((3, 2), 400, weights=True).arrays().sample_weight
        assert 50 < np.count_nonzero(weights == 0) < 150

    def test_they_go_with_their_rows(self):
        case = verify.Case((3, 2), 5, "float32", layout="reversed", weights=True)
        whole = case.inputs()[-1]
        np.testing.assert_array_equal(Call(case, reverse=True).arrays().sample_weight, whole[::-1])
        np.testing.assert_array_equal(Call(case, rows=3).arrays("float64").sample_weight, whole[:3])
        np.testing.assert_array_equal(Call(case, rows=3).inputs()[-1], whole[:3])

    def test_a_spec_without_weights_draws_none(self):
        assert not verify.Case((3, 2), 5).weights
        assert len(verify.Case((3, 2), 5).arrays()) == 3


MISTAKES = {
    "ignores them": (
        lambda params, x, y, w: mlp_ref.loss_and_gradient(params, x, y)[1],
        "this is exactly the gradient of sigmoid hidden, softmax with cross_entropy, mean\n",
    ),
    "divides by their sum": (normalised, "cross_entropy, mean, normalised weights of rows"),
    "divides by nothing": (
        lambda params, x, y, w: weighted(params, x, y, w * x.dtype.type(len(x))),
        "cross_entropy, sum, weighted rows",
    ),
    "squares them": (lambda params, x, y, w: weighted(params, x, y, w * w), ""),
    "forgets them in the biases": (
        lambda params, x, y, w: [
            (a.weight, b.bias)
            for a, b in zip(
                weighted(params, x, y, w), mlp_ref.loss_and_gradient(params, x, y)[1], strict=True
            )
        ],
        "bias of layer",
    ),
    "is off by a thousandth of a percent": (
        lambda params, x, y, w: weighted(params, x, y, w * x.dtype.type(1.00001)),
        "",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_with_weights_are_found_and_some_are_named(mistake):
    wrong, named = MISTAKES[mistake]
    report = verify.check(wrong, Spec(weights="rows"), cases=60, false_alarm=0)
    assert report.verdict == "wrong"
    assert named in str(report)
    assert "weights=True" in str(report)


def test_a_normalised_gradient_is_verified_as_such():
    assert verify.check(normalised, Spec(weights="normalised"), cases=60, false_alarm=0).ok


def test_a_gradient_that_changes_the_weights_is_found():
    def changes(params, x, y, sample_weight):
        result = weighted(params, x, y, sample_weight)
        sample_weight /= 2
        return result

    report = verify.check(changes, Spec(weights="rows"), cases=60, layouts=("C",), false_alarm=0)
    assert "changed sample_weight that it was given" in str(report)


def test_what_reproduces_a_finding_does():
    wrong, _ = MISTAKES["ignores them"]
    report = verify.check(wrong, Spec(weights="rows"), cases=20, false_alarm=0)
    finding = verify.examine(wrong, report.findings[0].case, Spec(weights="rows"))
    assert finding.verdict == "wrong"
    assert tensors_of(weighted(*report.findings[0].case.arrays()))[0].shape == finding.case.layer_sizes[:2]


def test_the_command_takes_weights(tmp_path, capsys):
    from verify.__main__ import main

    path = tmp_path / "net.py"
    path.write_text(
        "import mlp_ref\n"
        "def gradient(params, x, y, sample_weight):\n"
        "    return mlp_ref.loss_and_gradient(params, x, y, sample_weight=sample_weight)[1]\n",
        encoding="utf-8",
    )
    assert main(["check", f"{path}:gradient", "--weights", "rows", "--cases", "30"]) == 0
    assert main(["check", f"{path}:gradient", "--weights", "normalised", "--cases", "30"]) == 1
    assert "weighted rows" in capsys.readouterr().out
