import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from verify.evaluate import bounds
from verify.evaluate.backward_program import traced_backward
from verify.evaluate.decided_ties import decide_ties
from verify.evaluate.ties import tie_directions, tie_outcomes_towards, tied_operations


def choices(function, x, cotangent):
    """The gradient of ``function`` at x for each choice at ties, and JAX's own."""
    backward = traced_backward(function, (x,))
    inputs = backward.inputs((x,), cotangent)
    at = bounds.Arithmetic.judging(np.float64, {})
    ties = tied_operations(backward.program, inputs)
    found = {"JAX": bounds.evaluate_with_bounds(backward.program, inputs, at)[1][0].tolist()}
    for name, direction in tie_directions([x.shape]):
        program = decide_ties(
            backward.program, ties, tie_outcomes_towards(backward.program, inputs, direction, ties)
        )
        found[name] = bounds.evaluate_with_bounds(program, inputs, at)[1][0].tolist()
    return found


def test_a_kink_has_the_slopes_of_both_sides():
    found = choices(lambda x: jnp.maximum(x, 0.0), np.array([-1.0, 0.0, 2.0]), np.array([3.0, 5.0, 7.0]))
    assert found["JAX"] == [0, 2.5, 7]
    assert found["from below"] == [0, 0, 7]
    assert found["from above"] == [0, 5, 7]


def test_the_maximum_of_equal_numbers_may_be_any_one_of_them():
    found = choices(lambda x: jnp.max(x, axis=0), np.array([2.0, 1.0, 2.0]), np.array(4.0))
    assert found["JAX"] == [2, 0, 2]
    assert found["the first of equals"] == [4, 0, 0]
    assert found["the last of equals"] == [0, 0, 4]
    assert all(sum(gradient) == 4 for gradient in found.values())


def test_the_minimum_of_equal_numbers_may_be_any_one_of_them():
    found = choices(lambda x: jnp.min(x, axis=0), np.array([1.0, 3.0, 1.0]), np.array(4.0))
    assert found["JAX"] == [2, 0, 2]
    assert [4, 0, 0] in found.values()
    assert [0, 0, 4] in found.values()


@pytest.mark.parametrize(("extreme", "end"), [(lax.max, -np.inf), (lax.min, np.inf)])
def test_of_the_equal_numbers_of_a_window_any_one_may_be_taken(extreme, end):
    x, cotangent = np.array([2.0, 2.0, 2.0, 5.0]), np.array([3.0, 7.0, 11.0])
    if extreme is lax.min:
        x = -x
    found = choices(lambda x: lax.reduce_window(x, end, extreme, (2,), (1,), "VALID"), x, cotangent)
    assert found["JAX"] == [3, 7, 0, 11]
    assert [0, 3, 7, 11] in found.values()
    assert all(sum(gradient) == 21 for gradient in found.values())


@pytest.mark.parametrize("x", [np.array([1.0, -2.0]), np.array([0.5, 1e-300])])
def test_without_a_tie_there_is_no_choice(x):
    found = choices(lambda x: jnp.maximum(x, 0.0), x, np.array([3.0, 5.0]))
    assert all(gradient == found["JAX"] for gradient in found.values())


def test_integers_that_are_equal_are_no_tie():
    labels = np.array([0, 1])
    backward = traced_backward(lambda x, y: jnp.where(y == 1, x, 2.0 * x), (np.ones(2), labels))
    assert tied_operations(backward.program, backward.inputs((np.ones(2), labels), np.ones(2))) == {}
