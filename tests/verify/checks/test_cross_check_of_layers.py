import itertools

import pytest

import verify
from tests.verify.reference.layers.right import RIGHT
from verify.case.layers.case import LayerCase
from verify.checks.cross_check import worst_certified_error, worst_xla_error
from verify.reference.layers import reference_in_table

CASES = {
    "affine": LayerCase((("n", 2), ("d", 3), ("m", 2)), dtype="float32"),
    "softmax": LayerCase((("n", 2), ("d", 3)), regime="extreme"),
    "max_pool2d": LayerCase(
        (("n", 1), ("c", 1), ("h", 3), ("w", 3)), (("size", 2), ("stride", 1)), regime="ties"
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_xla_and_balls_agree_with_the_bounds(name):
    assert worst_xla_error(reference_in_table(name), CASES[name]) <= 1
    assert worst_certified_error(reference_in_table(name), CASES[name]) <= 1


def on_every_second_call(change):
    """The backward pass of affine, with a change to its answer on every second call."""
    calls = itertools.count(1)

    def backward(dout, x, w, b):
        gradient = RIGHT["affine"](dout, x, w, b)
        return gradient if next(calls) % 2 else tuple(change(tensor) for tensor in gradient)

    return backward


def cancelled(tensor):
    """An error of rounding: it shrinks with the precision, but is larger than sqrt(u)."""
    large = tensor.dtype.type(2**14)
    return (tensor + large) - large


def shifted(tensor):
    return tensor + tensor.dtype.type(0.01)


@pytest.mark.parametrize("check", ["second_call", "repeat"])
@pytest.mark.parametrize(("change", "verdict"), [(cancelled, "imprecise"), (shifted, "wrong")])
def test_a_further_call_is_adjudicated_as_the_first_is(check, change, verdict):
    report = verify.check_backward(
        on_every_second_call(change), reference="affine", dtypes=("float32",), cases=30, checks=(check,)
    )
    assert [(finding.check, finding.verdict) for finding in report.findings] == [(check, verdict)]


def test_a_second_pass_on_the_same_cache_is_adjudicated_as_the_first_is():
    def forward(x, w, b):
        return x @ w + b, [x, w, itertools.count()]

    def backward(dout, cache):
        x, w, passes = cache
        gradient = dout @ w.T, x.T @ dout, dout.sum(axis=0)
        return tuple(map(cancelled, gradient)) if next(passes) else gradient

    report = verify.check_backward(
        backward, forward=forward, reference="affine", dtypes=("float32",), cases=30, checks=("repeat",)
    )
    assert [(finding.check, finding.verdict) for finding in report.findings] == [("repeat", "imprecise")]
