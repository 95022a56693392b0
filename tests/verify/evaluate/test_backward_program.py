"""Any function, any structure of arguments: one Program for its outputs and its vector-Jacobian product."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

from verify.evaluate import balls, bounds, xla
from verify.evaluate.backward_program import traced_backward
from verify.evaluate.bounds.arithmetic import Arithmetic

RNG = np.random.default_rng(3)
W, B, X = RNG.standard_normal((4, 3)), RNG.standard_normal(3), RNG.standard_normal((2, 4))


def affine(params, x):
    return {"out": x @ params["w"] + params["b"][None, :]}


ARGUMENTS, COTANGENT = ({"w": W, "b": B}, X), {"out": RNG.standard_normal((2, 3))}


def test_outputs_then_gradients_in_the_order_of_the_leaves():
    backward = traced_backward(affine, ARGUMENTS)
    inputs = backward.inputs(ARGUMENTS, COTANGENT)
    pairs = bounds.evaluate_with_bounds(backward.program, inputs, Arithmetic.judging("float64", {}))
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
    pairs = bounds.evaluate_with_bounds(backward.program, inputs, Arithmetic.judging(dtype, {}))
    for (value, bound), result in zip(
        pairs, xla.evaluate_backward_by_xla(backward, arguments, cotangent), strict=True
    ):
        assert result.dtype == np.dtype(dtype)
        assert np.all(abs(result - value) <= bound)
    for (value, bound), ball in zip(
        pairs, balls.evaluate_certified(backward.program, inputs, {}, dtype), strict=True
    ):
        assert np.all(balls.ball_distance(ball, value) <= bound)


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
    pairs = bounds.evaluate_with_bounds(backward.program, inputs, Arithmetic.judging("float64", {}))
    out, more, dx, dscale = (value for value, _ in pairs)
    weighted = dout * labels[:, None]
    np.testing.assert_allclose(out, np.where(keep, X, 0) * 0.5 * labels[:, None], rtol=1e-14)
    np.testing.assert_array_equal(more, [2.0, 3.0])
    np.testing.assert_allclose(dx, np.where(keep, weighted * 0.5, 0), rtol=1e-14, strict=True)
    np.testing.assert_allclose(dscale, (weighted * np.where(keep, X, 0)).sum(), rtol=1e-13, strict=True)
    certain = balls.evaluate_in_balls(backward.program, inputs, {})
    assert np.all(balls.ball_distance(certain[2], dx) <= pairs[2][1])
    assert backward.gradient([dx, dscale])[1:3] == (None, None)


def test_symbolic_shapes_are_traced_once_for_all():
    n, k = export.symbolic_shape("n,k")
    leaves = [jax.ShapeDtypeStruct(shape, np.float64) for shape in ((n, k), (k,))]
    backward = traced_backward(lambda x, v: jnp.tanh(x @ v), leaves)
    for rows in (1, 5):
        x, v, dout = (RNG.standard_normal(shape) for shape in ((rows, 3), 3, rows))
        at = Arithmetic.judging("float64", {"n": rows, "k": 3})
        out, _, dv = bounds.evaluate_with_bounds(backward.program, backward.inputs((x, v), dout), at)
        np.testing.assert_allclose(out[0], np.tanh(x @ v), rtol=1e-12, strict=True)
        np.testing.assert_allclose(
            dv[0], x.T @ (dout * (1 - np.tanh(x @ v) ** 2)), rtol=1e-11, atol=1e-12, strict=True
        )


def test_what_cannot_be_traced_is_refused_by_name():
    with pytest.raises(TypeError, match=r"^arguments must have a floating-point leaf"):
        traced_backward(lambda i: i * 1.0, (np.arange(3),))
    with pytest.raises(TypeError, match=r"^function must return a floating-point array; it returned "):
        traced_backward(lambda x: jnp.argmax(x), (X,))


def test_another_structure_than_was_traced_is_refused():
    backward = traced_backward(affine, ARGUMENTS)
    with pytest.raises(TypeError, match=r"^arguments must have the structure that was traced"):
        backward.inputs((W, X), COTANGENT)
    with pytest.raises(TypeError, match=r"^cotangent must have the structure that was traced"):
        backward.inputs(ARGUMENTS, COTANGENT["out"])


def test_another_shape_than_was_traced_is_refused():
    backward = traced_backward(affine, ARGUMENTS)
    with pytest.raises(
        ValueError, match=r"^arguments\[0\]\['w'\] must have the shape .* \(4, 3\); got \(3, 4\)$"
    ):
        backward.inputs(({"w": W.T, "b": B}, X), COTANGENT)
    with pytest.raises(ValueError, match=r"^cotangent\['out'\] must have the shape .* \(2, 3\); got \(3,\)$"):
        backward.inputs(ARGUMENTS, {"out": B})
    n = export.symbolic_shape("n")[0]
    symbolic = traced_backward(lambda x: x * 2.0, [jax.ShapeDtypeStruct((n, 2), np.float64)])
    assert len(symbolic.inputs((X[:, :2],), X[:, :2])) == 2
    with pytest.raises(
        ValueError, match=r"^arguments\[0\] must have the shape that was traced, \(n, 2\); got"
    ):
        symbolic.inputs((X,), X)


def test_tracing_leaves_the_configuration_of_jax_as_it_was():
    traced_backward(affine, ARGUMENTS)
    assert jax.config.jax_enable_x64 is False
