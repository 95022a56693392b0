"""Nested calls, loops and conds written out as one list of operations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

from verify.evaluate import bounds, xla
from verify.evaluate.backward_program import traced_backward
from verify.evaluate.bounds.arithmetic import Arithmetic
from verify.evaluate.program import NoRule

RNG = np.random.default_rng(3)


def scanned(reverse):
    def rnn(xs, h, w):
        def step(h, x):
            h = jnp.tanh(h @ w + x)
            return h, {"twice": 2 * h}

        last, all_steps = jax.lax.scan(step, h, xs, reverse=reverse)
        return last, all_steps["twice"]

    return rnn


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("steps", [0, 1, 4])
def test_a_loop_is_written_out(steps, reverse):
    function = scanned(reverse)
    arguments = RNG.standard_normal((steps, 2)), RNG.standard_normal(2), RNG.standard_normal((2, 2))
    cotangent = RNG.standard_normal(2), RNG.standard_normal((steps, 2))
    backward = traced_backward(function, arguments)
    pairs = bounds.evaluate_with_bounds(
        backward.program, backward.inputs(arguments, cotangent), Arithmetic.judging("float64", {})
    )
    for (value, bound), result in zip(
        pairs, xla.evaluate_backward_by_xla(backward, arguments, cotangent), strict=True
    ):
        assert value.shape == result.shape
        assert np.all(abs(result - value) <= bound)
        assert np.all(np.isfinite(bound))


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_cond_takes_one_of_its_branches(sign):
    def either(x):
        return jax.lax.cond(jnp.sum(x) > 0, lambda x: (x * x, x), lambda x: (3 * x, -x), x)

    x, dout = sign * np.array([1.0, 2.0]), (np.array([0.5, 1.5]), np.array([1.0, 3.0]))
    backward = traced_backward(either, (x,))
    pairs = bounds.evaluate_with_bounds(
        backward.program, backward.inputs((x,), dout), Arithmetic.judging("float64", {})
    )
    expected = 2 * x * dout[0] + dout[1] if sign > 0 else 3 * dout[0] - dout[1]
    np.testing.assert_allclose(pairs[-1][0], expected, rtol=1e-15, strict=True)


def test_what_cannot_be_written_out_is_named():
    with pytest.raises(NoRule, match="a switch between 3 branches has no rule"):
        traced_backward(
            lambda x, i: jax.lax.switch(i, [jnp.exp, jnp.tanh, jnp.abs], x), (np.ones(3), np.int32(1))
        )
    n = export.symbolic_shape("n")[0]
    with pytest.raises(NoRule, match="a loop whose length is n cannot be written out"):
        traced_backward(
            lambda x: jax.lax.scan(lambda c, row: (c + row, None), 0.0 * x[0], x)[0],
            [jax.ShapeDtypeStruct((n, 2), np.float64)],
        )


def test_wrappers_are_inlined():
    function = jax.checkpoint(jax.jit(lambda x: jax.nn.relu(x) * jnp.tanh(x)))
    primitives = traced_backward(function, (RNG.standard_normal(3),)).program.primitives
    assert set(primitives) <= set(bounds.RULES)
    assert not {"jit", "checkpoint", "remat2", "custom_jvp_call", "optimization_barrier"}.intersection(
        primitives
    )


def test_a_primitive_of_several_results_becomes_one_operation_for_each():
    program = traced_backward(lambda x: jax.lax.top_k(x, 2)[0], (RNG.standard_normal(4),)).program
    which = [op.parameters["which_result"] for op in program.operations if op.name == "top_k"]
    assert which == [0, 1]
    assert all(len(operation.results) == 1 for operation in program.operations)


def test_parts_of_an_array_are_slices():
    def function(x):
        first, second = jnp.split(x, [1], axis=1)
        return first * second

    x = RNG.standard_normal((2, 4))
    backward = traced_backward(function, (x,))
    assert "split" not in backward.program.primitives
    pairs = bounds.evaluate_with_bounds(
        backward.program, backward.inputs((x,), np.ones((2, 3))), Arithmetic.judging("float64", {})
    )
    expected = np.concatenate([x[:, 1:].sum(axis=1, keepdims=True), np.repeat(x[:, :1], 3, axis=1)], axis=1)
    np.testing.assert_allclose(pairs[-1][0], expected, rtol=1e-14, strict=True)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_stacks_are_concatenated_and_taken_apart_as_slices(axis):
    def function(a, b):
        one, other = jnp.unstack(jnp.stack([a, b], axis) * 3.0, axis=axis)
        return one * other

    a, b = RNG.standard_normal((2, 2, 3))
    backward = traced_backward(function, (a, b))
    assert not {"stack", "unstack"} & {*backward.program.primitives}
    pairs = bounds.evaluate_with_bounds(
        backward.program, backward.inputs((a, b), np.ones((2, 3))), Arithmetic.judging("float64", {})
    )
    for (value, _), expected in zip(pairs, [9 * a * b, 9 * b, 9 * a], strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-14, strict=True)


def test_what_nothing_uses_is_left_out_of_a_loop_too():
    def function(x):
        def step(c, row):
            return c + row, jnp.sinh(row)  # no rule, no use

        return jax.lax.scan(step, 0.0 * x[0], x)[0]

    assert "sinh" not in traced_backward(function, (RNG.standard_normal((3, 2)),)).program.primitives
