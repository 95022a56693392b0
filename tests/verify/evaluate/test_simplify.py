"""Operations that are left out change nothing, and comparisons that are asked directly have the same outcome."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from verify.evaluate import bounds
from verify.evaluate.backward_program import traced_backward
from verify.evaluate.bounds.arithmetic import Arithmetic

X = np.array([[1.0, 3.0, 2.0], [5.0, 4.0, 6.0]])


def names(function, *arrays):
    return [operation.name for operation in traced_backward(function, arrays).program.operations]


def gradient(function, x, cotangent):
    backward = traced_backward(function, (x,))
    pairs = bounds.evaluate_with_bounds(
        backward.program, backward.inputs((x,), cotangent), Arithmetic.judging("float64", {})
    )
    return pairs[-1]


@pytest.mark.parametrize("name", ["max", "min"])
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [0, 1, (0, 1)])
def test_an_extreme_asks_which_entries_are_largest(axis, keepdims, name):
    """Also of numbers with an error: only their equality with their own maximum would be in doubt."""

    def function(x):
        return getattr(jnp.exp(x), name)(axis=axis, keepdims=keepdims)

    found = names(function, X)
    assert ("is_largest" if name == "max" else "is_smallest") in found
    assert "eq" not in found
    cotangent = np.ones(jax.eval_shape(function, X).shape)
    value, bound = gradient(function, X, cotangent)
    extreme = getattr(X, name)(axis=axis, keepdims=True)
    np.testing.assert_allclose(value, np.where(extreme == X, np.exp(X), 0.0), rtol=1e-14, strict=True)
    assert bound.max() < 1e-11


def test_an_equality_with_another_maximum_stays_one():
    def function(x):
        other = jnp.broadcast_to((x + 1).max(axis=1, keepdims=True), x.shape)
        transposed = jnp.broadcast_to(x[:, :2].max(axis=0)[:, None], (2, 3))
        return jnp.where((x == other) | (x == transposed), x, 2 * x)

    found = names(function, X)
    assert "eq" in found
    assert "is_largest" not in found


@pytest.mark.parametrize(("axes", "asked"), [((1,), "is_largest"), ((0,), "eq")])
def test_a_maximum_is_spread_along_the_axis_that_it_lost(axes, asked):
    """Along the columns of a square; along its rows it is another row's maximum."""

    def function(x):
        return jnp.where(x == jax.lax.broadcast_in_dim(x.max(axis=0), (2, 2), axes), x, 2 * x)

    assert {"is_largest", "eq"}.intersection(names(function, X[:, :2])) == {asked}


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (jnp.maximum, ["ge", "le"]),
        (jnp.minimum, ["le", "ge"]),
    ],
)
def test_a_maximum_of_two_asks_its_operands_in_their_order(function, expected):
    program = traced_backward(function, (X, X[::-1])).program
    compared = [operation for operation in program.operations if operation.name in ("ge", "le", "eq")]
    assert {operation.name for operation in compared} == set(expected)
    assert {operation.operands for operation in compared} == {program.inputs[:2]}


def test_a_maximum_that_begins_with_minus_infinity_is_left_out():
    found = traced_backward(lambda x: jnp.maximum(-jnp.inf, jnp.minimum(x * x, jnp.inf)), (X,)).program
    assert not {"max", "min"}.intersection(found.primitives)
    value, bound = gradient(lambda x: jnp.maximum(-jnp.inf, x * x), X, np.ones((2, 3)))
    np.testing.assert_array_equal(value, 2 * X)
    assert bound.max() < 1e-13


def test_a_softmax_has_no_infinity():
    program = traced_backward(jax.nn.softmax, (X,)).program
    assert all(np.isfinite(np.asarray(value, dtype=float)).all() for _, value in program.constants)


def test_a_number_has_one_slot():
    """A number that a formula has several times is one constant, so that it is compared with itself."""
    program = traced_backward(lambda x: jnp.where(x > 2.5, 2.5 * x, x / 2.5), (X,)).program
    assert [float(value) for _, value in program.constants].count(2.5) == 1
