"""Any function, any structure of arguments: one Program for its outputs and its vector-Jacobian product."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

from verify.evaluate import balls, bounds, xla
from verify.evaluate.backward import traced_backward
from verify.evaluate.bounds.arithmetic import Arithmetic

RNG = np.random.default_rng(3)
W, B, X = RNG.standard_normal((4, 3)), RNG.standard_normal(3), RNG.standard_normal((2, 4))


def affine(params, x):
    return {"out": x @ params["w"] + params["b"][None, :]}


ARGUMENTS, COTANGENT = ({"w": W, "b": B}, X), {"out": RNG.standard_normal((2, 3))}


def test_outputs_then_gradients_in_the_order_of_the_leaves():
    backward = traced_backward(affine, ARGUMENTS)
    inputs = backward.inputs(ARGUMENTS, COTANGENT)
    pairs = bounds.evaluate(backward.program, inputs, Arithmetic.judging("float64", {}))
    out, db, dw, dx = (value for value, _ in pairs)
    dout = COTANGENT["out"]
    for got, expected in [(out, X @ W + B), (db, dout.sum(0)), (dw, X.T @ dout), (dx, dout @ W.T)]:
        np.testing.assert_allclose(got, expected, rtol=1e-13, strict=True)
    assert all(np.all((bound > 0) & (bound < 1e-13)) for _, bound in pairs)
    assert backward.program.values == 1
    assert backward.argument_names == ("[0]['b']", "[0]['w']", "[1]")
    assert backward.output_names == ("['out']",)
    assert backward.gradient_names == ["[0]['b']", "[0]['w']", "[1]"]
    gradient = backward.gradient([db, dw, dx])
    assert gradient[0]["w"] is dw
    assert gradient[1] is dx


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_xla_and_certified_balls_lie_within_the_bounds(dtype):
    arguments, cotangent = jax.tree.map(lambda a: a.astype(dtype), (ARGUMENTS, COTANGENT))
    backward = traced_backward(affine, arguments)
    inputs = backward.inputs(arguments, cotangent)
    pairs = bounds.evaluate(backward.program, inputs, Arithmetic.judging(dtype, {}))
    for (value, bound), result in zip(
        pairs, xla.evaluate_backward(backward, arguments, cotangent), strict=True
    ):
        assert result.dtype == np.dtype(dtype)
        assert np.all(abs(result - value) <= bound)
    for (value, bound), ball in zip(pairs, balls.certified(backward.program, inputs, {}, dtype), strict=True):
        assert np.all(balls.distance(ball, value) <= bound)


def test_integers_and_truths_have_no_gradient():
    def chosen(x, keep, labels, scale):
        kept = jnp.where(keep, x, 0.0) * scale
        return kept * labels[:, None].astype(x.dtype), labels + 1

    keep, labels = X > 0, np.array([1, 2])
    backward = traced_backward(chosen, (X, keep, labels, np.float64(0.5)))
    assert backward.differentiated == [0, 3]
    dout = RNG.standard_normal((2, 4))
    inputs = backward.inputs((X, keep, labels, np.float64(0.5)), (dout, None))
    assert [array.dtype for array in inputs] == ["float64", "bool", "float64", "float64", "float64"]
    pairs = bounds.evaluate(backward.program, inputs, Arithmetic.judging("float64", {}))
    out, more, dx, dscale = (value for value, _ in pairs)
    weighted = dout * labels[:, None]
    np.testing.assert_allclose(out, np.where(keep, X, 0) * 0.5 * labels[:, None], rtol=1e-14)
    np.testing.assert_array_equal(more, [2.0, 3.0])
    np.testing.assert_allclose(dx, np.where(keep, weighted * 0.5, 0), rtol=1e-14, strict=True)
    np.testing.assert_allclose(dscale, (weighted * np.where(keep, X, 0)).sum(), rtol=1e-13, strict=True)
    certain = balls.evaluate(backward.program, inputs, {})
    assert np.all(balls.distance(certain[2], dx) <= pairs[2][1])
    assert backward.gradient([dx, dscale])[1:3] == (None, None)


def test_symbolic_shapes_are_traced_once_for_all():
    n, k = export.symbolic_shape("n,k")
    leaves = [jax.ShapeDtypeStruct(shape, np.float64) for shape in ((n, k), (k,))]
    backward = traced_backward(lambda x, v: jnp.tanh(x @ v), leaves)
    for rows in (1, 5):
        x, v, dout = (RNG.standard_normal(shape) for shape in ((rows, 3), 3, rows))
        at = Arithmetic.judging("float64", {"n": rows, "k": 3})
        out, _, dv = bounds.evaluate(backward.program, backward.inputs((x, v), dout), at)
        np.testing.assert_allclose(out[0], np.tanh(x @ v), rtol=1e-12, strict=True)
        np.testing.assert_allclose(
            dv[0], x.T @ (dout * (1 - np.tanh(x @ v) ** 2)), rtol=1e-11, atol=1e-12, strict=True
        )


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
    pairs = bounds.evaluate(
        backward.program, backward.inputs(arguments, cotangent), Arithmetic.judging("float64", {})
    )
    for (value, bound), result in zip(
        pairs, xla.evaluate_backward(backward, arguments, cotangent), strict=True
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
    pairs = bounds.evaluate(backward.program, backward.inputs((x,), dout), Arithmetic.judging("float64", {}))
    expected = 2 * x * dout[0] + dout[1] if sign > 0 else 3 * dout[0] - dout[1]
    np.testing.assert_allclose(pairs[-1][0], expected, rtol=1e-15, strict=True)


def test_what_cannot_be_traced_is_refused_by_name():
    with pytest.raises(TypeError, match=r"^arguments must have a floating-point leaf"):
        traced_backward(lambda i: i * 1.0, (np.arange(3),))
    with pytest.raises(TypeError, match=r"^function must return a floating-point array; it returned "):
        traced_backward(lambda x: jnp.argmax(x), (X,))
    with pytest.raises(TypeError, match="a switch between 3 branches has no rule"):
        traced_backward(lambda x, i: jax.lax.switch(i, [jnp.exp, jnp.tanh, jnp.abs], x), (X, np.int32(1)))


def test_another_structure_than_was_traced_is_refused():
    backward = traced_backward(affine, ARGUMENTS)
    with pytest.raises(TypeError, match=r"^arguments must have the structure that was traced"):
        backward.inputs((W, X), COTANGENT)
    with pytest.raises(TypeError, match=r"^cotangent must have the structure that was traced"):
        backward.inputs(ARGUMENTS, COTANGENT["out"])


def test_tracing_leaves_the_configuration_of_jax_as_it_was():
    traced_backward(affine, ARGUMENTS)
    assert jax.config.jax_enable_x64 is False
