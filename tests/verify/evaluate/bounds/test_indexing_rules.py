"""Numbers that indices move keep their errors; sums have the roundings of their terms; a doubtful index no bound."""

from typing import Any

import flint
import jax
import numpy as np
import pytest
from jax import lax

from verify.evaluate import bounds
from verify.evaluate.balls import exact_balls
from verify.evaluate.bounds.arithmetic import EXACT, Arithmetic

from .test_derived import a_pair, assert_is
from .test_derived import at as at
from .test_derived import precision as precision

INSIDE, DROP = lax.GatherScatterMode.PROMISE_IN_BOUNDS, lax.GatherScatterMode.FILL_OR_DROP
ROWS = ((1,), (0,), (0,), (), ())
INDEXED: dict[str, tuple[dict[str, Any], list[Any], list[Any]]] = {
    "gather": (
        {"dimension_numbers": ROWS, "mode": INSIDE, "fill_value": None, "out_shape": (3, 4)},
        [(5, 4)],
        [[[2], [0], [2]]],
    ),
    "scatter": ({"dimension_numbers": ROWS, "mode": INSIDE}, [(5, 4), (2, 4)], [[[2], [0]]]),
    "scatter-add": ({"dimension_numbers": ROWS, "mode": INSIDE}, [(5, 4), (3, 4)], [[[2], [0], [2]]]),
    "dynamic_slice": ({"slice_sizes": (2, 3)}, [(5, 4)], [3, 0]),
    "dynamic_update_slice": ({}, [(5, 4), (2, 3)], [9, 1]),
}
"""For each primitive: parameters, shapes of its numbers, and indices."""


def carried_out(name: str, at: Arithmetic, numbers: list[bounds.Pair], doubt: float = 0.0) -> bounds.Pair:
    parameters, _, indices = INDEXED[name]
    certain = [(np.asarray(index, dtype=float), EXACT) for index in indices]
    certain[0] = (certain[0][0], np.full(certain[0][0].shape, doubt))
    operands = [*numbers, *certain] if name.startswith("dynamic") else [numbers[0], *certain, *numbers[1:]]
    return bounds.RULES[name](at, parameters, *operands)


@pytest.mark.parametrize("name", sorted(set(INDEXED) - {"scatter-add"}))
def test_errors_move_along(name):
    at = Arithmetic.judging("float64", {})
    numbers = [a_pair(shape, 1e-3, 1e3, seed) for seed, shape in enumerate(INDEXED[name][1])]
    v, e = carried_out(name, at, numbers)
    moved, _ = carried_out(name, at, [(error, EXACT) for _, error in numbers])
    np.testing.assert_array_equal(e, moved)
    assert v.shape == e.shape


@pytest.mark.parametrize("exact", [False, True])
def test_a_sum_at_a_place(exact, at):
    (a, ea), (b, eb) = a_pair((5, 4), 1e-3, 1e3, exact=exact), a_pair((3, 4), 1e-3, 1e3, 1, exact)
    a[1:3, :2] = 0.0
    ea = np.where(a == 0, 0.0, ea)
    value, bound = carried_out("scatter-add", at, [(a, ea), (b, np.broadcast_to(eb, b.shape))])
    error = exact_balls(ea)
    n, magnitudes = np.where((a == 0) & (ea == 0), 0, 1), abs(exact_balls(a)) + exact_balls(ea)
    total = exact_balls(a)
    for row, place in enumerate((2, 0, 2)):
        error[place] = error[place] + exact_balls(np.broadcast_to(eb, b.shape))[row]
        magnitudes[place] = (
            magnitudes[place] + abs(exact_balls(b))[row] + exact_balls(np.broadcast_to(eb, b.shape))[row]
        )
        total[place] = total[place] + exact_balls(b)[row]
        n[place] += 1
    additions = np.maximum(n - 1, 0)
    for i in np.ndindex(5, 4):
        error[i] = error[i] + int(additions[i]) * (at.u * magnitudes[i] + at.eta)
        assert abs(total[i] - exact_balls(value)[i]) <= flint.arb(2) ** -48 * magnitudes[i]
    assert_is((value, bound), exact_balls(value), error)


@pytest.mark.parametrize("name", sorted(INDEXED))
def test_an_index_in_doubt_leaves_no_bound(name):
    numbers = [a_pair(shape, 1e-3, 1e3, seed) for seed, shape in enumerate(INDEXED[name][1])]
    _, e = carried_out(name, Arithmetic.judging("float64", {}), numbers, 1.0)
    assert np.isinf(e).all()


def test_of_several_index_vectors_those_in_doubt_leave_no_bound():
    indices = np.array([[2.0], [0.0], [2.0]]), np.array([[0.0], [3.0], [0.0]])
    parameters, _, _ = INDEXED["gather"]
    _, e = bounds.RULES["gather"](
        Arithmetic.judging("float64", {}), parameters, (np.ones((5, 4)), EXACT), indices
    )
    assert np.isinf(e).all(axis=1).tolist() == [False, True, False]
    assert not e[[0, 2]].any()


