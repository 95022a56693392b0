"""Explaining a wrong gradient: what is named is there, and what is not in the catalogue is not named."""

import numpy as np
import pytest

import verify
from mlp_ref import loss_and_gradient
from mlp_ref.params import Layer
from verify.commands.mistakes.score import CONFIGURATIONS
from verify.diagnosis.diagnose import Diagnosis
from verify.diagnosis.mistakes import CATALOGUE, wrong_gradient
from verify.diagnosis.mistakes.in_some_places import chosen_places, in_some_layers, in_some_rows
from verify.reference.spec import Spec

NAMED = {mistake.name: mistake for mistake in CATALOGUE}


def explained(spec, *names, **options):
    return verify.explain(wrong_gradient(spec, *(NAMED[name] for name in names)), spec, **options)


@pytest.mark.parametrize("spec", CONFIGURATIONS, ids=str)
def test_a_right_gradient_is_not_diagnosed(spec):
    found = explained(spec)
    assert (found.mistakes, found.text) == ((), "")
    assert str(found) == "nothing wrong was observed"


def test_the_network_that_ships_is_not_diagnosed():
    found = verify.explain(lambda params, x, y: loss_and_gradient(params, x, y)[1])
    assert (found.mistakes, found.text) == ((), "")


@pytest.mark.parametrize("family", sorted({mistake.family for mistake in CATALOGUE}))
def test_every_mistake_of_a_family_is_named_alone(family):
    for mistake in CATALOGUE:
        if mistake.family == family:
            spec = next(spec for spec in CONFIGURATIONS if mistake.counts(spec))
            found = verify.explain(wrong_gradient(spec, mistake), spec, pairs=False)
            assert (found.mistakes, found.alternatives) == ((mistake.name,), ()), (spec, mistake.name)


@pytest.mark.parametrize(
    ("spec", "names"),
    [
        (Spec(), {"softmax_diagonal", "bias_mean"}),
        (Spec(), {"divided_twice", "slope_twice"}),
        (Spec(), {"accumulated", "bias_first_row"}),
        (Spec("tanh", "identity", "squared_error"), {"missing_two", "preactivation_as_input"}),
        (Spec("relu", "sigmoid", "binary_cross_entropy", l2=0.1), {"penalty_doubled", "slope_dropped"}),
    ],
    ids=lambda value: " and ".join(sorted(value)) if isinstance(value, set) else str(value),
)
def test_two_mistakes_at_once_are_both_named(spec, names):
    found = explained(spec, *names)
    assert set(found.mistakes) == names
    for name in names:
        assert f"mistake: {name} ({NAMED[name].family})" in found.text


def test_the_text_has_both_formulas_and_the_reasoning():
    text = explained(Spec(), "slope_dropped").text
    assert "  yours  dz = da\n  right  dz = da * f'(z)" in text
    assert (
        "the weight and bias of layer 3 are right; the last layer is, so the output delta is right"
        in text.replace("\n      ", " ").replace("\n    ", " ")
    )
    assert "slope_dropped gives every entry of 48 calls" in text.replace("\n    ", " ")


def test_a_constant_is_found_and_said():
    spec = Spec("leaky_relu", "identity", "squared_error")
    usual, other, *_ = NAMED["leak_of_another_size"].variants
    for variant, constant in ((usual, "0.1"), (other, "0.2")):
        found = verify.explain(wrong_gradient(spec, variant), spec)
        assert found.mistakes == ("leak_of_another_size",)
        assert f"(with {constant})" in found.text


def altered(change):
    """The right gradient of the default Spec with one change made to it."""

    def gradient(params, x, y):
        layers = wrong_gradient(Spec())(params, x, y)
        change(layers)
        return layers

    return gradient


def scale_first_row(layers):
    layers[0].weight[0] *= 3


def scale_one_bias(layers):
    layers[-1].bias[0] *= 1.5


def transpose_square(layers):
    if layers[0].weight.shape[0] == layers[0].weight.shape[1]:
        layers[0].weight[...] = layers[0].weight.T.copy()


def change_by_two_in_a_thousand_millions(layers):
    layers[0].weight[0, 0] *= 1 + 2e-9


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (scale_first_row, "a factor of its own for each row: 3, 1, 1, 1, 1"),
        (scale_one_bias, "the first that is wrong, from the output: bias of layer 3"),
        (scale_one_bias, "10 of its 11 entries are right"),
        (transpose_square, "it is right, but transposed"),
        (change_by_two_in_a_thousand_millions, "62 of its 63 entries are right"),
    ],
)
def test_what_is_not_in_the_catalogue_is_localised_and_not_named(change, said):
    found = verify.explain(altered(change), pairs=False)
    assert found.mistakes == ()
    assert found.text.startswith("not in the catalogue of mistakes, alone; what can be said:")
    assert said in found.text


def test_a_gradient_that_leaves_out_a_row_is_said_to():
    spec = Spec(reduction="sum")
    right = wrong_gradient(spec)

    def gradient(params, x, y):
        return right(params, x[1:], y[1:]) if len(x) > 1 else right(params, x, y)

    found = verify.explain(gradient, spec)
    assert found.mistakes == ()
    assert found.text.startswith("not in the catalogue of mistakes, alone or in pairs; what can be said:")
    assert "it is the gradient of every row but 0" in found.text
    found = verify.explain(lambda params, x, y: right(params, x[1:], y[1:]), spec)
    assert found.mistakes == ("rows_left_out",)
    assert [m.where for m in found.found] == ["row 1 alone"]
    assert "yours  dz = 0 in some rows, the last one say   (in row 1 alone)" in found.text


