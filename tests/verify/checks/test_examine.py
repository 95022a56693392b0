"""Each way of misbehaving is caught by the check that is named for it, with a message that says what happened."""

from dataclasses import replace

import numpy as np
import pytest

from mlp_ref.params import Layer
from verify.case.case import LAYOUTS
from verify.checks.examine import examine_case
from verify.checks.table import FOLLOW_UPS
from verify.reference.spec import Spec
from verify.subject.recovered import Recovered
from verify.subject.target import Target

from .examining import CASE, SPEC, failure, loss, outputs, right


@pytest.mark.parametrize("follow_up", FOLLOW_UPS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_right_gradient_with_loss_and_outputs_passes(follow_up, layout):
    target = Target(right, loss, forward=outputs)
    assert examine_case(target, SPEC, replace(CASE, layout=layout), follow_up).verdict == "verified"


def test_raising_is_said_with_its_place():
    def gradient(params, x, y):
        raise IndexError("list index out of range\nand more")

    failed = failure(gradient)
    assert (failed.check, failed.verdict) == ("runs", "crashed")
    assert failed.detail.startswith("the gradient raised IndexError: list index out of range (line ")
    assert failed.detail.endswith("test_examine.py)")


@pytest.mark.parametrize(
    ("result", "check", "verdict", "detail"),
    [
        (None, "result", "crashed", "the gradient returned None; it must return [(dweight, dbias), ...]"),
        (3.0, "result", "crashed", "the gradient returned float, not [(dweight, dbias), ...]"),
        ([], "result", "crashed", "the gradient returned 0 layers; the network has 2"),
        (
            [(1, 2, 3), (1, 2)],
            "result",
            "crashed",
            "layer 1 of the gradient has 3 items, not (dweight, dbias)",
        ),
        (
            [("a", 1), (1, 2)],
            "result",
            "crashed",
            "the dweight of layer 1 has dtype <U1; it must be float64",
        ),
        (
            [(np.zeros((4, 3)), np.zeros(4)), (1, 2)],
            "result",
            "wrong",
            "the dweight of layer 1 has shape (4, 3); the parameter has (3, 4)",
        ),
    ],
)
def test_a_result_of_another_structure_is_refused(result, check, verdict, detail):
    failed = failure(lambda params, x, y: result)
    assert (failed.check, failed.verdict, failed.detail) == (check, verdict, detail)


def test_another_dtype_is_refused_with_the_way_out():
    failed = failure(
        lambda *arrays: [Layer(w.astype(float), b.astype(float)) for w, b in right(*arrays)],
        case=replace(CASE, dtype="float32"),
    )
    assert (failed.check, failed.verdict) == ("dtype", "wrong")
    assert failed.detail == (
        "the dweight of layer 1 is float64; the parameters are float32 (dtypes=('float64',) judges float64 alone)"
    )


@pytest.mark.parametrize("which", ["x", "y", "weight of layer 2", "bias of layer 1"])
def test_changed_inputs_are_noticed(which):
    def gradient(params, x, y):
        result = right(params, x, y)
        named = {"x": x, "y": y, "weight of layer 2": params[1].weight, "bias of layer 1": params[0].bias}
        named[which][...] += 1
        return result

    failed = failure(gradient)
    assert (failed.check, failed.verdict) == ("inputs", "wrong")
    assert failed.detail == f"the call changed {'the ' if ' ' in which else ''}{which} that it was given"


def test_inputs_changed_by_the_loss_and_by_the_forward_pass_are_noticed():
    def changing_loss(params, x, y):
        x += 1
        return loss(params, x - 1, y)

    def changing_forward(params, x):
        params[0].weight[...] *= 2

    assert failure(right, loss=changing_loss).detail == "the loss changed x that it was given"
    failed = failure(right, forward=changing_forward)
    assert failed.detail == "the forward pass changed the weight of layer 1 that it was given"


def test_results_that_share_memory_with_inputs_or_each_other_are_noticed():
    def of_an_input(params, x, y):
        for layer, found in zip(params, right(params, x, y), strict=True):
            np.copyto(layer.weight, layer.weight)
            yield found.weight, found.bias

    assert examine_case(Target(of_an_input), SPEC, CASE).verdict == "verified"

    def same(params, x, y):
        gradient = [Layer(w.copy(), b.copy()) for w, b in right(params, x, y)]
        return [gradient[0], Layer(gradient[1].weight, gradient[0].bias[:2])]

    failed = failure(same)
    assert (failed.check, failed.detail) == (
        "aliasing",
        "the gradients of the bias of layer 1 and of the bias of layer 2 share memory",
    )
    failed = failure(lambda params, x, y: params)
    assert (
        failed.detail
        == "the gradient of the weight of layer 1 shares memory with the input weight of layer 1"
    )


def test_one_entry_off_by_little_is_wrong_or_imprecise():
    def off(relative):
        def gradient(params, x, y):
            found = [Layer(w.copy(), b.copy()) for w, b in right(params, x, y)]
            found[1].bias[0] *= 1 + relative
            return found

        return failure(gradient)

    assert (off(1e-3).check, off(1e-3).verdict) == ("gradient", "wrong")
    assert off(1e-3).judgement.tensor == "bias of layer 2"
    assert off(1e-12).verdict == "imprecise"


def recovered(params, x, y, error=0.0, other=None):
    gradient = right(params, x, y)
    return Recovered(gradient, [Layer(w * 0 + error, b * 0 + error) for w, b in gradient], other, (4.0, 1.0))


def test_the_error_of_a_recovery_widens_the_bound_and_no_more():
    def off(by, error):
        def gradient(params, x, y):
            exact = recovered(params, x, y, error)
            return Recovered([Layer(w + by, b) for w, b in exact], exact.error)

        return Target(gradient)

    assert (
        examine_case(off(1e-6, 1.01e-6), SPEC, CASE).verdict == "inconclusive"
    )  # beyond sqrt(u) of the scale
    assert examine_case(off(1e-12, 1.01e-12), SPEC, CASE).verdict == "verified"
    assert failure(off(1e-12, 0.98e-12)).check == "gradient"


def test_steps_at_two_rates_must_show_one_gradient():
    def gradient(params, x, y):
        other = recovered(params, x, y)
        return recovered(params, x, y, other=Recovered([Layer(w, b + 1e-9) for w, b in other], other.error))

    failed = failure(gradient)
    assert (failed.check, failed.verdict) == ("learning_rate", "wrong")
    assert failed.detail.startswith(
        "the update is not linear in the learning rate: steps at 4 and 1 show different"
    )
    assert failed.judgement.tensor == "bias of layer 2"


def test_a_network_without_biases_is_judged_without_them():
    def gradient(params, x, y):
        without = [Layer(w, np.zeros_like(b)) for w, b in params]
        return [Layer(w, np.zeros_like(b)) for w, b in right(without, x, y)]

    target = Target(gradient, biases=False)
    spec = target.judged_as(None)
    assert spec == Spec(biases=False)
    assert examine_case(target, spec, CASE).verdict == "verified"
    assert failure(gradient).check == "gradient"


def test_an_exit_is_a_crash():
    def leaves(params, x, y):
        raise SystemExit(0)

    failed = failure(leaves)
    assert (failed.check, failed.verdict) == ("runs", "crashed")
    assert failed.detail.startswith("the gradient raised SystemExit: 0 (line ")


def test_a_generator_that_fails_as_it_is_read_is_a_crash():
    def generates(params, x, y):
        yield right(params, x, y)[0]
        raise IndexError("half way")

    detail = "the gradient returned generator, which raised IndexError: half way when it was read"
    assert failure(generates).detail == detail


def test_an_error_without_words_is_a_crash():
    class Wordless(Exception):
        def __str__(self):
            raise RuntimeError("no")

    def fails(params, x, y):
        raise Wordless

    assert failure(fails).detail.startswith("the gradient raised Wordless: (it has no text)")