def test_of_index_vectors_in_several_axes_too():
    indices, doubt = np.array([[[1.0], [2.0]], [[4.0], [3.0]]]), np.zeros((2, 2, 1))
    doubt[1, 0] = 1.0
    numbers = lax.GatherDimensionNumbers((0, 2), (1,), (1,))
    parameters = {"mode": DROP, "fill_value": None, "out_shape": (2, 2, 4, 2)}
    parameters["dimension_numbers"] = tuple(numbers)
    with jax.enable_x64(True):
        slices = lax.gather(np.ones((3, 5, 4)), indices.astype(int), numbers, (2, 1, 4))
    assert slices.shape == parameters["out_shape"]
    a = np.ones((3, 5, 4)), EXACT
    _, e = bounds.RULES["gather"](Arithmetic.judging("float64", {}), parameters, a, (indices, doubt))
    # Of the result, the axes 0 and 2 are a slice's, and the others those of the index vectors.
    assert np.isinf(e).all(axis=(0, 2)).tolist() == [[False, False], [True, False]]
    assert np.isinf(e).sum() == 8


A = np.arange(60.0).reshape(3, 5, 4)
NUMBERS = lax.GatherDimensionNumbers
GATHERS = [
    (A, [[1], [9], [-1]], NUMBERS((1, 2), (0,), (0,)), (1, 5, 4)),
    (A, [[1, 3], [0, -2]], NUMBERS((1, 2), (0,), (0, 1)), (1, 2, 4)),
    (A, [[3, 1], [0, 2]], NUMBERS((1,), (0, 2), (2, 0)), (1, 5, 1)),
    (A, [[[1], [2]], [[4], [5]]], NUMBERS((0, 2), (1,), (1,)), (2, 1, 4)),
    (A, [2, 1], NUMBERS((0, 1, 2), (), (1, 2)), (3, 2, 2)),
    (A, [[[1], [2]], [[4], [0]], [[3], [7]]], NUMBERS((2,), (1,), (1,), (0,), (0,)), (1, 1, 4)),
]
MODES = [lax.GatherScatterMode.CLIP, DROP]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("a", "indices", "numbers", "sizes"), GATHERS)
def test_gather_is_jaxs(a, indices, numbers, sizes, mode):
    at = Arithmetic.judging("float64", {})
    indices = np.array(indices, dtype=np.int32)
    with jax.enable_x64(True):
        expected = np.asarray(lax.gather(a, indices, numbers, sizes, mode=mode, fill_value=-7.0))
    parameters = {"mode": mode, "fill_value": -7.0, "out_shape": expected.shape}
    parameters["dimension_numbers"] = tuple(numbers)
    v, e = bounds.RULES["gather"](at, parameters, (a, a / 1024), (indices.astype(float), EXACT))
    np.testing.assert_array_equal(v, expected, strict=True)
    np.testing.assert_array_equal(e, np.where(expected == -7, 0, expected / 1024))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ["scatter", "scatter-add"])
@pytest.mark.parametrize(("a", "indices", "numbers", "sizes"), GATHERS)
def test_scatter_is_jaxs(name, a, indices, numbers, sizes, mode):
    indices = np.array(indices, dtype=np.int32)
    with jax.enable_x64(True):
        slices = lax.gather(a, indices, numbers, sizes, mode=lax.GatherScatterMode.CLIP)
        updates = np.arange(1.0, 1 + slices.size).reshape(slices.shape)
        scattered = lax.ScatterDimensionNumbers(*numbers)
        put = lax.scatter if name == "scatter" else lax.scatter_add
        expected = np.asarray(put(a, indices, updates, scattered, mode=mode))
    parameters = {"mode": mode, "dimension_numbers": tuple(numbers)}
    v, e = bounds.RULES[name](
        Arithmetic.judging("float64", {}),
        parameters,
        (a, EXACT),
        (indices.astype(float), EXACT),
        (updates, EXACT),
    )
    np.testing.assert_array_equal(v, expected, strict=True)
    assert (e == 0).all() or name == "scatter-add"


def test_what_is_outside_is_not_a_number_unless_another_is_asked_for():
    at = Arithmetic.judging("float64", {})
    parameters = {**INDEXED["gather"][0], "mode": DROP}
    indices = (np.array([[7.0], [0.0], [2.0]]), EXACT)
    v, _ = bounds.RULES["gather"](at, parameters, (np.ones((5, 4)), EXACT), indices)
    assert np.isnan(v[0]).all()
    truths = (np.zeros((5, 4), dtype=bool), np.zeros((5, 4), dtype=bool))
    outcome, doubt = bounds.RULES["gather"](at, parameters, truths, indices)
    assert outcome.dtype == doubt.dtype == bool
    assert outcome.any(axis=1).tolist() == [True, False, False]
    assert not doubt.any()
