"""From numbers and bounds to verdicts."""

import dataclasses

import numpy as np
import pytest

from mlp_ref import loss_and_gradient
from mlp_ref.params import Layer
from verify.case.case import Case
from verify.reference.judge import judge, judged_ratios, small, vacuous
from verify.reference.spec import Spec
from verify.reference.tensors import tensor_names
from verify.reference.truth import Truth, sizes_of_inputs, tensors_of

VALUE, BOUND = np.array([[1.0, -2.0], [0.5, 0.0]]), np.full((2, 2), 1e-12)
TRUTH = [(VALUE, BOUND), (np.array([3.0, 4.0]), np.array([1e-12, 0.0]))]


def results():
    return [VALUE.copy(), np.array([3.0, 4.0])]


def test_what_lies_within_every_bound_is_verified():
    tensors = results()
    tensors[0][1, 1] = 0.4e-12
    judgement = judge(TRUTH, tensors, "float64")
    assert (judgement.verdict, judgement.tensor, judgement.index) == ("verified", "weight of layer 1", (1, 1))
    assert judgement.ratio == pytest.approx(0.4)
    assert (judgement.got, judgement.expected, judgement.bound) == (0.4e-12, 0.0, 1e-12)


def test_the_bound_itself_is_within_and_one_step_further_is_not():
    truth = [(np.array([[0.0, 1.0]]), np.full((1, 2), 1e-12)), (np.ones(2), np.zeros(2))]
    on = judge(truth, [np.array([[1e-12, 1.0]]), np.ones(2)], "float64")
    assert on.verdict == "verified"
    off = judge(truth, [np.array([[np.nextafter(1e-12, 1), 1.0]]), np.ones(2)], "float64")
    assert off.verdict == "wrong"
    assert off.ratio > 1


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_wrong(value):
    tensors = results()
    tensors[0][0, 1] = value
    judgement = judge(TRUTH, tensors, "float64")
    assert (judgement.verdict, judgement.index, judgement.ratio) == ("wrong", (0, 1), np.inf)


def test_an_entry_without_room_must_be_exact():
    tensors = results()
    tensors[1][1] = np.nextafter(4.0, 5)
    judgement = judge(TRUTH, tensors, "float64")
    assert (judgement.verdict, judgement.tensor, judgement.index) == ("wrong", "bias of layer 1", (1,))
    assert judgement.ratio == np.inf


def test_the_tensor_nearest_the_output_is_named():
    truth = [(np.ones((1, 1)), np.zeros((1, 1))), (np.ones(1), np.zeros(1))] * 3
    for wrong, named in (
        ([0, 1, 2, 3, 4, 5], "weight of layer 3"),
        ([0, 3], "bias of layer 2"),
        ([1], "bias of layer 1"),
        ([0, 1], "weight of layer 1"),
        ([2, 3], "weight of layer 2"),
        ([1, 2], "weight of layer 2"),
        ([3, 4], "weight of layer 3"),
        ([2, 5], "bias of layer 3"),
    ):
        tensors = [v + (i in wrong) for i, (v, _) in enumerate(truth)]
        assert judge(truth, tensors, "float64").tensor == named


def test_the_loss_goes_by_its_name():
    judgement = judge([(np.array(1.0), np.array(1e-12))], [np.array(2.0)], "float64")
    assert (judgement.verdict, judgement.tensor, judgement.index) == ("wrong", "loss", ())


@pytest.mark.parametrize("bound", [np.inf, 1e-6])
def test_within_a_bound_that_says_nothing_is_inconclusive(bound):
    truth = [(np.ones((1, 1)), np.full((1, 1), bound)), (np.ones(1), np.full(1, 1e-12))]
    assert judge(truth, [np.ones((1, 1)), np.ones(1)], "float64").verdict == "inconclusive"
    assert judge(truth, [np.ones((1, 1)), np.zeros(1)], "float64").verdict == "wrong"


def right(params, x, y):
    return loss_and_gradient(params, x, y)[1]


def test_an_error_below_the_square_root_of_the_roundoff_shows_something_whatever_the_bound():
    case = Case((784, 16, 16, 10), 32, "float32")
    truth = Truth.of(Spec(), case.inputs(), "float32")
    assert any(vacuous(*pair, "float32") for pair in truth.tensors)
    tensors = tensors_of(right(*case.arrays()))
    judgement = judge(truth.tensors, tensors, "float32", truth)
    assert judgement.verdict == "verified"
    assert 0 < max(judgement.right_to) < 1e-6
    assert (
        judge(truth.tensors, tensors, "float32").verdict == "inconclusive"
    )  # nothing is known of the values
    value, bound = truth.tensors[0]
    where = np.unravel_index(np.argmax(bound), bound.shape)
    for share, verdict in ((0.98, "verified"), (1.02, "inconclusive")):
        off = [tensor.copy() for tensor in tensors]
        off[0][where] = value[where] + share * 2.0**-12 * abs(value).max()
        judgement = judge(truth.tensors, off, "float32", truth)
        assert (judgement.verdict, judgement.ratio < 1) == (verdict, True)
        assert judgement.right_to[0] == pytest.approx(share * 2.0**-12, rel=1e-3)


