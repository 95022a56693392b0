"""Every rule: what it makes of small deviations is what the function itself makes of them."""

from typing import Any

import numpy as np
import pytest

from verify.evaluate import moves
from verify.evaluate.bounds import RULES
from verify.evaluate.merged_sums import IN_ANY_ORDER
from verify.evaluate.program import NoRule
from verify.evaluate.rounding import indexing_rules, window_rules
from verify.evaluate.rounding.deviating import Deviating
from verify.evaluate.rounding.passing_rules import PASSING

from .first_order import SAMPLES, assert_first_order, carried, drawn, sampling
from .first_order import quiet as quiet

ELEMENTWISE = {
    **dict.fromkeys(("add", "add_any", "sub", "mul", "div", "max", "min"), 2),
    **dict.fromkeys(("neg", "abs", "square", "one_minus_square", "exp", "expm1", "log", "log1p", "sqrt"), 1),
    **dict.fromkeys(("logistic", "tanh", "sign"), 1),
    **dict.fromkeys(("rsqrt", "exp2", "sin", "cos", "erf", "erfc"), 1),
    "pow": 2,
    "clamp": 3,
}
CHOICES = {"either", "weighed"}
"""Rules of the bounds alone: a derivative that is a mean of choices at ties has no band."""

JUMPING = ("floor", "ceil", "round", "rem", "argmax", "argmin")
OTHERS = {
    *JUMPING,
    *("is_largest", "is_smallest", "reduce_or", "reduce_and", "cumsum", "sort", "top_k"),
    *moves.MOVES,
    *(
        "gt",
        "ge",
        "lt",
        "le",
        "eq",
        "ne",
        "and",
        "or",
        "not",
        "select_n",
        "is_finite",
        "convert_element_type",
    ),
    *("reduce_sum", "reduce_max", "reduce_min", "dot_general", "integer_pow", "merged_sum", "affine_sum"),
    *window_rules.PASSING,
    *indexing_rules.PASSING,
}


def test_every_rule_of_the_bound_has_one_here():
    assert set(PASSING) == set(RULES) - CHOICES == {*ELEMENTWISE, *OTHERS}


@pytest.mark.parametrize("name", sorted(set(ELEMENTWISE) - {"sign"}))
def test_elementwise(name):
    rng = np.random.default_rng(1)
    operands = [
        drawn(rng, (3, 4), name in ("log", "log1p", "sqrt", "rsqrt", "pow")) for _ in range(ELEMENTWISE[name])
    ]
    if name == "clamp":
        operands[0], operands[2] = Deviating(np.full((3, 4), -0.7)), Deviating(np.full((3, 4), 0.7))
    assert_first_order(name, {}, operands)


@pytest.mark.parametrize("exact", [0, 1])
@pytest.mark.parametrize("name", ["add", "sub", "mul", "div", "max"])
def test_one_operand_may_be_exact(name, exact):
    rng = np.random.default_rng(2)
    operands = [drawn(rng, (3, 4)) for _ in range(2)]
    operands[exact] = Deviating(operands[exact].value)
    assert_first_order(name, {}, operands)
    assert PASSING[name](sampling(), {}, operands[exact].value, [operands[exact]] * 2) is None


def test_a_scalar_beside_an_array():
    rng = np.random.default_rng(3)
    assert_first_order("mul", {}, [drawn(rng, ()), drawn(rng, (3, 4))])


@pytest.mark.parametrize("power", [-2, -1, 0, 1, 2, 3])
def test_integer_powers(power):
    assert_first_order("integer_pow", {"y": power}, [drawn(np.random.default_rng(4), (5,))])


@pytest.mark.parametrize("reverse", [False, True])
def test_cumulative_sums(reverse):
    rng = np.random.default_rng(9)
    assert_first_order("cumsum", {"axis": 1, "reverse": reverse}, [drawn(rng, (3, 4))])


