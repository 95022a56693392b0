"""A vector of a layer holds the exact gradients, rounded, and bounds within which is what the oracle accepts."""

from fractions import Fraction

import numpy as np
import pytest

from tests.verify.commands.vectors.layers.failing import failed_layer_vectors
from verify.case.layers.case import LayerCase
from verify.commands.vectors.layers.vector import layer_truths, layer_vector_of_case
from verify.evaluate import balls
from verify.reference.layers import reference_in_table

CONV = reference_in_table("conv2d")
SIZES = (("n", 2), ("c", 1), ("h", 3), ("w", 4), ("f", 2), ("kh", 2), ("kw", 2))
CASES = [
    LayerCase(SIZES, (("stride", 1), ("pad", 1)), dtype, regime, seed=7)
    for dtype in ("float64", "float32")
    for regime in ("ordinary", "large")
]


def made(case, reference=CONV):
    truths = layer_truths(reference, case)
    found = layer_vector_of_case(reference, case, truths)
    assert found is not None
    return found, truths


@pytest.mark.parametrize("case", CASES, ids=str)
def test_expected_is_the_exact_gradient_correctly_rounded(case):
    found, (truth,) = made(case)
    certain = balls.evaluate_at_precision(truth.program, truth.inputs, {}, 500)
    gradients = truth.chosen(certain)[len(truth.outputs) :]
    u = np.finfo(case.dtype).eps / 2
    for tensor, ball in zip(found.answers[0].expected, gradients, strict=True):
        distance = balls.ball_distance(ball, tensor.astype(np.float64))
        assert (distance <= u * abs(tensor) * (1 + 1e-6)).all()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_whatever_the_oracle_accepts_it_accepts(case):
    found, (truth,) = made(case)
    (answer,) = found.answers
    for (value, bound), expected, own in zip(truth.tensors, answer.expected, answer.bound, strict=True):
        for v, e, near, b in zip(value.flat, bound.flat, expected.flat, own.flat, strict=True):
            reach = Fraction(float(e)) + abs(Fraction(float(v)) - Fraction(float(near)))
            assert reach <= Fraction(float(b)) <= reach * (1 + Fraction(1, 4096))


def test_every_choice_at_a_tie_is_an_answer():
    case = LayerCase((("n", 1), ("d", 3)), regime="ties", seed=0)
    relu = reference_in_table("relu")
    while not (case.arrays(relu).inputs["x"] == 0).any():
        case = LayerCase(case.sizes, regime="ties", seed=case.seed + 1)
    found, truths = made(case, relu)
    assert len(found.answers) == len(truths) > 1
    for slope in (0.0, 1.0):
        assert failed_layer_vectors(
            [found], lambda dout, x, at=slope: dout * np.where(x == 0, at, x > 0)
        ) == [False]
    assert failed_layer_vectors([found], lambda dout, x: dout * np.where(x == 0, 2.0, x > 0)) == [True]


def test_what_is_no_gradient_fails():
    found, _ = made(CASES[0])
    expected = found.answers[0].expected
    assert found.accepts(expected)
    assert not found.accepts(expected[:-1])
    assert not found.accepts([expected[0].astype("float32"), *expected[1:]])
    assert not found.accepts([expected[0][np.newaxis], *expected[1:]])
    assert not found.accepts([expected[0] * np.nan, *expected[1:]])
    beyond = expected[2] + 2 * found.answers[0].bound[2]
    assert not found.accepts([*expected[:2], beyond])

    def raises(*_, **__):
        raise ValueError

    assert failed_layer_vectors([found], raises) == [True]
