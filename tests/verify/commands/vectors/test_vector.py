"""A vector's bounds judge as the oracle does: what it accepts passes, what is off by more does not."""

from fractions import Fraction

import numpy as np
import pytest

from mlp_ref import loss_and_gradient
from verify.case.case import Case
from verify.commands.vectors.vector import failed_vectors, flagged_vectors, vector_of_case
from verify.evaluate import balls, xla
from verify.reference.derivative import loss_function, traced_derivative
from verify.reference.spec import Spec
from verify.reference.truth import Truth, tensors_of

CASES = [
    Case((3, 4, 2), 5, dtype, regime, seed=7)
    for dtype in ("float64", "float32")
    for regime in ("ordinary", "saturated", "extreme_logits", "ties")
]


RELU = Spec("relu")


def made(case):
    truth = Truth.of(RELU, case.inputs(), case.dtype)
    found = vector_of_case(RELU, case, truth)
    assert found is not None
    return found, truth


def right(params, x, y):
    return loss_and_gradient(params, x, y, hidden="relu")[1]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_expected_is_the_exact_gradient_correctly_rounded(case):
    found, _ = made(case)
    certain = balls.evaluate_certified(
        traced_derivative(found.spec, case.sizes), case.inputs(), case.sizes, "float64"
    )[1:]
    u = np.finfo(case.dtype).eps / 2
    for tensor, ball in zip(tensors_of(found.layers(found.expected)), certain, strict=True):
        distance = balls.ball_distance(ball, tensor.astype(np.float64))
        assert (distance <= u * abs(tensor) * (1 + 1e-6) + np.finfo(case.dtype).smallest_subnormal).all()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_whatever_the_oracle_accepts_it_accepts(case):
    found, truth = made(case)
    value = np.concatenate([v.ravel() for v, _ in truth.tensors])
    bound = np.concatenate([e.ravel() for _, e in truth.tensors])
    for v, e, expected, own in zip(value, bound, found.expected, found.bound, strict=True):
        if np.isfinite(e):
            reach = Fraction(e) + abs(Fraction(v) - Fraction(float(expected)))
            assert reach <= Fraction(float(own)) <= reach * (1 + Fraction(1, 4096)) + Fraction(5e-324)
        else:
            assert np.isinf(own)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_right_gradients_pass(case):
    found, _ = made(case)
    assert failed_vectors([found], right) == [False]

    def by_xla(params, x, y):
        return xla.evaluate_by_xla(loss_function(found.spec), params, x, y)[1]

    assert failed_vectors([found], by_xla) == [False]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_gradient_beyond_a_bound_fails(dtype):
    found, _ = made(Case((3, 4, 2), 5, dtype))
    gradient = found.layers(found.expected)
    assert found.accepts(gradient)
    entry = gradient[1].bias[0]
    bound = found.bound[-2]
    gradient[1].bias[0] = entry + np.dtype(dtype).type(0.9 * bound)
    assert found.accepts(gradient)
    gradient[1].bias[0] = entry + np.dtype(dtype).type(2.001 * bound)
    assert not found.accepts(gradient)
    gradient[1].bias[0] = np.nan
    assert not found.accepts(gradient)


def test_what_is_no_gradient_fails():
    found, _ = made(Case((3, 4, 2), 5))
    gradient = found.layers(found.expected)
    transposed = [(layer.weight.T, layer.bias) for layer in gradient]
    narrow = [(layer.weight.astype("float32"), layer.bias.astype("float32")) for layer in gradient]
    for wrong in (None, 3, [], gradient[:1], transposed, narrow, [("a", "b")]):
        assert not found.accepts(wrong)

    def raises(params, x, y):
        raise ValueError

    assert failed_vectors([found], raises) == [True]


def test_each_is_called_twice_and_judged_at_the_end():
    first, second = made(Case((3, 4, 2), 5, seed=1))[0], made(Case((3, 4, 2), 5, seed=2))[0]
    kept = None

    def reuses(params, x, y):
        nonlocal kept
        found = right(params, x, y)
        if kept is None:
            kept = found
        for mine, new in zip(tensors_of(kept), tensors_of(found), strict=True):
            mine[...] = new
        return kept

    assert failed_vectors([first, second], reuses) == [True, False]
    assert failed_vectors([first], reuses) == [False]

    def overwrites(params, x, y):
        found = right(params, x, y)
        x += 1
        return found

    assert failed_vectors([first, second], overwrites) == [True, True]
    assert failed_vectors([first, second], right) == [False, False]


def test_flags_are_the_names_of_what_fails():
    first, second = made(Case((3, 4, 2), 5, seed=1))[0], made(Case((3, 4, 2), 5, seed=2))[0]
    flagged = flagged_vectors(
        [first, second], [("a", [True, False]), ("b", [True, True]), ("a", [True, True])]
    )
    assert [each.flags for each in flagged] == [("a", "b"), ("b", "a")]
