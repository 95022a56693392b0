"""Wrong, or only imprecise: the same calls at a higher precision."""

import dataclasses
import itertools

import flint
import numpy as np
import pytest

from mlp_ref.params import Layer
from verify.case.case import Call, Case
from verify.checks import adjudicate as adjudicating
from verify.checks.adjudicate import UNSETTLED, adjudicate, error_shrinks
from verify.evaluate.budget import Budget
from verify.reference.judge import judge
from verify.reference.spec import Spec
from verify.reference.truth import Truth, tensors_of
from verify.subject.target import Target


def textbook(params, x, y, slope=lambda a: a * (1 - a), through=lambda a: a):
    """Backpropagation in the arrays' own precision, whatever that is."""
    one = x.dtype.type(1)
    activations = [x]
    for weight, bias in params[:-1]:
        activations.append(through(one / (one + np.exp(-(activations[-1] @ weight + bias)))))
    z = activations[-1] @ params[-1].weight + params[-1].bias
    e = np.exp(z - z.max(axis=1, keepdims=True))
    dz = (e / e.sum(axis=1, keepdims=True) - y) / x.dtype.type(len(x))
    grads = []
    for i in reversed(range(len(params))):
        grads.append(Layer(activations[i].T @ dz, dz.sum(axis=0)))
        if i:
            dz = (dz @ params[i].weight.T) * slope(activations[i])
    return grads[::-1]


def through_float32(params, x, y):
    """The mistake of one array made with the wrong dtype."""
    return textbook(params, x, y, through=lambda a: a.astype(np.float32).astype(a.dtype))


def cancelling(params, x, y):
    """Loses digits at the working precision: 1e6 is added and taken away again."""
    return textbook(params, x, y, through=lambda a: (a + a.dtype.type(1e6)) - a.dtype.type(1e6))


def doubled_bias(params, x, y):
    return [Layer(weight, 2 * bias) for weight, bias in textbook(params, x, y)]


def small_mistake(params, x, y):
    return [Layer(weight * (1 + weight.dtype.type(1e-6)), bias) for weight, bias in textbook(params, x, y)]


def refused(gradient, *dtypes):
    def picky(params, x, y):
        if x.dtype not in dtypes:
            raise TypeError(f"no {x.dtype} here")
        return gradient(params, x, y)

    return picky


def judged(gradient, case):
    """The truth about the first call of a gradient, and its judgement, which is wrong."""
    truth = Truth.of(Spec(), case.inputs(), case.dtype)
    judgement = judge(truth.tensors, tensors_of(gradient(*case.arrays())), case.dtype)
    assert judgement.verdict == "wrong"
    return truth, judgement


def settle(gradient, case, budget=None):
    return settled(gradient, case, budget).verdict


def settled(gradient, case, budget):
    _, judgement = judged(gradient, case)
    return adjudicate(Target(gradient), Spec(), Call(case), "gradient", judgement, budget)


CASE = Case((4, 5, 3), 6, seed=7)
CASE_32 = Case((4, 5, 3), 6, "float32", seed=7)


def test_the_textbook_itself_is_verified():
    for case in (CASE, CASE_32):
        truth = Truth.of(Spec(), case.inputs(), case.dtype)
        assert judge(truth.tensors, tensors_of(textbook(*case.arrays())), case.dtype).verdict == "verified"


@pytest.mark.parametrize("case", [CASE, CASE_32])
def test_a_mistake_stays_at_every_precision(case):
    assert settle(doubled_bias, case) == "wrong"


def test_a_small_mistake_is_one_all_the_same():
    assert settle(small_mistake, CASE) == "wrong"


@pytest.mark.parametrize("case", [CASE, CASE_32])
def test_lost_digits_that_a_higher_precision_brings_back_are_imprecise(case):
    assert settle(cancelling, case) == "imprecise"


def test_one_entry_is_enough():
    def mistaken(params, x, y):
        return in_one_entry(params, x, y, lambda w: w * w.dtype.type(1.001))

    def lossy(params, x, y):
        return in_one_entry(params, x, y, lambda w: (w + w.dtype.type(1e6)) - w.dtype.type(1e6))

    def in_one_entry(params, x, y, change):
        grads = textbook(params, x, y)
        for layer in grads:
            layer.weight[0, 0] = change(layer.weight[0, 0])
        return grads

    for case in (CASE, CASE_32):
        assert settle(mistaken, case) == "wrong"
        assert settle(lossy, case) == "imprecise"


def test_what_rounds_to_float32_at_every_precision_stays():
    assert settle(through_float32, CASE) == "wrong"


def test_code_for_one_dtype_is_judged_by_the_size_of_its_error():
    assert settle(refused(doubled_bias, "float64"), CASE) == "wrong"
    assert settle(refused(small_mistake, "float64"), CASE) == "wrong"
    lost = refused(lambda *arrays: textbook(*arrays, through=lambda a: (a + 1e3) - 1e3), "float64")
    assert settle(lost, CASE) == "imprecise"


