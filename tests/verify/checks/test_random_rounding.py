"""An answer beside what random rounding may do to it."""

import numpy as np
import pytest

import verify
from mlp_ref import loss_and_gradient
from mlp_ref.params import Layer
from verify.case.case import Call, Case
from verify.checks.random_rounding import SPOT_CHECK, RandomRounding, examine_with_random_rounding
from verify.evaluate.rounding import SAMPLES
from verify.reference.judge import Judgement
from verify.reference.spec import Spec
from verify.reference.tensors import Tensor
from verify.subject.answered_call import AnsweredCall
from verify.subject.failed import Failed
from verify.subject.recovered import Recovered
from verify.subject.target import Target

MNIST = Case((784, 16, 16, 10), 32, "float32", "practical", seed=3)
TIER = RandomRounding(1e-12, 1000)


def right(params, x, y):
    return loss_and_gradient(params, x, y)[1]


def off_by(share, tensor=2, only=None):
    """A gradient with one entry off by a share of its tensor's largest."""

    def gradient(params, x, y):
        grads = right(params, x, y)
        if only is None or x.dtype == only:
            array = grads[tensor // 2][tensor % 2]
            array[0, 0] += x.dtype.type(share * abs(array).max())
        return grads

    return gradient


def answer(gradient, case=MNIST, spec=None):
    spec = spec or Spec()
    return AnsweredCall.of(Target(gradient), spec, gradient, Call(case))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("hidden", ["sigmoid", "tanh", "relu"])
def test_a_right_gradient_lies_within_its_band(dtype, hidden):
    def gradient(params, x, y):
        return loss_and_gradient(params, x, y, hidden)[1]

    case = Case((784, 16, 16, 10), 32, dtype, "practical", seed=3)
    found = TIER.beside(answer(gradient, case, Spec(hidden)))
    assert found.verdict == "within"
    assert 0 < found.sigmas < 2
    assert 11 < found.quantile < 13
    assert max(found.widths) < (2e-4 if dtype == "float32" else 1e-12)


@pytest.mark.parametrize("tensor", [0, 2, 4])
def test_an_error_of_a_ten_thousandth_is_found_where_the_worst_case_allows_it(tensor):
    case = Case((784, 16, 16, 10), 32, "float32", "practical", seed=3)
    judgement = examine_with_random_rounding(None, Target(off_by(1e-4, tensor)), Spec(), case)
    assert judgement.ratio < 1  # within the bound
    with pytest.raises(Failed) as caught:
        examine_with_random_rounding(TIER, Target(off_by(1e-4, tensor)), Spec(), case)
    failure = caught.value
    assert (failure.check, failure.verdict) == ("rounding", "wrong")
    assert failure.detail.startswith("beyond random rounding: ")
    assert "stays as it is at a higher precision" in failure.detail
    assert failure.judgement is not None
    assert failure.judgement.index == (0, 0)
    assert failure.judgement.banded is not None
    assert failure.judgement.banded.sigmas > failure.judgement.banded.quantile
    assert examine_with_random_rounding(TIER, Target(right), Spec(), case).banded.verdict == "within"


def test_what_shrinks_at_a_higher_precision_is_not_called_wrong():
    """An error in float32 alone: no mistake, whatever the model says."""
    judgement = examine_with_random_rounding(TIER, Target(off_by(1e-4, only=np.float32)), Spec(), MNIST)
    assert judgement.verdict == "verified"
    assert judgement.banded is not None
    assert judgement.banded.verdict == "rounding"
    assert judgement.banded.sigmas > 20


def test_what_cannot_be_called_at_a_higher_precision_is_left_open():
    def gradient(params, x, y):
        if x.dtype != np.float32:
            raise TypeError("float32 alone")
        return off_by(1e-4)(params, x, y)

    with pytest.raises(Failed) as caught:
        examine_with_random_rounding(TIER, Target(gradient), Spec(), MNIST)
    assert (caught.value.check, caught.value.verdict) == ("rounding", "inconclusive")
    assert "cannot be called at a precision that would tell" in caught.value.detail


def test_a_unit_at_the_kink_may_fall_on_either_side():
    def other_side(params, x, y):
        """The slope of leaky relu at 0 is 0.01 here, 1 in JAX."""
        (w1, b1), (w2, b2) = params
        z = x @ w1 + b1
        slope = np.where(z > 0, x.dtype.type(1), x.dtype.type(0.01))
        logits = (z * slope) @ w2 + b2
        e = np.exp(logits - logits.max(axis=1, keepdims=True))
        dz = (e / e.sum(axis=1, keepdims=True) - y) / x.dtype.type(len(x))
        dh = (dz @ w2.T) * slope
        return [Layer(x.T @ dh, dh.sum(axis=0)), Layer((z * slope).T @ dz, dz.sum(axis=0))]

    case = Case((4, 3, 3), 4, "float32", "ties", seed=1)
    found = TIER.beside(answer(other_side, case, Spec("leaky_relu")))
    assert found.verdict == "in doubt"
    assert found.sigmas < found.quantile


def test_a_recovered_gradient_has_room_for_its_recovery():
    def recovered(params, x, y):
        grads = [Layer(w + x.dtype.type(1e-4), b + x.dtype.type(1e-4)) for w, b in right(params, x, y)]
        error = [Layer(np.full(w.shape, 1.1e-4), np.full(b.shape, 1.1e-4)) for w, b in grads]
        return Recovered(grads, error)

    assert TIER.beside(answer(recovered)).verdict == "within"
    assert TIER.beside(answer(lambda *arrays: list(recovered(*arrays)))).verdict == "beyond"


def judgement(allows):
    return Judgement(
        "verified", Tensor("weight", 1), (0, 0), 0.0, 1.0, 1.0, 1.0, 0.0, (0.0,), allows=(allows,)
    )


@pytest.mark.parametrize(
    ("dtype", "regime", "allows", "seed", "asked"),
    [
        ("float32", "ordinary", 1e-3, 1, True),
        ("float32", "ordinary", 1e-4, 1, False),
        ("float32", "ordinary", 1e-4, SPOT_CHECK, True),
        ("float32", "practical", 1e-4, 1, True),
        ("float64", "practical", 1e-3, 1, False),
        ("float64", "ordinary", 1e-12, 0, True),
        ("float32", "ordinary", float("nan"), 1, True),
    ],
)
def test_which_cases_are_asked(dtype, regime, allows, seed, asked):
    assert TIER.asks(Case((2, 2), 2, dtype, regime, seed=seed), judgement(allows)) == asked


def test_the_quantile_is_for_all_entries_of_all_cases():
    quantile, samples = TIER.quantile(1000)
    assert samples == SAMPLES
    assert 2 * (1 + quantile**2 / samples) ** (-samples / 2) == pytest.approx(1e-12 / 1000 / 1000)
    assert TIER.quantile(300_000)[1] == SAMPLES // 2


def test_a_second_answer_outside_the_bound_is_told_as_such():
    calls = []

    def gradient(params, x, y):
        calls.append(1)
        return [Layer(w * x.dtype.type(len(calls)), b) for w, b in right(params, x, y)]

    with pytest.raises(Failed) as caught:
        examine_with_random_rounding(TIER, Target(gradient), Spec(), MNIST)
    assert caught.value.check == "repeat"


# --- in a whole run


def test_a_run_finds_what_only_random_rounding_sees():
    def gradient(params, x, y):
        """Forgets one pixel's share of one unit, in networks of practical size alone."""
        grads = right(params, x, y)
        if len(params[0].weight) >= 784:
            weight = grads[0].weight
            weight[5, 3] += x.dtype.type(2e-4) * abs(weight).max()
        return grads

    report = verify.check(gradient, cases=30, xla=0, certified=0, dtypes=["float32"], diagnose=False)
    assert report.verdict == "wrong"
    [finding] = report.findings
    assert finding.check == "rounding"
    assert "sigma under random rounding; the bound is" in str(report)
    assert 'check="rounding"' in finding.reproduce
    again = verify.examine(gradient, finding.case, check="rounding")
    assert again.verdict == "wrong"
    without = verify.check(gradient, cases=30, xla=0, certified=0, dtypes=["float32"], false_alarm=0)
    assert without.verdict == "verified"
    assert without.random_rounding is None
    assert "practical" not in without.judged


def test_a_report_keeps_the_model_apart_from_what_is_certified():
    report = verify.check(right, cases=60, xla=0, certified=0)
    found = report.random_rounding
    assert found is not None
    assert found.cases >= 2
    assert (found.unexplained, found.false_alarm) == (0, 1e-12)
    assert 0 < found.sigmas < 2 < found.quantile
    assert found.bands["float32"]["weight"].median < 1e-3
    text = str(report)
    assert "random rounding  " in text
    assert "(a model; a false alarm in the run has probability 1e-12 at most)" in text
    assert report.to_dict()["random_rounding"]["sigmas"] == found.sigmas


@pytest.mark.parametrize("probability", [-0.1, 1, 2.0, True, "1e-9", None])
def test_a_probability_that_is_none_is_refused(probability):
    with pytest.raises(ValueError, match="false_alarm must be a probability, from 0 to less than 1; got"):
        verify.check(right, cases=1, false_alarm=probability)
