import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from verify.evaluate import bounds
from verify.evaluate.backward_program import traced_backward
from verify.evaluate.decided_ties import decide_ties, undecided_ties
from verify.evaluate.program import Operation, Program
from verify.evaluate.ties import tied_operations

AT = bounds.Arithmetic.judging(np.float32, {})
U = 2.0**-24


def evaluated(function, arrays, cotangent, between):
    """The values and the gradients of a function with their bounds, whose ties are as the reference has them."""
    backward = traced_backward(function, arrays)
    inputs = backward.inputs(arrays, cotangent)
    ties = tied_operations(backward.program, inputs)
    program = decide_ties(backward.program, ties, {}, between)
    return bounds.evaluate_with_bounds(program, inputs, AT)


SELECTS = Program(
    operations=(
        Operation("gt", {"out_shape": (3,), "out_dtype": np.dtype(bool)}, (0, 1), (2,)),
        Operation("select_n", {"out_shape": (3,), "out_dtype": np.dtype(float)}, (2, 3, 5), (4,)),
    ),
    constants=((1, 0.0), (3, np.zeros(3))),
    inputs=(0, 5),
    outputs=(4,),
    slots=6,
    differentiated=(0,),
)
"""The number in slot 5 where that in slot 0 is above 0, and 0 elsewhere."""

INPUTS = [np.array([0.0, 0.0, 2.0]), np.array([3.0, 5.0, 7.0])]
TIES = {0: np.array([True, True, False])}


@pytest.mark.parametrize(
    ("outcomes", "selected"),
    [
        ([None, None, None], [0, 0, 7]),
        ([True, False, None], [3, 0, 7]),
        ([False, True, None], [0, 5, 7]),
        ([True, None, False], [3, 0, 7]),  # where there is no tie, an outcome is not asked for
        ([None, True, True], [0, 5, 7]),
    ],
)
def test_a_comparison_has_the_outcome_that_is_given_where_numbers_tie(outcomes, selected):
    program = decide_ties(SELECTS, TIES, {0: np.array(outcomes, dtype=object)})
    [(value, bound)] = bounds.evaluate_with_bounds(program, INPUTS, AT)
    assert value.tolist() == selected
    assert not bound.any()
    assert (program.inputs, program.outputs, program.differentiated) == ((0, 5), (4,), (0,))


def test_what_is_true_of_equals_may_be_decided_to_be_false():
    backward = traced_backward(jnp.abs, (np.zeros(3),))
    inputs = backward.inputs((np.zeros(3),), INPUTS[1])
    ties = tied_operations(backward.program, inputs)
    outcomes = dict.fromkeys(ties, np.array([False, None, True], dtype=object))
    program = decide_ties(backward.program, ties, outcomes)
    assert bounds.evaluate_with_bounds(program, inputs, AT)[1][0].tolist() == [-3, 5, 7]


def test_comparisons_without_an_outcome_stay_as_they_are():
    program = decide_ties(SELECTS, TIES, {})
    assert program.operations == SELECTS.operations
    assert program.slots == SELECTS.slots


def test_undecided_ties_hold_every_choice():
    [(value, bound)] = bounds.evaluate_with_bounds(undecided_ties(SELECTS, TIES), INPUTS, AT)
    assert value.tolist() == [0, 0, 7]
    np.testing.assert_allclose(bound, [3, 5, 0], rtol=1e-12)
    assert (value + bound >= INPUTS[1]).all()
    assert undecided_ties(SELECTS, {}).operations == SELECTS.operations


X, Y = np.array([0.0, -1.0, 2.0, 6.0]), np.array([3.0, 5.0, 7.0, 11.0])

CONDITIONS = {
    "a comparison": (lambda x: x > 0, [3, 0, 0, 0]),
    "and": (lambda x: (x > 0) & (x < 6), [3, 0, 0, 11]),
    "or": (lambda x: (x == 6) | (x > 0), [3, 0, 0, 11]),
    "not": (lambda x: ~(x > 0), [3, 0, 0, 0]),
    "broadcast_in_dim": (lambda x: lax.broadcast_in_dim(x[0] > 0, (4,), ()), [3, 5, 7, 11]),
    "reshape": (lambda x: lax.reshape(x.reshape(2, 2) > 0, (4,)), [3, 0, 0, 0]),
    "squeeze": (lambda x: lax.squeeze(x.reshape(1, 4) >= 6, (0,)), [0, 0, 0, 11]),
    "expand_dims": (lambda x: lax.expand_dims(x == 6, (1,))[:, 0], [0, 0, 0, 11]),
    "of another number": (lambda x: x > 1, [0, 0, 0, 0]),
}


@pytest.mark.parametrize("name", CONDITIONS)
def test_where_a_tie_selects_the_product_with_a_slope_rounds(name):
    """The error is at most u of what is selected, and the terms of second order."""
    condition, selected = CONDITIONS[name]

    def function(x, y):
        return jnp.where(condition(x), y, -y)

    (value, none), *_ = evaluated(function, (X, Y), np.ones(4), between=False)
    (same, bound), *_ = evaluated(function, (X, Y), np.ones(4), between=True)
    assert not none.any()
    np.testing.assert_array_equal(same, value)
    np.testing.assert_allclose(bound, np.array(selected) * U, rtol=1e-6, atol=0, strict=True)


def test_a_tie_selects_where_it_was_moved_to():
    def function(x, y):
        return jnp.where((x > 0).T, y, -y)

    x, y = X.reshape(2, 2) - np.array([[2.0], [2.0]]), Y.reshape(2, 2)  # the tie is below the diagonal
    (_, bound), *_ = evaluated(function, (x, y), np.ones((2, 2)), between=True)
    assert x[1, 0] == 0
    np.testing.assert_allclose(bound, np.array([[0, 5], [0, 0]]) * U, rtol=1e-6, atol=0, strict=True)


@pytest.mark.parametrize(("x", "rounded"), [((2.0, 2.0, 1.0), [[3, 7, 0]]), ((1.0, 2.0, 1.0), [[0, 10, 0]])])
def test_between_the_entries_of_a_window_that_tie_each_may_have_a_part(x, rounded):
    """To two windows 3 and 7 come back; their sum rounds, and so does that of 7 and a part of 3."""

    def function(x):
        return lax.reduce_window(x, -np.inf, lax.max, (2, 2), (1, 1), "VALID")

    array = np.array([x, (0.0, 0.0, 1.0)])
    cotangent = np.array([[3.0, 7.0]])
    _, (value, plain) = evaluated(function, (array,), cotangent, between=False)
    _, (same, bound) = evaluated(function, (array,), cotangent, between=True)
    np.testing.assert_array_equal(same, value)
    assert value.sum() == 10
    expected = np.array([*rounded, [0, 0, 0]]) * U
    np.testing.assert_allclose(bound, expected, rtol=1e-6, atol=0, strict=True)
    np.testing.assert_allclose(plain, np.where(expected == 10 * U, expected, 0), rtol=1e-6, atol=0)
