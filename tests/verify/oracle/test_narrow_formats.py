"""Gradients in bfloat16 and float16: what is right is not called wrong, what is wrong is; never by default."""

import numpy as np
import pytest

import verify
from verify.case.runner import drawn_cases
from verify.evaluate import xla
from verify.evaluate.formats import NARROW
from verify.reference.derivative import loss_function

QUICK = {"cases": 60, "xla": 0, "certified": 0, "false_alarm": 0, "diagnose": False}

SMALL = ("ordinary", "batch_1", "no_hidden", "soft_labels")


def right(params, x, y, slope=lambda a: a * (1 - a)):
    """A textbook that rounds to the dtype of x after every operation, as code for a device does."""

    def kept(array):
        return np.asarray(array).astype(x.dtype)

    a, inputs = x, []
    for weight, bias in params:
        inputs.append(a)
        z = kept(kept(a @ weight) + bias)
        a = kept(1 / kept(1 + np.exp(-z)))
    e = np.exp(kept(z - z.max(axis=1, keepdims=True)))
    dz, grads = kept(kept(kept(e / kept(e.sum(axis=1, keepdims=True))) - y) / x.dtype.type(len(x))), []
    for a, (weight, _) in zip(reversed(inputs), reversed(params), strict=True):
        grads.append((kept(a.T @ dz), kept(dz.sum(axis=0))))
        dz = kept(kept(dz @ weight.T) * kept(slope(a)))
    return grads[::-1]


def by_jax(params, x, y):
    return xla.evaluate_by_xla(loss_function(verify.Spec()), params, x, y)[1]


@pytest.mark.parametrize("dtype", NARROW)
def test_a_right_gradient_is_verified_in_every_regime(dtype):
    report = verify.check(right, **{**QUICK, "dtypes": (dtype,)})
    assert report.verdict == "verified"
    assert set(report.precision) == {dtype}
    assert 0 < max(shown.worst for shown in report.precision[dtype].values()) < 0.1
    assert "extreme_logits" in report.judged


@pytest.mark.parametrize("dtype", NARROW)
def test_both_tiers_and_both_witnesses_judge_it(dtype):
    report = verify.check(right, cases=8, xla=1, certified=2, dtypes=(dtype,), regimes=SMALL)
    assert report.verdict == "verified"
    assert report.evaluators["XLA"] == 1
    assert report.evaluators["certified balls"] == 2
    assert report.random_rounding.cases == 8
    assert set(report.random_rounding.bands) == {dtype}


@pytest.mark.parametrize("dtype", NARROW)
def test_jax_itself_is_verified(dtype):
    case = verify.Case((3, 4, 3), 5, dtype)
    assert verify.examine(by_jax, case).verdict == "verified"


@pytest.mark.parametrize("dtype", NARROW)
def test_a_missing_factor_is_wrong(dtype):
    report = verify.check(
        lambda *arrays: right(*arrays, slope=lambda a: 1 - a),
        checks=("gradient",),
        **{**QUICK, "dtypes": (dtype,)},
    )
    assert report.verdict == "wrong"
    finding = report.findings[0]
    assert (finding.check, finding.dtype) == ("gradient", dtype)
    assert f"dtype='{dtype}'" in finding.reproduce


def test_a_loss_of_digits_that_float32_does_not_have_is_imprecise():
    def cancelling(params, x, y):
        grads = right(params, x, y)
        return [(weight, ((bias + 64).astype(x.dtype) - 64).astype(x.dtype)) for weight, bias in grads]

    found = verify.examine(cancelling, verify.Case((3, 4, 3), 5, "float16"))
    assert (found.verdict, found.check) == ("imprecise", "gradient")


def test_results_of_another_format_are_told():
    def wider(params, x, y):
        return [[tensor.astype(np.float32) for tensor in layer] for layer in right(params, x, y)]

    found = verify.examine(wider, verify.Case((3, 4, 3), 5, "bfloat16"))
    assert (found.verdict, found.check) == ("wrong", "dtype")
    assert "is float32; the parameters are bfloat16" in found.detail


def test_an_infinity_where_the_format_does_not_overflow_is_wrong():
    def overflowing(params, x, y):
        return [(weight * x.dtype.type(np.inf), bias) for weight, bias in right(params, x, y)]

    assert verify.examine(overflowing, verify.Case((3, 4, 3), 5, "float16")).verdict == "wrong"


def test_they_are_drawn_only_where_they_are_asked_for():
    dtypes = {case.dtype for case in drawn_cases(verify.cases(), 60, 0)}
    assert dtypes == {"float64", "float32"}


def test_a_format_that_is_not_known_is_refused():
    with pytest.raises(
        ValueError, match="dtypes must be a non-empty list from float64, float32, bfloat16, float16"
    ):
        verify.check(right, dtypes=("float8",))
