"""Mistakes that show only in a call of their own are caught by the check that is named for them, and described."""

import pytest

from mlp_ref import forward
from mlp_ref.params import Layer
from verify.checks.examine import examine_case
from verify.checks.table import CHECKS
from verify.subject.target import Target

from .examining import CASE, SPEC, failure, loss, outputs, right


def test_the_loss_is_judged():
    assert failure(right, loss=lambda *a: 1.000001 * loss(*a)).check == "loss"
    assert failure(right, loss=lambda *a: [1, 2]).detail == "the loss has shape (2,); it must be one number"
    assert failure(right, loss=lambda *a: None).detail == "the loss returned NoneType, not a number"
    assert failure(right, loss=lambda *a: 1 / 0).detail.startswith("the loss raised ZeroDivisionError")


def test_the_outputs_are_judged():
    failed = failure(right, forward=lambda *a: 1.000001 * outputs(*a))
    assert (failed.check, failed.judgement.tensor) == ("forward", "outputs")
    assert failure(right, forward=lambda *a: outputs(*a).T).detail == (
        "the outputs have shape (2, 5); they must have (5, 2)"
    )
    assert failure(right, forward=lambda *a: "p").detail == "the forward pass returned str, not an array"
    assert failure(right, forward=forward).check == "forward"  # logits are not outputs


def test_outputs_cannot_be_judged_against_a_jax_loss():
    with pytest.raises(TypeError, match=r"^forward= can be judged only where spec is a Spec"):
        examine_case(Target(right, forward=outputs), verify_loss, CASE)


def verify_loss(params, x, y):
    from verify.reference.derivative import loss_function

    return loss_function(SPEC)(params, x, y)


class Accumulating:
    def __init__(self):
        self.kept = None

    def __call__(self, params, x, y):
        found = right(params, x, y)
        if self.kept is not None and self.kept[0].weight.shape == found[0].weight.shape:
            found = [
                Layer(*(a + b for a, b in zip(*pair, strict=True)))
                for pair in zip(self.kept, found, strict=True)
            ]
        self.kept = [Layer(w.copy(), b.copy()) for w, b in found]
        return found


class Stale:
    def __init__(self):
        self.kept = {}

    def __call__(self, params, x, y):
        key = x.shape, params[0].weight.shape
        if key not in self.kept:
            self.kept[key] = right(params, x, y)
        return [Layer(w.copy(), b.copy()) for w, b in self.kept[key]]


class Buffered:
    def __init__(self):
        self.kept = None

    def __call__(self, params, x, y):
        found = right(params, x, y)
        if self.kept is None or self.kept[0].weight.shape != found[0].weight.shape:
            self.kept = [Layer(w.copy(), b.copy()) for w, b in found]
        for old, new in zip(self.kept, found, strict=True):
            old.weight[...], old.bias[...] = new
        return self.kept


def test_accumulation_is_told():
    for follow_up in ("repeat", "second_call"):
        failed = failure(Accumulating(), follow_up)
        assert (failed.check, failed.verdict) == (follow_up, "wrong")
        assert failed.detail.startswith("it accumulates: ")
        assert "answer is the sum of both" in failed.detail


def test_a_stale_cache_is_told():
    failed = failure(Stale(), "second_call")
    assert failed.detail == (
        "it answers a second call, with other values, as it answered the first: a stale cache"
    )


def test_a_reused_buffer_is_told():
    failed = failure(Buffered(), "second_call")
    assert failed.detail == "a second call overwrote the first call's gradient of the weight of layer 1"
    failed = failure(Buffered(), "repeat")
    assert (failed.check, failed.detail) == (
        "aliasing",
        "two calls return the same memory as the gradient of the weight of layer 1",
    )


def test_an_answer_that_depends_on_the_call_is_told():
    calls = []

    def gradient(params, x, y):
        calls.append(1)
        return [Layer(w * len(calls) ** 2, b) for w, b in right(params, x, y)]

    failed = failure(gradient, "repeat")
    assert (failed.check, failed.detail) == ("repeat", CHECKS["repeat"].question)


def test_dependence_on_the_order_of_the_batch_is_told():
    def gradient(params, x, y):  # right only where the first row is the one that the case has first
        swap = x[0, 0] != CASE.arrays().x[0, 0]
        return [Layer(w * (1 + swap), b) for w, b in right(params, x, y)]

    assert failure(gradient, "batch_order").check == "batch_order"


def test_a_part_of_the_batch_is_asked_for_after_the_whole():
    def gradient(params, x, y):
        return [Layer(w * len(x) / 5, b * len(x) / 5) for w, b in right(params, x, y)]

    assert failure(gradient, "split_batch").check == "split_batch"


def test_a_session_is_used_by_the_checks_that_call_twice():
    target = Target(right, session=Accumulating)
    assert examine_case(target, SPEC, CASE).verdict == "verified"
    assert failure(target, "repeat").detail.startswith("it accumulates")