@pytest.mark.parametrize("name", JUMPING)
def test_a_jump_in_doubt_is_taken_by_some_samples(name):
    at = sampling()
    near = Deviating(np.array([2.0, 1.25, 1.3]))
    if "arg" in name:
        near.value[:] = [3.0, 3.0, 2.0] if name == "argmax" else [1.0, 1.0, 2.0]
    if name == "round":
        near.value[0] = 2.5
    near.deviation = np.random.default_rng(11).standard_normal((SAMPLES, 3))
    two = Deviating(np.full(3, 2.0))
    operands = [near, two] if name == "rem" else [near]
    parameters = {"rounding_method": 1, "axes": (0,)}
    value = carried(name, at, parameters, *(operand.value for operand in operands))
    moved = PASSING[name](at, parameters, value, operands)
    assert 0 < (moved.reshape(SAMPLES, -1)[:, 0] != 0).sum() < SAMPLES
    if name in ("floor", "ceil", "round"):
        assert not moved[:, 1:].any()
    assert PASSING[name](sampling(either=False), parameters, value, operands) is None


@pytest.mark.parametrize("name", ["reduce_or", "reduce_and"])
def test_outcomes_that_reduce(name):
    function = np.any if name == "reduce_or" else np.all
    rng = np.random.default_rng(12)
    a = Deviating(rng.random((3, 4)) < 0.5, rng.random((SAMPLES, 3, 4)) < 0.2)
    value = function(a.value, axis=1)
    flips = PASSING[name](sampling(), {"axes": (1,)}, value, [a])
    np.testing.assert_array_equal(value ^ flips, function(a.value ^ a.deviation, axis=2))
    assert PASSING[name](sampling(), {"axes": (1,)}, value, [Deviating(a.value)]) is None


@pytest.mark.parametrize("name", ["reduce_sum", "reduce_max", "reduce_min"])
@pytest.mark.parametrize("axes", [(0,), (1,), (0, 1)])
def test_reductions(name, axes):
    assert_first_order(name, {"axes": axes}, [drawn(np.random.default_rng(5), (3, 4))])


@pytest.mark.parametrize(
    ("shapes", "numbers"),
    [
        (((3, 4), (4, 2)), (((1,), (0,)), ((), ()))),
        (((4, 3), (4, 2)), (((0,), (0,)), ((), ()))),
        (((3, 4), (2, 4)), (((1,), (1,)), ((), ()))),
        (((4,), (4,)), (((0,), (0,)), ((), ()))),
        (((5, 3, 4), (5, 4, 2)), (((2,), (1,)), ((0,), (0,)))),
        (((3, 4, 2), (2, 4, 5)), (((1, 2), (1, 0)), ((), ()))),
    ],
)
@pytest.mark.parametrize("which", ["both", "first", "second"])
def test_products_of_matrices(shapes, numbers, which):
    rng = np.random.default_rng(6)
    operands = [drawn(rng, shape) for shape in shapes]
    if which != "both":
        operands[which == "first"].deviation = None
    assert_first_order("dot_general", {"dimension_numbers": numbers}, operands)


MOVES: list[tuple[str, dict[str, Any], list[tuple[int, ...]]]] = [
    ("transpose", {"permutation": (1, 0)}, [(3, 4)]),
    ("reshape", {"out_shape": (12,)}, [(3, 4)]),
    ("squeeze", {"out_shape": (3,)}, [(3, 1)]),
    ("expand_dims", {"out_shape": (1, 3)}, [(3,)]),
    ("broadcast_in_dim", {"out_shape": (3, 4), "broadcast_dimensions": (0,)}, [(3,)]),
    ("broadcast_in_dim", {"out_shape": (3, 4), "broadcast_dimensions": ()}, [()]),
    ("rev", {"dimensions": (1,)}, [(3, 4)]),
    ("concatenate", {"dimension": 1}, [(3, 4), (3, 2)]),
    ("slice", {"start_indices": (0, 1), "limit_indices": (3, 4), "strides": None}, [(3, 4)]),
    ("slice", {"start_indices": (0, 1), "limit_indices": (3, 4), "strides": (2, 1)}, [(3, 4)]),
    ("stop_gradient", {}, [(3,)]),
    ("copy", {}, [(3,)]),
    ("copy_p", {}, [(3,)]),
]


@pytest.mark.parametrize(("name", "parameters", "shapes"), MOVES)
def test_moves(name, parameters, shapes):
    rng = np.random.default_rng(7)
    assert_first_order(name, parameters, [drawn(rng, shape) for shape in shapes])