def saturated_tanh():
    """The slope 1 - tanh(20)**2 is 0 in float64; the exact one is 1.7e-17, and so is `mlp_ref`'s."""
    params = [Layer(np.full((1, 1), 20.0), np.zeros(1)), Layer(np.ones((1, 2)), np.array([0.5, -0.5]))]
    return params, np.ones((1, 1)), np.eye(2)[:1]


def test_where_the_reference_has_no_digit_certified_balls_are_the_truth():
    params, x, y = saturated_tanh()
    spec = Spec(hidden="tanh", output="softmax", loss="squared_error")
    weights = [np.array([[1.0, -0.5]])]
    params[1] = Layer(weights[0], params[1].bias)
    inputs = [*tensors_of(params), x, y]
    truth = Truth.of(spec, inputs, "float64")
    assert not truth.tensors[0][0].any()
    precise = tensors_of(loss_and_gradient(params, x, y, "tanh", "softmax_mse")[1])
    precise = [2 * tensor for tensor in precise]  # mlp_ref takes the mean over both outputs
    judgement = judge(truth.tensors, precise, "float64", truth)
    assert judgement.verdict == "verified"
    assert max(judgement.right_to[:2]) < 1e-12
    nothing = [np.zeros((1, 1)), np.zeros(1), *precise[2:]]
    judgement = judge(truth.tensors, nothing, "float64", truth)
    assert (judgement.verdict, judgement.right_to[0]) == ("inconclusive", pytest.approx(1.0))


def test_balls_are_left_out_where_the_network_is_too_large_for_them(monkeypatch):
    params, x, y = saturated_tanh()
    truth = Truth.of(Spec(hidden="tanh"), [*tensors_of(params), x, y], "float64")
    tensors = [value for value, _ in truth.tensors]
    assert truth.certified(tensors, 0.0, 1e-150)[2] < 1e-15
    monkeypatch.setattr("verify.reference.truth._BALL_PRODUCTS", 2)
    assert truth.certified(tensors, 0.0, 1e-150) == [np.inf] * 4


def test_what_the_reference_knows_of_itself():
    case = Case((5, 4, 3), 4, "float32")
    truth = Truth.of(Spec(), case.inputs(), "float32")
    fine = Truth.of(Spec(), case.inputs(), "float64")
    for own, (_, bound), (_, expected) in zip(truth.own, truth.tensors, fine.tensors, strict=True):
        np.testing.assert_array_equal(own, expected)
        assert np.all(own < 1e-7 * bound)
    assert fine.own[0] is fine.tensors[0][1]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_results_of_16_bits_are_kept_in_float64(dtype):
    pairs = [(np.array([[0.25]]), np.array([[1e-3]])), (np.array([1.0]), np.array([1e-3]))]
    judgement = judge(pairs, [np.array([[0.25]]).astype(dtype), np.array([1.0]).astype(dtype)], dtype)
    assert judgement.verdict == "verified"
    assert judgement.entries.got.dtype == np.float64
    assert judgement.entries.got.tolist() == [0.25, 1]


def test_only_what_the_reference_does_not_know_itself_is_asked_of_certified_balls():
    class Reference:
        own = (np.full((1, 1), 1e-3), np.zeros(1))

        def certified(self, tensors, enough, least_scale):
            return [1e-9, 1e-9]

    pairs = [(np.ones((1, 1)), np.ones((1, 1))), (np.ones(1), np.ones(1))]
    for error, verdict in ((0.01, "inconclusive"), (0.0, "verified")):
        judgement = judge(pairs, [np.ones((1, 1)), np.array([1 + error])], "float64", Reference())
        assert judgement.right_to == (1e-9, pytest.approx(error))
        assert judgement.verdict == verdict


def test_a_bound_says_something_up_to_the_square_root_of_the_roundoff():
    assert not vacuous(np.array([2.0, 0.0]), np.full(2, 2.1e-8), "float64")
    assert vacuous(np.array([2.0, 0.0]), np.full(2, 2.2e-8), "float64")
    assert not vacuous(np.array([2.0]), np.array([4.8e-4]), "float32")
    assert not vacuous(np.array([2.0]), np.array([2.0**-11]), "float32")
    assert vacuous(np.array([2.0]), np.array([np.nextafter(2.0**-11, 1)]), "float32")
    assert vacuous(np.array([2.0]), np.array([np.nan]), "float64")
    assert not vacuous(np.zeros(2), np.full(2, 1e-163), "float64")
    assert vacuous(np.zeros(2), np.full(2, 1e-160), "float64")


