"""One trace for all sizes; users' own losses; and a clear word on what cannot be judged."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from verify.case.case import Case
from verify.checks.cross_check import worst_certified_error, worst_xla_error
from verify.evaluate import bounds
from verify.evaluate.program import NoRule
from verify.reference import network
from verify.reference.derivative import loss_function, traced_derivative
from verify.reference.judge import vacuous
from verify.reference.spec import Spec
from verify.reference.truth import Truth

SMALL, LARGE = Case((4, 5, 3), 6, seed=3), Case((2, 7, 2), 3, seed=1)


def logits(params, x):
    return network.network_forward(params, x, "tanh")


def mean_of(function):
    """A loss of the logits (b, n) and the targets, as users write them."""

    def loss(params, x, y):
        return jnp.mean(function(logits(params, x), y))

    return loss


@pytest.mark.parametrize("depth", [3, 1, 2])
def test_sizes_are_named_from_the_input_on_whatever_depth_was_traced_before(depth):
    program = traced_derivative(
        Spec(loss="squared_error", reduction="mean_all"), Case((2,) * (depth + 1), 2).sizes
    )
    shapes = {name: set() for name in program.primitives}
    for operation in program.operations:
        shapes[operation.name].add(str(operation.parameters.get("out_shape")))
    weights = {f"(n{i}, n{i + 1})" for i in range(depth)}
    assert shapes["transpose"] == weights
    assert {f"(b, n{i + 1})" for i in range(depth)} <= shapes["dot_general"]
    assert f"b*n{depth}" in {
        repr(operation.parameters["dim"])
        for operation in program.operations
        if operation.name == "dim_as_value"
    }


def test_one_trace_serves_every_size_of_a_depth():
    calls = []

    def loss(params, x, y):
        calls.append(len(params))
        return jnp.mean((logits(params, x) - y) ** 2)

    programs = [traced_derivative(loss, case.sizes) for case in (SMALL, LARGE, Case((3, 4, 4), 1))]
    assert programs[0] is programs[1] is programs[2]
    traces = len(calls)
    assert traced_derivative(loss, Case((3, 2), 4).sizes) is not programs[0]
    assert calls[traces:] == [1] * (len(calls) - traces)
    assert len(calls) > traces


def test_a_spec_is_traced_once_and_its_loss_is_one_function():
    assert traced_derivative(Spec(), SMALL.sizes) is traced_derivative(Spec(), LARGE.sizes)
    assert loss_function(Spec()) is loss_function(Spec())
    assert traced_derivative(Spec(), SMALL.sizes).shifts_cancel
    assert not traced_derivative(mean_of(lambda z, y: z * y), SMALL.sizes).shifts_cancel


def test_a_loss_that_loops_over_its_sizes_is_traced_for_each_shape():
    def loss(params, x, y):
        z = logits(params, x)
        return sum(jnp.sum((z[i] - y[i]) ** 2) for i in range(x.shape[0])) / x.shape[0]

    def whole(params, x, y):
        return jnp.sum((logits(params, x) - y) ** 2) / x.shape[0]

    for case in (SMALL, LARGE):
        looped, direct = Truth.of(loss, case.inputs(), "float64"), Truth.of(whole, case.inputs(), "float64")
        for (v, e), (w, f) in zip(looped.tensors, direct.tensors, strict=True):
            assert np.all(abs(v - w) <= e + f)
            assert not vacuous(v, e, "float64")
    assert traced_derivative(loss, SMALL.sizes) is not traced_derivative(loss, LARGE.sizes)
    assert traced_derivative(loss, SMALL.sizes) is traced_derivative(loss, SMALL.sizes)


def test_a_loss_that_needs_its_sizes_is_tried_without_them_once():
    calls = []

    def loss(params, x, y):
        calls.append(x.shape)
        return sum(jnp.sum((logits(params, x)[i] - y[i]) ** 2) for i in range(x.shape[0]))

    traced_derivative(loss, SMALL.sizes)
    assert not all(isinstance(shape[0], int) for shape in calls)
    calls.clear()
    traced_derivative(loss, LARGE.sizes)
    assert all(isinstance(shape[0], int) for shape in calls)


ARRAY = np.array([[1.0, -2.0, 0.1]])

LOSSES = {
    "where": mean_of(lambda z, y: jnp.where(z > y, z - y, 0.0) ** 2),
    "maximum and minimum": mean_of(lambda z, y: jnp.maximum(z, y) + jnp.minimum(z, 0.1)),
    "clip": mean_of(lambda z, y: jnp.clip(z, -0.2, 0.3) * y),
    "log1p": mean_of(lambda z, y: jnp.log1p(jnp.exp(z)) * y),
    "expm1": mean_of(lambda z, y: jnp.expm1(z) * y),
    "sqrt": mean_of(lambda z, y: jnp.sqrt(1 + (z - y) ** 2)),
    "abs": mean_of(lambda z, y: jnp.abs(z - y)),
    "powers": mean_of(lambda z, y: z**3 + (2 + z**2) ** -2 + y),
    "softplus": mean_of(lambda z, y: jax.nn.softplus(z) * y),
    "logsumexp": mean_of(lambda z, y: jax.nn.logsumexp(z, axis=1, keepdims=True) - y * z),
    "stop_gradient": mean_of(lambda z, y: jax.lax.stop_gradient(z) * z * y),
    "identity matrix": mean_of(lambda z, y: (z @ jnp.eye(y.shape[1], dtype=y.dtype)) * y),
    "integers": mean_of(lambda z, y: z * (3.7 * y).astype(jnp.int32).astype(y.dtype) * 2),
    "scan": lambda params, x, y: jax.lax.scan(
        lambda c, row: (c + jnp.sum(row**2), None), jnp.sum(0 * y), logits(params, x)
    )[0],
    "vmap": lambda params, x, y: jnp.mean(jax.vmap(lambda z, t: jnp.sum((z - t) ** 2))(logits(params, x), y)),
    "an array of its own": lambda params, x, y: (
        jnp.sum(logits(params, x) * jnp.asarray(ARRAY, x.dtype)) + jnp.sum(y)
    ),
}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_losses_that_users_write_are_judged_tightly(name, dtype):
    case = Case((4, 5, 3), 6, dtype, seed=3)
    truth = Truth.of(LOSSES[name], case.inputs(), dtype)
    assert not any(vacuous(v, e, dtype) for v, e in truth.tensors)
    assert worst_certified_error(LOSSES[name], case) <= 1


@pytest.mark.parametrize("name", ["maximum and minimum", "integers", "logsumexp"])
def test_xla_agrees_on_a_users_loss(name):
    assert worst_xla_error(LOSSES[name], Case((4, 5, 3), 6, "float32", seed=3)) <= 1


def test_a_loss_that_overflows_in_float32_alone_has_no_bound_there():
    loss = mean_of(lambda z, y: jnp.log(1 + jnp.exp(100 * z)) * y)
    assert all(vacuous(v, e, "float32") for v, e in Truth.of(loss, SMALL.inputs(), "float32").tensors)
    assert not any(vacuous(v, e, "float64") for v, e in Truth.of(loss, SMALL.inputs(), "float64").tensors)


@pytest.mark.parametrize(
    ("function", "primitive"),
    [
        (lambda z, y: jnp.tan(z) * y, "tan"),
        (lambda z, y: jax.lax.lgamma(z) * y, "lgamma, digamma"),
        (lambda z, y: jax.lax.atan2(z, y), "atan2"),
        (lambda z, y: jnp.sinh(z) * y, "sinh, cosh"),
    ],
)
def test_a_primitive_without_a_rule_is_named(function, primitive):
    message = (
        rf"the gradient of this loss uses {primitive}.*, for which the bound has no rule; .*it knows abs, add"
    )
    with pytest.raises(NoRule, match=message):
        Truth.of(mean_of(function), SMALL.inputs(), "float64")


@pytest.mark.parametrize(
    "result", [lambda z, y: z * y, lambda z, y: jnp.sum(z * y)[None], lambda z, y: (jnp.sum(z * y),)]
)
def test_a_loss_must_be_a_scalar(result):
    with pytest.raises(TypeError, match=r"^spec must return a scalar; the loss returned "):
        traced_derivative(lambda params, x, y: result(logits(params, x), y), SMALL.sizes)


def test_what_a_loss_raises_itself_is_not_hidden():
    def loss(*_):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        traced_derivative(loss, SMALL.sizes)


def test_what_nothing_uses_is_left_out():
    def loss(params, x, y):
        jnp.sinh(x)  # no rule, no use
        return jnp.sum(logits(params, x) * y)

    assert "sinh" not in traced_derivative(loss, SMALL.sizes).primitives
    assert set(traced_derivative(Spec(), SMALL.sizes).primitives) <= set(bounds.RULES)


def test_a_sum_of_one_term_is_left_out():
    """JAX sums a bias gradient over the batch, and once more over the one row that this leaves."""
    program = traced_derivative(Spec(), SMALL.sizes)
    sums = [operation for operation in program.operations if operation.name == "reduce_sum"]
    biases = [operation for operation in sums if operation.results[0] in program.outputs]
    assert [len(operation.parameters["out_shape"]) for operation in biases] == [1, 1]
    sources = {slot for operation in sums for slot in operation.operands}
    assert not sources.intersection(op.results[0] for op in program.operations if op.name == "reshape")


def test_reshapes_that_lead_back_are_left_out():
    def loss(params, x, y):
        there = logits(params, x).reshape(y.shape[0], 1, y.shape[1])
        return jnp.sum(there.reshape(y.shape) * y)

    assert "reshape" not in traced_derivative(loss, SMALL.sizes).primitives
    plain = Truth.of(lambda params, x, y: jnp.sum(logits(params, x) * y), SMALL.inputs(), "float64")
    for (v, e), (w, f) in zip(Truth.of(loss, SMALL.inputs(), "float64").tensors, plain.tensors, strict=True):
        np.testing.assert_array_equal(v, w, strict=True)
        np.testing.assert_array_equal(e <= f * (1 + 1e-9), True)


def test_tracing_leaves_the_configuration_of_jax_as_it_was():
    before = jax.config.jax_enable_x64
    traced_derivative(mean_of(lambda z, y: z - y), SMALL.sizes)
    assert jax.config.jax_enable_x64 is before is False
