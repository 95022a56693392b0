import numpy as np
import pytest

import verify
from tests.verify.reference.layers.right import RIGHT
from tests.verify.reference.layers.right.activations import probabilities


def judged(backward, reference="affine", **arguments):
    return verify.check_backward(backward, reference=reference, cases=60, xla=0, certified=0, **arguments)


def found(report):
    return {(finding.check, finding.verdict) for finding in report.findings}


def right(dout, x, w, b):
    return RIGHT["affine"](dout, x, w, b)


def test_a_wrong_number_is_found_at_the_smallest_shape_that_shows_it():
    report = judged(lambda dout, x, w, b: (dout @ w.T, x.T @ dout, dout.mean(axis=0)))
    assert report.verdict == "wrong"
    [finding] = [finding for finding in report.findings if finding.check == "gradient"]
    assert finding.tensor == "db"
    assert dict(finding.case.sizes) == {"n": 2, "d": 1, "m": 1}


def changes_dout(dout, x, w, b):
    grads = right(dout, x, w, b)
    dout *= 2
    return grads


def changes_x(dout, x, w, b):
    grads = right(dout, x, w, b)
    x += 1
    return grads


@pytest.mark.parametrize(("backward", "what"), [(changes_dout, "the cotangent"), (changes_x, "the input x")])
def test_a_changed_argument_is_named(backward, what):
    report = judged(backward, layouts=("C",))
    assert ("inputs", "wrong") in found(report)
    assert f"the call changed {what}" in str(report)


def test_a_gradient_in_an_inputs_memory_is_found():
    assert ("aliasing", "wrong") in found(judged(lambda dout, x: x, "relu", layouts=("C",)))


def test_the_cotangent_itself_may_be_the_gradient_of_a_sum():
    report = verify.check_backward(
        lambda dout, x, y: (dout, dout),
        reference=lambda x, y: x + y,
        shapes={"x": "n d", "y": "n d"},
        cases=40,
        xla=0,
        certified=0,
    )
    assert report.ok, str(report)


def test_a_stale_cache_is_found():
    kept = {}

    def backward(dout, x, w, b):
        return kept.setdefault((x.shape, w.shape, str(x.dtype)), right(dout, x, w, b))

    report = judged(backward, checks=("second_call",))
    assert ("second_call", "wrong") in found(report)
    assert "a stale cache" in str(report)


def test_accumulation_is_found():
    kept = {}

    def backward(dout, x, w, b):
        key = (x.shape, w.shape, str(x.dtype))
        total = [g + k for g, k in zip(right(dout, x, w, b), kept.get(key, (0, 0, 0)), strict=True)]
        kept[key] = total
        return [g.copy() for g in total]

    report = judged(backward, checks=("repeat",), layouts=("C",))
    assert not report.ok


def test_a_second_backward_pass_on_a_spent_cache_is_found():
    def forward(x, w, b):
        return x @ w + b, [x.copy(), w]

    def backward(dout, cache):
        x, w = cache
        grads = dout @ w.T, x.T @ dout, dout.sum(axis=0)
        x *= 0
        return grads

    report = judged(backward, forward=forward, checks=("repeat",))
    assert ("repeat", "wrong") in found(report)
    assert "on the same cache" in str(report)


@pytest.mark.parametrize(
    ("backward", "check", "said"),
    [
        (lambda dout, x, w, b: None, "result", "returned None"),
        (lambda dout, x, w, b: (dout, x), "result", "returned 2 items"),
        (lambda dout, x, w, b: (dout, x, dout), "result", "has shape"),
        (lambda dout, x, w, b: 1 / 0, "runs", "ZeroDivisionError"),
        (lambda dout, x, w, b: [g.astype("f8") for g in right(dout, x, w, b)], "dtype", "is float64"),
    ],
)
def test_what_is_no_gradient_is_said(backward, check, said):
    report = judged(backward)
    assert check in {name for name, _ in found(report)}
    assert said in str(report)


def test_a_choice_at_a_kink_is_accepted_and_named():
    report = judged(lambda dout, x: dout * (x >= 0), "relu")
    assert report.ok, str(report)
    assert "at ties or kinks: from above" in str(report)


@pytest.mark.parametrize("share", [2.0, -1.0])
def test_what_is_no_slope_of_either_side_of_a_kink_is_wrong(share):
    report = judged(lambda dout, x: dout * np.where(x == 0, x.dtype.type(share), x > 0), "relu")
    assert report.verdict == "wrong"
    assert report.findings[0].regime == "ties"


def paid_in_full(dout, x, *, size, stride):
    dx = np.zeros_like(x)
    for p in range(dout.shape[2]):
        for q in range(dout.shape[3]):
            place = np.s_[:, :, p * stride : p * stride + size, q * stride : q * stride + size]
            window = x[place]
            dx[place] += dout[:, :, p : p + 1, q : q + 1] * (window == window.max(axis=(2, 3), keepdims=True))
    return dx


def test_ties_that_are_paid_in_full_to_each_are_wrong():
    report = judged(paid_in_full, "max_pool2d")
    assert report.verdict == "wrong"
    assert report.findings[0].regime != "ordinary"


def test_a_logarithm_of_what_underflows_is_imprecise():
    def loss(logits, labels):
        rows, p = np.arange(len(labels)), probabilities(logits)
        value = -np.log(p[rows, labels]).mean()
        p[rows, labels] -= 1
        return value, p / p.dtype.type(len(labels))

    report = judged(loss, "cross_entropy")
    assert report.verdict == "imprecise"
    assert report.findings[0].regime == "extreme"