def test_without_a_long_double_no_mistake_is_called_imprecise(monkeypatch):
    monkeypatch.setattr(adjudicating.np, "longdouble", np.float64)
    assert settle(doubled_bias, CASE) == "wrong"
    assert settle(small_mistake, CASE) == "wrong"


def test_without_a_long_double_a_rounding_error_need_not_repeat(monkeypatch):
    monkeypatch.setattr(adjudicating.np, "longdouble", np.float64)
    calls = itertools.count(3)

    def less_each_time(params, x, y):
        grads = textbook(params, x, y)
        return [Layer(weight * (1 + 1e-9 / next(calls)), bias) for weight, bias in grads]

    assert settle(less_each_time, CASE) == "imprecise"


def test_a_mistake_below_the_square_root_of_the_roundoff_is_one_where_a_higher_precision_shows_it():
    if np.finfo(np.longdouble).eps == np.finfo(np.float64).eps:
        pytest.skip("long double is double here")

    def tiny(params, x, y):
        return [
            Layer(weight * (1 + weight.dtype.type(1e-9)), bias) for weight, bias in textbook(params, x, y)
        ]

    assert settle(tiny, CASE) == "wrong"
    assert settle(refused(tiny, "float64"), CASE) == "imprecise"


@pytest.mark.parametrize("change", [lambda tensor: tensor.astype(np.float64), lambda tensor: tensor[:-1]])
def test_what_returns_another_dtype_or_shape_at_the_higher_precision_cannot_run_there(change):
    if np.finfo(np.longdouble).eps == np.finfo(np.float64).eps:
        pytest.skip("long double is double here")

    def tiny(params, x, y):
        grads = textbook(params, x, y)
        grads = [Layer(weight * (1 + weight.dtype.type(1e-9)), bias) for weight, bias in grads]
        return [Layer(*map(change, layer)) for layer in grads] if x.dtype == np.longdouble else grads

    assert settle(tiny, CASE) == "imprecise"


@pytest.mark.parametrize(("dtype", "higher"), [("float32", np.float64), ("float64", np.longdouble)])
@pytest.mark.parametrize("labels", ["one_hot", "integer"])
def test_the_same_code_is_called_with_the_same_numbers_at_the_next_higher_precision(dtype, higher, labels):
    calls = []

    def recorded(params, x, y):
        calls.append((*params[0], *params[1], x, y))
        rows = y if y.ndim == 2 else np.eye(3, dtype=x.dtype)[y]
        return doubled_bias(params, x, rows)

    case = Case((4, 5, 3), 6, dtype, labels=labels, seed=7)
    assert settle(recorded, case) == "wrong"
    _, low, high, once_more = calls
    for at_low, at_high, at_last in zip(low, high, once_more, strict=True):
        np.testing.assert_array_equal(at_high, at_last)
        np.testing.assert_array_equal(at_low, at_high)
    assert {array.dtype for array in low[:-1]} == {np.dtype(dtype)}
    assert {array.dtype for array in high[:-1]} == {np.dtype(higher)}
    assert high[-1].dtype == (low[-1].dtype if labels == "integer" else np.dtype(higher))


@pytest.mark.parametrize("case", [CASE, CASE_32])
@pytest.mark.parametrize("errs", [[0], [0, 2], [0, 1, 3], [0, 1, 2]])
def test_what_errs_on_some_calls_only_is_wrong(case, errs):
    calls = itertools.count()

    def unsteady(params, x, y):
        return (doubled_bias if next(calls) in errs else textbook)(params, x, y)

    assert settle(unsteady, case) == "wrong"


@pytest.mark.parametrize("fails", [[2], [3], [2, 3]])
def test_nan_in_either_call_at_the_higher_precision_is_wrong(fails):
    calls = itertools.count()

    def unsteady(params, x, y):
        grads = cancelling(params, x, y)
        if next(calls) in fails:
            for layer in grads:
                layer.weight[:] = np.nan
        return grads

    assert settle(unsteady, CASE_32) == "wrong"


def test_what_does_not_repeat_is_wrong_also_where_it_cannot_run_at_the_higher_precision():
    calls, further_calls = itertools.count(), itertools.count()

    def once(params, x, y):
        return (textbook if next(calls) else small_mistake_32)(params, x, y)

    def small_mistake_32(params, x, y):
        return [Layer(weight * np.float32(1.0001), bias) for weight, bias in textbook(params, x, y)]

    assert settle(refused(small_mistake_32, "float32"), CASE_32) == "imprecise"
    assert settle(refused(once, "float32"), CASE_32) == "wrong"

    def never_again(params, x, y):
        if next(further_calls):
            raise RuntimeError("once is enough")
        return small_mistake_32(params, x, y)

    assert settle(never_again, CASE_32) == "wrong"


