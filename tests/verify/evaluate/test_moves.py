"""Operations that move numbers move them as JAX does."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from verify.evaluate import bounds, moves
from verify.evaluate.bounds.arithmetic import EXACT, Arithmetic
from verify.evaluate.flattening import flatten_jaxpr
from verify.evaluate.program import ProgramSize, program_size, run_program

A = np.arange(24.0).reshape(2, 3, 4)

CASES = {
    "stop_gradient": (jax.lax.stop_gradient, [A]),
    "broadcast_in_dim": (lambda a: jax.lax.broadcast_in_dim(a, (5, 3, 4), (1, 2)), [A[0]]),
    "broadcast_in_dim of a scalar": (lambda a: jax.lax.broadcast_in_dim(a, (2, 3), ()), [np.array(7.0)]),
    "broadcast_in_dim of one": (lambda a: jax.lax.broadcast_in_dim(a, (4, 3), (0, 1)), [A[0, :1, :3]]),
    "reshape": (lambda a: jax.lax.reshape(a, (6, 4)), [A]),
    "reshape in another order": (lambda a: jax.lax.reshape(a, (6, 4), (2, 0, 1)), [A]),
    "squeeze": (lambda a: jax.lax.squeeze(a, (0,)), [A[:1]]),
    "transpose": (lambda a: jax.lax.transpose(a, (2, 0, 1)), [A]),
    "rev": (lambda a: jax.lax.rev(a, (0, 2)), [A]),
    "concatenate": (lambda a, b: jax.lax.concatenate([a, b], 1), [A, A[:, :1]]),
    "slice": (lambda a: jax.lax.slice(a, (0, 1, 0), (2, 3, 3)), [A]),
    "slice with strides": (lambda a: jax.lax.slice(a, (0, 0, 1), (2, 3, 4), (1, 2, 2)), [A]),
    "pad": (lambda a: jax.lax.pad(a, -1.0, ((0, 0, 0), (1, 2, 0), (2, 0, 0))), [A]),
    "pad, negative edges": (lambda a: jax.lax.pad(a, -1.0, ((0, 0, 0), (-1, 1, 0), (2, -3, 0))), [A]),
    "pad, steps between": (lambda a: jax.lax.pad(a, -1.0, ((0, 0, 1), (-1, 0, 2), (-2, -1, 1))), [A]),
    "pad, all gone": (lambda a: jax.lax.pad(a, -1.0, ((0, 0, 0), (-3, 2, 0), (0, 0, 0))), [A]),
    "iota": (lambda a: jax.lax.broadcasted_iota(jnp.float64, (3, 4), 1) + a, [A[0]]),
}


@pytest.mark.parametrize("name", CASES)
def test_values_and_bounds_move_as_in_jax(name):
    function, arrays = CASES[name]
    with jax.enable_x64(True):
        program = flatten_jaxpr(jax.make_jaxpr(function)(*arrays))
        expected = np.asarray(function(*arrays))
        moved_errors = np.asarray(function(*(array / 1024 for array in arrays)))
    assert name.split()[0].strip(",") in program.primitives or name == "stop_gradient"
    at = Arithmetic.judging("float64", {})
    values: list = [None] * program.slots
    for slot, value in program.constants:
        values[slot] = bounds.evaluate_literal(at, value)
    for slot, array in zip(program.inputs, arrays, strict=True):
        values[slot] = (array, array / 1024)
    [(v, e)] = run_program(program, bounds.RULES, at, values)
    np.testing.assert_array_equal(v, expected, strict=True)
    assert e.shape == expected.shape
    if name.startswith("pad"):  # the filling carries no error
        moved_errors = np.where(expected == -1, 0.0, moved_errors)
    if name != "iota":
        np.testing.assert_array_equal(e, moved_errors)


def test_what_carries_no_error_is_moved_once():
    at = Arithmetic.judging("float64", {})
    v, e = bounds.RULES["transpose"](at, {"permutation": (1, 0)}, (A[0], EXACT))
    assert e is EXACT
    np.testing.assert_array_equal(v, A[0].T, strict=True)


DOTS = [
    ((3, 4), (4, 2), (((1,), (0,)), ((), ()))),
    ((4, 3), (4, 2), (((0,), (0,)), ((), ()))),
    ((3, 4), (2, 4), (((1,), (1,)), ((), ()))),
    ((5,), (5,), (((0,), (0,)), ((), ()))),
    ((4,), (4, 2), (((0,), (0,)), ((), ()))),
    ((2, 3, 4), (2, 4, 5), (((2,), (1,)), ((0,), (0,)))),
    ((3, 2, 4), (4, 5, 2), (((2,), (0,)), ((1,), (2,)))),
    ((2, 3), (3, 2), (((0, 1), (1, 0)), ((), ()))),
    ((3, 2), (3, 2), (((1,), (1,)), ((0,), (0,)))),
    ((1, 1), (1, 1), (((1,), (0,)), ((), ()))),
    ((2, 3), (4,), (((), ()), ((), ()))),
    ((2, 3, 4), (4, 5), (((2,), (0,)), ((), ()))),
    ((2, 3), (4, 3, 5), (((1,), (1,)), ((), ()))),
]


@pytest.mark.parametrize(("left", "right", "numbers"), DOTS)
def test_contractions_equal_jaxs(left, right, numbers):
    rng = np.random.default_rng(0)
    a, b = (
        rng.integers(-9, 9, size=left).astype(float),
        rng.integers(-9, 9, size=right).astype(float),
    )
    parameters = {"dimension_numbers": numbers}
    with jax.enable_x64(True):
        expected = np.asarray(jax.lax.dot_general(a, b, numbers))
    matrix_a, matrix_b = (
        moves.move_to_left_matrices(parameters, a),
        moves.move_to_right_matrices(parameters, b),
    )
    assert matrix_a.shape[-1] == np.prod([left[i] for i in numbers[0][0]], dtype=int)
    product = moves.move_from_matrices(parameters, matrix_a @ matrix_b, a, b)
    np.testing.assert_array_equal(product, expected, strict=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("b*n2", 12), ("b + 1", 4), ("floordiv(n2, b)", 1), ("mod(n2, b)", 1), ("max(b, 9)", 9)],
)
def test_sizes_that_depend_on_the_case(text, expected):
    assert program_size(ProgramSize(text), {"b": 3, "n2": 4}) == expected
    assert repr(ProgramSize(text)) == text
    assert program_size(7, {}) == 7