@pytest.mark.parametrize(
    ("spec", "name", "places", "move"),
    [
        (Spec("tanh"), "bias_sign", chosen_places([1], "layer"), in_some_layers),
        (Spec("relu"), "slope_dropped", chosen_places([0], "layer", others=True), in_some_layers),
        (Spec(), "weight_absolute", chosen_places([0], "layer", end=True), in_some_layers),
        (Spec(), "rows_left_out", chosen_places([2, 4], "row"), in_some_rows),
        (Spec(), "softmax_diagonal", chosen_places([0, 1], "row", end=True), in_some_rows),
        (Spec(), "batch_cut", chosen_places([0], "row"), in_some_rows),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_mistake_in_some_places_is_named_with_its_places(spec, name, places, move):
    found = verify.explain(wrong_gradient(spec, move(NAMED[name], places)), spec)
    assert found.mistakes == (name,)
    assert [m.where for m in found.found] == [places.said]
    assert f"(in {places.said})" in found.text


@pytest.mark.parametrize(
    ("spec", "name", "number"),
    [
        (Spec(), "bias_scaled", 0.3),
        (Spec(), "gradient_clipped", 0.07),
        (Spec("leaky_relu"), "leak_of_another_size", 0.123456789),
        (Spec(), "softmax_tempered", 1.7),
        (Spec(l2=0.1), "penalty_of_another_size", 0.37),
        (Spec(), "momentum_inside", 0.8),
        (Spec(), "parameters_updated", 0.037),
        (Spec(), "clipped_logits", 17.4),
    ],
)
def test_a_constant_is_solved_for(spec, name, number):
    found = verify.explain(wrong_gradient(spec, NAMED[name].with_constant(number)), spec)
    assert found.mistakes == (name,)
    assert [m.constant for m in found.found] == [pytest.approx(number, rel=1e-12)]
    assert f"with {number:.12g}" in found.text


def test_a_loss_and_a_mistake_are_found_together():
    other = Spec("sigmoid", "softmax", "squared_error")
    found = verify.explain(wrong_gradient(other, NAMED["softmax_diagonal"]), Spec())
    assert (found.mistakes, found.spec) == (("softmax_diagonal",), other)
    assert found.text.startswith(f"as the gradient of {other} (you declared {Spec()}):")


def test_another_loss_without_a_mistake_is_no_mistake():
    other = Spec("sigmoid", "softmax", "squared_error", "mean_all")
    assert verify.explain(wrong_gradient(other), Spec()).mistakes == ()


def test_what_was_not_tried_for_want_of_time_is_said():
    found = verify.explain(altered(scale_first_row), seconds=1e-9)
    assert found.mistakes == ()
    assert "alone or in pairs, as far as tried in 0.0 s; what can be said:" in found.text


def test_random_answers_are_said_to_change():
    rng = np.random.default_rng(0)

    def gradient(params, x, y):
        return [
            Layer(*(t * rng.uniform(0.5, 2) for t in layer)) for layer in wrong_gradient(Spec())(params, x, y)
        ]

    found = verify.explain(gradient, pairs=False)
    assert found.mistakes == ()
    assert "the same call gives another answer the second time (12 of 12 cases)" in found.text


def test_float32_alone_is_enough():
    def gradient(params, x, y):
        if x.dtype != np.float32:
            raise TypeError("float32 only")
        return wrong_gradient(Spec(), NAMED["bias_mean"])(params, x, y)

    assert verify.explain(gradient).mistakes == ("bias_mean",)


def test_integer_labels():
    def gradient(params, x, y):
        rows = np.eye(len(params[-1].bias), dtype=x.dtype)[y]
        return wrong_gradient(Spec(), NAMED["softmax_diagonal"])(params, x, rows)

    assert verify.explain(gradient, labels="integer").mistakes == ("softmax_diagonal",)


def test_a_network_of_one_depth_without_biases():
    spec = Spec(biases=False)

    def gradient(params, x, y):
        if len(params) != 2:
            raise ValueError("two layers")
        return wrong_gradient(spec, NAMED["slope_twice"])(params, x, y)

    target = verify.Target(gradient, biases=False, layers=2)
    assert verify.explain(target).mistakes == ("slope_twice",)


def test_a_loss_of_ones_own_has_no_catalogue():
    found = verify.explain(lambda *arrays: arrays[0], lambda *_: 0.0)
    assert (found.mistakes, found.unobserved) == ((), True)
    assert found.text == "no diagnosis: the catalogue is for a Spec, not for a loss of yours"


def test_a_notebook_shows_the_formulas():
    diagnosis = Diagnosis(("softmax_diagonal",), text="<b>mistake</b>: softmax_diagonal")
    text = diagnosis._repr_html_()
    assert "<math>" in text
    assert "each output by its own logit alone" in text
    assert "&lt;b&gt;mistake" in text
    assert "nothing wrong was observed" in Diagnosis()._repr_html_()


def test_one_maximum_for_the_whole_batch_is_named_in_code_of_another_hand():
    def gradient(params, x, y):
        a, inputs = x, []
        for weight, bias in params:
            inputs.append(a)
            z = a @ weight + bias
            a = 1 / (1 + np.exp(-z))
        e = np.exp(z - z.max())
        dz, grads = (e / e.sum(axis=1, keepdims=True) - y) / len(x), []
        for a, (weight, _) in zip(reversed(inputs), reversed(params), strict=True):
            grads.append((a.T @ dz, dz.sum(axis=0)))
            dz = dz @ weight.T * (a * (1 - a))
        return grads[::-1]

    assert verify.explain(gradient).mistakes == ("softmax_shifted_together",)
