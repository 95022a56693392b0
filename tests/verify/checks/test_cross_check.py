"""The evaluators speak for each other: XLA within the bound, the truth within the bound, over specs and regimes."""

import dataclasses
import itertools
import threading

import numpy as np
import pytest

from verify.case.case import DTYPES, REGIMES, Case
from verify.checks import cross_check as witness
from verify.evaluate import balls, bounds, xla
from verify.evaluate.bounds.arithmetic import Arithmetic
from verify.reference.derivative import loss_function, traced_derivative
from verify.reference.judge import judged_ratios
from verify.reference.spec import HIDDEN, OUTPUT_LOSSES, REDUCTIONS, Spec
from verify.reference.truth import Truth

from ..evaluate import working

SIZES = {"width_1": (4, 1, 3), "no_hidden": (4, 3), "deep": (3, 3, 3, 3, 3, 2), "wide": (3, 34, 2)}
SPECS = [
    Spec(hidden, *pair, REDUCTIONS[i % 6], 0.01 * (i % 4 == 3), biases=i % 5 != 2)
    for i, (hidden, pair) in enumerate(itertools.product(HIDDEN, OUTPUT_LOSSES))
]


def a_case(spec, regime, dtype, seed=0):
    usual, soft = {
        "distribution": ("one_hot", "soft"),
        "probability": ("binary", "probability"),
        "real": ("real", "real"),
    }[spec.targets]
    labels = soft if regime == "soft_labels" else usual
    batch = 1 if regime == "batch_1" else 3
    return Case(SIZES.get(regime, (4, 3, 3)), batch, dtype, regime, labels, "C", seed)


@pytest.mark.parametrize("regime", REGIMES)
def test_the_truth_lies_within_the_bound_in_every_regime(regime):
    for i, spec in enumerate(SPECS[list(REGIMES).index(regime) % 3 :: 3]):
        case = a_case(spec, regime, DTYPES[i % 2], seed=i)
        assert 0 <= witness.worst_certified_error(spec, case) <= 1
        program, inputs = traced_derivative(spec, case.sizes), case.inputs()
        alone = Arithmetic.alone(case.dtype, case.sizes)
        truth = balls.evaluate_certified(program, inputs, case.sizes, case.dtype)
        results = working.evaluate(program, inputs, alone)
        for ball, result, (_, bound) in zip(
            truth, results, bounds.evaluate_with_bounds(program, inputs, alone), strict=True
        ):
            assert result.dtype == np.dtype(case.dtype)
            assert np.all(judged_ratios(balls.ball_distance(ball, result), bound) <= 1), (spec, case)


@pytest.mark.parametrize(
    ("spec", "regime", "dtype"),
    [
        (Spec(), "ordinary", "float64"),
        (Spec("relu", "identity", "squared_error", "mean_all", 0.01), "ties", "float32"),
        (Spec("tanh", "sigmoid", "binary_cross_entropy", "half_sum"), "extreme_logits", "float32"),
        (Spec("leaky_relu", "softmax", "squared_error"), "saturated", "float64"),
    ],
)
def test_xla_lies_within_the_bound(spec, regime, dtype):
    assert 0 <= witness.worst_xla_error(spec, a_case(spec, regime, dtype)) < 1


def test_integer_labels_reach_xla_as_rows():
    assert witness.worst_xla_error(Spec(), Case((4, 3, 3), 3, labels="integer")) < 1


def test_xla_keeps_the_dtype_and_the_configuration():
    case = a_case(Spec(), "ordinary", "float64")
    loss, gradient = xla.evaluate_by_xla(loss_function(Spec()), *case.arrays())
    assert loss.dtype == gradient[0].weight.dtype == np.float64
    assert gradient[0].weight.shape == (4, 3)


@pytest.mark.parametrize("evaluate", [balls.evaluate_in_balls, bounds.evaluate_with_bounds, working.evaluate])
def test_every_input_must_be_there(evaluate):
    case = a_case(Spec(), "ordinary", "float64")
    rest = case.sizes if evaluate is balls.evaluate_in_balls else Arithmetic.alone("float64", case.sizes)
    with pytest.raises(ValueError, match="zip"):
        evaluate(traced_derivative(Spec(), case.sizes), case.inputs()[:-1], rest)


def test_witnesses_are_counted():
    case = a_case(Spec(), "ordinary", "float64")
    assert witness.cross_check(Spec(), [], [case, case]) == {"XLA": 0, "certified balls": 2}


@pytest.mark.parametrize("which", ["worst_xla_error", "worst_certified_error"])
def test_a_bound_that_does_not_hold_is_a_defect_of_the_oracle(which, monkeypatch):
    narrow = Truth.of

    def too_narrow(*arguments):
        truth = narrow(*arguments)
        return dataclasses.replace(truth, tensors=[(v + 2 * e, 1e-3 * e) for v, e in truth.tensors])

    monkeypatch.setattr(witness.Truth, "of", too_narrow)
    with pytest.raises(witness.Disagreement, match="NumPy evaluator"):
        getattr(witness, which)(Spec(), a_case(Spec(), "ordinary", "float64"))


def test_xla_is_at_work_in_a_thread_of_its_own_until_it_is_told_to_end(monkeypatch):
    cases = [a_case(Spec(), "ordinary", "float64", seed) for seed in range(4)]
    release, threads = threading.Event(), []

    def results(spec, case):
        release.wait(60)
        threads.append(threading.current_thread())
        if case is cases[1]:
            raise ValueError("of XLA")
        return case

    monkeypatch.setattr(witness, "_results_by_xla", results)
    ahead = witness.XlaAhead(Spec())
    ahead.begin(cases[:3])
    ahead.begin(cases[:3])
    release.set()
    assert ahead.results(cases[0]) is cases[0]
    with pytest.raises(ValueError, match=r"^of XLA$"):
        ahead.results(cases[1])
    assert ahead.results(cases[3]) is cases[3]
    ahead.end()
    beside = [thread for thread in threads if thread is not threading.current_thread()]
    assert len(set(beside)) == 1
    assert not beside[0].is_alive()
    assert len(threads) - len(beside) == 1  # the one that was not begun
    assert len(beside) <= 3  # each once; the last may not have been begun yet


def test_what_xla_gives_ahead_is_judged_as_what_it_gives_at_once():
    spec, case = Spec(), a_case(Spec(), "ordinary", "float32")
    ahead = witness.XlaAhead(spec)
    ahead.begin([case])
    assert witness.worst_xla_error(spec, case, ahead) == witness.worst_xla_error(spec, case)
    assert witness.cross_check(spec, [case], [], ahead=ahead) == {"XLA": 1, "certified balls": 0}
    ahead.end()


def test_a_loss_of_the_users_is_called_in_one_thread_alone():
    threads = set()

    def loss(params, x, y):
        threads.add(threading.current_thread())
        return loss_function(Spec())(params, x, y)

    case = a_case(Spec(), "ordinary", "float64")
    ahead = witness.XlaAhead(loss)
    ahead.begin([case])
    assert witness.worst_xla_error(loss, case, ahead) < 1
    ahead.end()
    assert threads == {threading.current_thread()}