def test_errors_in_units_of_bounds():
    error = np.array([0.0, 1.0, 2.0, np.nan, np.nan, 1.0, 0.0, np.inf, 5e-324])
    bound = np.array([0.0, 2.0, 1.0, 1.0, np.inf, np.inf, 1.0, 1.0, 0.0])
    expected = [0.0, 0.5, 2.0, np.inf, 0.0, 0.0, 0.0, np.inf, np.inf]
    np.testing.assert_array_equal(judged_ratios(error, bound), expected)


@pytest.mark.parametrize("bound", [1.0, 1.5, 1.9999, 3e-310, 5e-324, 1e300])
def test_one_step_beyond_a_bound_is_more_than_1(bound):
    bound = np.array([bound, np.nextafter(bound, 0), np.nextafter(bound, np.inf)])
    assert np.all(judged_ratios(bound, bound)[bound > 0] == 1)
    assert np.all(judged_ratios(np.nextafter(bound, np.inf), bound) > 1)
    assert np.all(judged_ratios(np.nextafter(bound, 0), bound) <= 1)


def test_names_and_sizes():
    assert list(tensor_names(2)) == [f"{kind} of layer {i}" for i in (1, 2) for kind in ("weight", "bias")]
    assert sizes_of_inputs(Case((3, 4, 2), 5).inputs()) == {"b": 5, "n0": 3, "n1": 4, "n2": 2}


def test_the_truth_is_a_gradient():
    case = Case((3, 4, 2), 5)
    truth = Truth.of(Spec(), case.inputs(), "float64")
    assert [layer.weight.shape for layer in truth.gradient] == [(3, 4), (4, 2)]
    assert judge(truth.tensors, tensors_of(truth.gradient), "float64").ratio == 0
    loss, gradient = loss_and_gradient(*case.arrays())
    assert abs(loss - truth.loss[0]) <= truth.loss[1]
    assert judge(truth.tensors, tensors_of(gradient), "float64").verdict == "verified"


def test_what_is_found_cannot_be_changed():
    truth = Truth.of(Spec(), Case((4, 5, 3), 6).inputs(), "float64")
    for found in (truth, judge(truth.tensors, tensors_of(truth.gradient), "float64")):
        with pytest.raises(AttributeError):
            found.loss = 1.0


def test_small_means_the_square_root_of_the_roundoff():
    pairs = [(np.array([[1.0]]), np.zeros((1, 1)))] * 2
    judgement = judge(pairs, [np.array([[1 + 1e-8]]), np.array([[1.0]])], "float64")
    assert small(judgement, "float64")
    judgement = judge(pairs, [np.array([[1 + 2e-8]]), np.array([[1.0]])], "float64")
    assert not small(judgement, "float64")


def test_small_is_relative_to_the_tensors_own_scale():
    tensors = [(np.array([[scale]]), np.zeros((1, 1))) for scale in (1.0, 100.0, 0.5, 1000.0)]
    loss = (np.array(4.0), np.array(0.0))
    for i, (value, _) in enumerate(tensors):
        for factor, expected in ((1.0e-8, True), (1.1e-8, False)):
            results = [v for v, _ in tensors]
            results[i] = value * (1 + factor)
            judgement = judge(tensors, results, "float64")
            assert judgement.tensor == tensor_names(2)[i]
            assert small(judgement, "float64") == expected
    for error, expected in ((2.0**-10, True), (np.nextafter(2.0**-10, 1), False)):
        judgement = judge([loss], [np.array(error)], "float32")
        assert small(dataclasses.replace(judgement, error=error), "float32") == expected
    for error, expected in ((4e-8, True), (4.4e-8, False)):
        judgement = judge([loss], [loss[0] + error], "float64")
        assert small(judgement, "float64") == expected


@pytest.mark.parametrize("empty", [0, 1, 2])
def test_a_tensor_without_entries_is_shown_right_and_leaves_the_others_to_themselves(empty):
    values = [np.array([1.0, 4.0]), np.array([[2.0], [0.5]])]
    values.insert(empty, np.zeros((3, 0)))
    pairs = [(value, np.full(value.shape, 1e-9)) for value in values]
    results = [value + 5e-10 for value in values]
    names = tensor_names(2)[:3]
    judgement = judge(pairs, results, "float64", names=names)
    assert judgement.verdict == "verified"
    full = [place for place in range(3) if place != empty]
    assert judgement.tensor in (names[place] for place in full)
    np.testing.assert_allclose(judgement.right_to[full[0]], 1.5e-9 / 4, rtol=1e-6)
    np.testing.assert_allclose(judgement.right_to[full[1]], 1.5e-9 / 2, rtol=1e-6)
    assert judgement.right_to[empty] == judgement.allows[empty] == 0
