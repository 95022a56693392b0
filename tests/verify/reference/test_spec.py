"""The names of a network's parts."""

import pytest

from verify.reference.spec import HIDDEN, LOSSES, OUTPUT_LOSSES, OUTPUTS, REDUCTIONS, Spec


@pytest.mark.parametrize(
    ("field", "value", "known"),
    [
        ("hidden", "sigmod", "sigmoid, tanh, relu, leaky_relu, identity"),
        ("output", "linear", "softmax, sigmoid, tanh, identity"),
        ("loss", "mse", "cross_entropy, squared_error, binary_cross_entropy"),
        ("reduction", "average", "mean, mean_all, sum, half_mean, half_mean_all, half_sum"),
        ("hidden", None, "sigmoid, tanh"),
        ("reduction", ["mean"], "mean, mean_all"),
    ],
)
def test_an_unknown_name_is_refused_with_the_known_ones(field, value, known):
    with pytest.raises(ValueError, match=rf"^{field} must be one of .*{known}.*; got ") as raised:
        Spec(**{field: value})
    assert str(raised.value).endswith(f"got {value!r}")


@pytest.mark.parametrize(("output", "loss"), [(o, loss) for o in OUTPUTS for loss in LOSSES])
def test_output_and_loss_must_belong_together(output, loss):
    if (output, loss) in OUTPUT_LOSSES:
        assert Spec(output=output, loss=loss).output == output
    else:
        with pytest.raises(ValueError, match=rf"softmax with cross_entropy; .*; got {output} with {loss}$"):
            Spec(output=output, loss=loss)


@pytest.mark.parametrize("l2", [-1e-9, float("nan"), float("inf"), "0.1", None])
def test_a_penalty_is_a_finite_number(l2):
    with pytest.raises(ValueError, match="l2 must be a finite number, 0 or larger; got "):
        Spec(l2=l2)


def test_targets_suit_the_output():
    assert {output: Spec(output=output, loss=loss).targets for output, loss in OUTPUT_LOSSES} == {
        "softmax": "distribution",
        "sigmoid": "probability",
        "tanh": "real",
        "identity": "real",
    }


def test_one_line_says_all():
    assert str(Spec()) == "sigmoid hidden, softmax with cross_entropy, mean"
    assert str(Spec("relu", l2=0.01, biases=False)) == (
        "relu hidden, softmax with cross_entropy, mean, l2 0.01, no biases"
    )
    assert str(Spec(weights="rows")).endswith("cross_entropy, mean, weighted rows")
    assert str(Spec(weights="normalised", l2=1)).endswith("mean, normalised weights of rows, l2 1")


def test_weights_are_known_by_name():
    assert not Spec().weighted
    assert Spec(weights="normalised").weighted
    with pytest.raises(ValueError, match="weights must be one of none, rows, normalised; got 'some'"):
        Spec(weights="some")


def test_equal_specs_are_one_key():
    assert len({Spec(), Spec(hidden="sigmoid"), Spec("tanh")}) == 2
    assert "leaky_relu" in HIDDEN
    assert len(REDUCTIONS) == 6
