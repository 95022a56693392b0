import jax
import jax.numpy as jnp
import numpy as np
import pytest

from verify.case.case import Case
from verify.evaluate.flattening import flatten_jaxpr
from verify.evaluate.merged_sums import AFFINE_SUM, IN_ANY_ORDER
from verify.evaluate.program import Program
from verify.reference.derivative import traced_derivative
from verify.reference.layers import reference_in_table
from verify.reference.spec import Spec


def traced(function, *shapes) -> Program:
    with jax.enable_x64(True):
        return flatten_jaxpr(jax.make_jaxpr(function)(*(np.zeros(shape) for shape in shapes)))


def merged(program: Program) -> list[list[str | None]]:
    """For each merged sum, what its parts are."""
    return [
        ["affine"] if operation.name == AFFINE_SUM else [part[0] for part in operation.parameters["parts"]]
        for operation in program.operations
        if operation.name in IN_ANY_ORDER
    ]


def test_a_product_and_a_bias_are_one_sum():
    program = traced(lambda x, w, b: jnp.tanh(x @ w + b), (2, 3), (3, 4), (1, 4))
    assert merged(traced(lambda x, w, b: jnp.exp(b + -(x @ w)), (2, 3), (3, 4), (2, 4))) == [["affine"]]
    assert merged(program) == [["affine"]]
    assert merged(traced_derivative(Spec(), Case((5, 4, 3), 2).sizes)) == [["affine"]] * 2


def test_products_that_are_added_are_one_sum_wherever_they_are_moved():
    program = traced(
        lambda x, h, w, u, b: jnp.exp(x @ w + (u @ h).T + b), (2, 3), (4, 2), (3, 5), (5, 4), (1, 5)
    )
    assert merged(program) == [["dot_general", "dot_general", None]]
    [moves] = [part[2] for part in program.operations[-2].parameters["parts"] if part[2]]
    assert [name for name, _ in moves] == ["transpose"]


def test_the_order_of_numbers_in_a_function_may_be_meant():
    assert merged(traced(lambda a, b, c: a + b + c, 3, 3, 3)) == []
    assert merged(traced(lambda a, b: a - a.max() - jnp.log(b.sum()), 3, 3)) == []


def test_sums_of_integers_do_not_round():
    def places(x):
        return jnp.sum((x > 0).astype(jnp.int32), axis=0) + jnp.array([0, 1, 2])

    assert merged(traced(places, (2, 3))) == []


def test_a_gradient_of_three_parts_has_no_order():
    def squares_and_cubes(a):
        return jnp.sum(jnp.sin(a) + jnp.exp(a) * a)

    assert merged(traced(jax.grad(squares_and_cubes), 3)) == [[None, None, None]]
    assert merged(traced(jax.grad(lambda a: jnp.sum(jnp.sin(a) * jnp.exp(a))), 3)) == []


def test_a_sum_that_is_used_for_itself_is_not_taken_apart():
    def used_twice(x, w, b, c):
        z = x @ w + b
        return z + c, z

    assert merged(traced(used_twice, (2, 3), (3, 4), (1, 4), (2, 4))) == [["affine"]]


def test_a_sum_of_a_gradient_that_is_a_result_too_is_not_taken_apart():
    def added(x, p):
        y = x + p
        return jnp.sum(jnp.sin(y) + jnp.exp(y) * y) + jnp.sum(x * jnp.cos(x))

    sums = merged(traced(jax.grad(added, (0, 1)), 3, 3))
    assert [None, None, None] in sums
    assert max(map(len, sums)) == 3


@pytest.mark.parametrize(("layer", "sums"), [("conv2d", [["dot_general"] * 4]), ("relu", [])])
def test_what_comes_back_from_overlapping_windows_is_one_sum(layer, sums):
    reference = reference_in_table(layer)
    sizes = {"n": 2, "c": 3, "h": 4, "w": 4, "f": 2, "kh": 2, "kw": 2, "d": 3}
    setting = reference.at(
        {name: sizes[name] for name in reference.symbols}, {"stride": 1, "pad": 1} if sums else {}
    )
    assert merged(setting.backward.program) == sums


def test_a_sum_is_followed_through_moves_and_signs():
    def twice(x, w, u):
        rows = x.reshape(-1, 3)
        return x, rows @ w, -rows @ u

    def gradient(x, w, u, *d):
        return jax.vjp(twice, x, w, u)[1](d)[0]

    program = traced(gradient, (2, 4, 3), (3, 2), (3, 2), (2, 4, 3), (8, 2), (8, 2))
    assert merged(program) == [[None, "dot_general", "dot_general"]]
    moves = [[name for name, _ in part[2]] for part in program.operations[-1].parameters["parts"]]
    assert moves[0] == []
    assert all("reshape" in of_part for of_part in moves[1:])


def test_slices_of_a_sum_are_sums_of_their_own():
    def gates(x, h, w, u):
        both = jnp.concatenate([x, h], axis=1)
        return h, both @ w, both @ u

    def gradient(x, h, w, u, *d):
        return jax.vjp(gates, x, h, w, u)[1](d)[:2]

    program = traced(gradient, (2, 3), (2, 4), (7, 5), (7, 5), (2, 4), (2, 5), (2, 5))
    assert [None, "dot_general", "dot_general"] in merged(program)