@pytest.mark.parametrize(("answer", "verdict"), [(np.inf, "imprecise"), (np.nan, "wrong")])
def test_an_overflow_that_a_higher_precision_spares_is_imprecise_only_where_it_repeats(answer, verdict):
    def overflows(params, x, y):
        grads = textbook(params, x, y)
        if x.dtype == np.float32:
            grads[0].bias[0] = answer
        return grads

    assert settle(overflows, CASE_32) == verdict
    calls = itertools.count()
    assert settle(lambda *arrays: (textbook if next(calls) else overflows)(*arrays), CASE_32) == "wrong"


@pytest.mark.parametrize("case", [CASE, CASE_32])
def test_an_infinity_at_every_precision_is_no_rounding(case):
    def infinite(params, x, y):
        grads = textbook(params, x, y)
        grads[0].bias[0] = np.inf
        return grads

    assert settle(infinite, case) == "wrong"


@pytest.mark.parametrize("case", [CASE, CASE_32])
def test_within_a_budget_the_verdict_is_the_same(case):
    for gradient, verdict in ((doubled_bias, "wrong"), (cancelling, "imprecise"), (through_float32, "wrong")):
        if case.dtype == "float32" and gradient is through_float32:
            continue  # where it makes no error
        found = settled(gradient, case, Budget())
        assert (found.verdict, found.note) == (verdict, settled(gradient, case, None).note)


@pytest.mark.parametrize("case", [CASE, CASE_32])
def test_without_time_for_an_enclosure_the_size_of_the_error_decides_and_that_is_noted(case):
    large = settled(doubled_bias, case, Budget(0))
    assert (large.verdict, large.note) == ("wrong", UNSETTLED)

    def slightly(params, x, y):
        factor = x.dtype.type(1 + 100 * np.finfo(x.dtype).eps)
        return [Layer(weight * factor, bias) for weight, bias in textbook(params, x, y)]

    tiny = settled(slightly, case, Budget(0))
    assert (tiny.verdict, tiny.note) == ("imprecise", UNSETTLED)


def test_an_enclosure_that_is_not_narrow_yet_when_the_time_is_over_settles_nothing(monkeypatch):
    """Its first balls, of infinite width, are all that there is time for."""
    wide = [np.full(shape, flint.arb(0, "inf")) for shape in ((), (4, 5), (5,), (5, 3), (3,))]
    monkeypatch.setattr(adjudicating.balls, "evaluate_certified", lambda *_, **told: wide)
    assert settled(doubled_bias, CASE, Budget()).note == UNSETTLED


def test_an_error_that_shrinks_and_is_large_all_the_same_is_noted():
    note = settled(cancelling, CASE_32, None).note
    assert note.startswith("large for rounding: ")
    assert "in float64 the error shrinks, so look for what float32 alone does" in note
    assert settled(cancelling, CASE, None).note == ""


@pytest.mark.parametrize("case", [CASE, CASE_32])
@pytest.mark.parametrize("reach", [True, False])
def test_whether_the_error_of_a_gradient_shrinks(case, reach, monkeypatch):
    """By certified balls, and where these are out of reach by float64, which knows of float32 alone."""
    monkeypatch.setattr("verify.reference.truth._BALL_PRODUCTS", 1e6 if reach else 0)
    for gradient, expected in ((doubled_bias, False), (cancelling, True)):
        truth, judgement = judged(gradient, case)
        assert truth.within_reach_of_balls == reach
        shrinks = error_shrinks(Target(gradient), Spec(), Call(case), judgement, truth)
        assert shrinks is (expected if reach or case.dtype == "float32" else None)


def test_of_a_further_call_its_own_answer_counts_and_of_a_repeated_one_the_worse():
    """The first call of every session is far off; the second answers another question, or the same."""

    def negated(params, x, y):
        return [Layer(-weight, -bias) for weight, bias in textbook(params, x, y)]

    def gradient_of_sessions():
        calls = itertools.count()
        return lambda *arrays: (cancelling if next(calls) else negated)(*arrays)

    target = dataclasses.replace(Target(textbook), session=gradient_of_sessions)
    case = dataclasses.replace(CASE, seed=CASE.seed + 1)
    for check, asked, verdict in (("second_call", case, "imprecise"), ("repeat", CASE, "wrong")):
        truth = Truth.of(Spec(), asked.inputs(), "float64")
        tensors = tensors_of(cancelling(*asked.arrays()))
        judgement = judge(truth.tensors, tensors, "float64")
        assert judgement.verdict == "wrong"
        found = adjudicate(target, Spec(), Call(CASE), check, judgement)
        assert found.verdict == verdict, check