def test_what_is_joined_to_something_exact_keeps_its_deviations():
    first, second = Deviating(np.ones(2)), Deviating(np.ones(1), np.arange(1.0, SAMPLES + 1)[:, np.newaxis])
    for operands, kept in (([first, second], [0, 0, 1]), ([second, first], [1, 0, 0])):
        found = PASSING["concatenate"](sampling(), {"dimension": 0}, np.ones(3), operands)
        np.testing.assert_array_equal(found, second.deviation * kept)


def test_padding_with_a_constant():
    rng = np.random.default_rng(8)
    parameters = {"padding_config": ((1, 0, 1), (0, 2, 0)), "out_shape": (6, 6)}
    assert_first_order("pad", parameters, [drawn(rng, (3, 4)), Deviating(np.zeros(()))])
    with pytest.raises(NoRule, match="pads with a computed number"):
        PASSING["pad"](sampling(), parameters, np.zeros((6, 6)), [drawn(rng, (3, 4)), drawn(rng, ())])
    with pytest.raises(NoRule, match="pads with a computed number"):
        PASSING["pad"](sampling(), parameters, np.zeros((6, 6)), [Deviating(np.ones((3, 4))), drawn(rng, ())])


@pytest.mark.parametrize(("name", "parameters"), [("iota", {}), ("dim_as_value", {})])
def test_what_has_no_operand_is_exact(name, parameters):
    assert PASSING[name](sampling(), parameters, np.zeros(3), []) is None


def test_a_function_bends_within_its_band():
    """The slope is that of the chord as far out as the quantile reaches, not of the tangent."""
    at = sampling()
    deviation = np.full((SAMPLES, 1), 0.05 / at.at.u)
    operand = Deviating(np.ones(1), deviation)
    found = PASSING["exp"](at, {}, np.exp(np.ones(1)), [operand])
    assert found is not None
    out = at.reach * 0.05
    np.testing.assert_allclose(at.reach * at.at.u * found, np.e * np.expm1(out), rtol=1e-6)


def test_a_quotient_bends_as_the_smallest_divisor_in_the_band():
    """1 / b off by e: (1 / (b - e) - 1 / b) / e is 1 / (b (b - e)), here 1 / (2 * 1.5)."""
    at = sampling()
    b = Deviating(np.array([2.0, -2.0]), np.full((SAMPLES, 2), 0.5 / (at.reach * at.at.u)))
    found = PASSING["div"](at, {}, 1 / b.value, [Deviating(np.ones(2)), b])
    np.testing.assert_allclose(found, -b.deviation / 3)


def test_the_square_root_has_the_slope_of_its_chord():
    """From a down to the smallest a of the band, as far as 0; below it, nothing is known."""
    at = sampling()
    deviation = np.full((SAMPLES, 3), 0.5 / (at.reach * at.at.u))
    _, (band, *_) = Deviating(np.ones(3), deviation).excursion(at)
    a = np.array([1.0, band, np.nextafter(band, 0)])
    found = PASSING["sqrt"](at, {}, np.sqrt(a), [Deviating(a, deviation)])
    chords = [(1 - np.sqrt(0.5)) / 0.5, np.sqrt(band) / band, np.inf]
    np.testing.assert_allclose(found, deviation * chords)


def test_a_divisor_that_may_be_0_leaves_nothing_known():
    at = sampling()
    b = Deviating(np.array([1e-7, 1.0]), np.full((SAMPLES, 2), 1.0))
    found = PASSING["div"](at, {}, np.array([1e7, 1.0]), [Deviating(np.ones(2)), b])
    assert found is not None
    assert not np.isfinite(found[:, 0]).any()
    assert np.isfinite(found[:, 1]).all()


def test_a_merged_sum_deviates_as_the_sum_that_it_stands_behind():
    total, part = drawn(np.random.default_rng(18), (3,)), drawn(np.random.default_rng(19), (3,))
    for name in IN_ANY_ORDER:
        found = PASSING[name](sampling(), {}, total.value, [total, part])
        np.testing.assert_array_equal(found, total.deviation)
