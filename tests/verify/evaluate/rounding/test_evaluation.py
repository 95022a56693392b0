"""The standard deviation that rounding gives each entry, and the quantile that makes it a band."""

import itertools

import numpy as np
import pytest

from mlp_ref import loss_and_gradient
from tests.verify.evaluate.working import evaluate as in_working_precision
from verify.case.case import Case
from verify.evaluate.bounds import EXACT, RULES, Arithmetic
from verify.evaluate.merged_sums import IN_ANY_ORDER
from verify.evaluate.program import NoRule
from verify.evaluate.rounding import SAMPLES, evaluate_under_rounding, evaluation
from verify.reference.derivative import traced_derivative
from verify.reference.spec import Spec
from verify.reference.truth import tensors_of

DEFAULT = Spec()


def bands(case, spec=DEFAULT, quantile=10.0, **options):
    at = Arithmetic.judging(case.dtype, case.sizes)
    return evaluate_under_rounding(
        traced_derivative(spec, case.sizes), case.inputs(), at, quantile, **options
    )


# --- the size of an operation's own roundings


def own(name, parameters, *operands, dtype="float32"):
    at = Arithmetic.judging(dtype, {})
    pairs = [(operand, EXACT) for operand in operands]
    value, error = RULES[name](at, parameters, *pairs)
    return evaluation._own(name, parameters, pairs, value, error, at)


@pytest.mark.parametrize("seed", range(20))
def test_a_sum_in_any_order_loses_no_more(seed):
    """n - 1 additions, each off by u of its partial sum: the root of the sum of squares, over all orders."""
    terms = np.random.default_rng(seed).standard_normal(6) * 10.0 ** np.arange(6).clip(max=seed % 3)
    worst = max(
        np.sqrt(sum(np.sum(terms[list(order[:k])]) ** 2 for k in range(2, 7)))
        for order in itertools.permutations(range(6))
    )
    assert worst <= own("reduce_sum", {"axes": (0,)}, terms)
    products = np.sqrt(worst**2 + np.sum(terms**2))
    found = own("dot_general", {"dimension_numbers": (((0,), (0,)), ((), ()))}, terms, np.ones(6))
    assert products <= found <= np.sqrt(6) * abs(terms).sum() * (1 + 1e-6)


def test_a_single_rounding_has_the_size_that_the_bound_gives_it():
    a, b = np.array([3.0]), np.array([-2.0])
    assert own("mul", {}, a, b) == pytest.approx(6)
    assert own("exp", {}, a) == pytest.approx(8 * np.exp(3))
    assert own("reduce_sum", {"axes": (0,)}, np.array([2.0, 3.0])) == pytest.approx(5)
    assert own("reduce_sum", {"axes": (0,)}, np.array([2.0, -3.0])) == pytest.approx(5)


def test_a_sum_has_the_smaller_of_both_sizes():
    """sqrt(n) sum abs(t), or sqrt(n + 1) (sum abs(t) + abs(sum t)) / 2, of n additions or products."""
    inner, of_rows = ({"dimension_numbers": (((axis,), (0,)), ((), ()))} for axis in (0, 1))
    for terms, sums, products in (
        ([0.1, 0.1, 0.1], np.sqrt(2) * 0.3, np.sqrt(3) * 0.3),
        ([0.1, 0.1, 0.1, -0.1], np.sqrt(4) * 0.3, np.sqrt(5) * 0.3),
        ([0.1, -0.1, 0.1], np.sqrt(3) * 0.2, np.sqrt(4) * 0.2),
        ([0.1, 0.1], 0.2, np.sqrt(2) * 0.2),
    ):
        array = np.array(terms)
        assert own("reduce_sum", {"axes": (0,)}, array) == pytest.approx(sums)
        rows = np.array([terms, 2 * array])
        assert own("reduce_sum", {"axes": (1,)}, rows) == pytest.approx([sums, 2 * sums])
        assert own("dot_general", inner, array, np.ones(len(terms))) == pytest.approx(products)
        found = own("dot_general", of_rows, rows, np.ones((len(terms), 5)))
        np.testing.assert_allclose(found, np.outer([products, 2 * products], np.ones(5)))
    assert own("reduce_sum", {"axes": (0,)}, np.zeros((3, 0))).shape == (0,)


def test_a_convolution_sums_the_products_inside_alone():
    """Of two entries and a window of two, with an edge of two in front: 0, 1 and 2 products."""
    parameters = {
        "window_strides": (1,),
        "padding": ((2, 0),),
        "lhs_dilation": (1,),
        "rhs_dilation": (1,),
        "feature_group_count": 1,
        "batch_group_count": 1,
        "dimension_numbers": ((0, 1, 2),) * 3,
        "out_shape": (1, 1, 3),
    }
    found = own("conv_general_dilated", parameters, np.full((1, 1, 2), 0.1), np.ones((1, 1, 2)))
    np.testing.assert_allclose(found, [[[0, 0.1, np.sqrt(2) * 0.2]]], atol=1e-12)
    none = {**parameters, "out_shape": (0, 1, 3)}
    assert own("conv_general_dilated", none, np.zeros((0, 1, 2)), np.ones((1, 1, 2))).shape == (0, 1, 3)


# --- whole programs


@pytest.mark.parametrize("hidden", ["sigmoid", "tanh", "relu"])
@pytest.mark.parametrize("output", [("softmax", "cross_entropy"), ("identity", "squared_error")])
def test_random_roundings_spread_as_far_as_it_says(hidden, output):
    """Each operation's value, off by a normal number of its size, in 1000 runs of plain NumPy."""
    spec, case = Spec(hidden, *output), Case((5, 4, 3), 4, "float32", labels="soft")
    program, at = traced_derivative(spec, case.sizes), Arithmetic.judging("float32", case.sizes)
    rng = np.random.default_rng(0)
    runs = []
    for _ in range(1000):
        values = dict.fromkeys(range(program.slots))
        values |= {
            slot: np.asarray(v, dtype=None if np.asarray(v).dtype == bool else float)
            for slot, v in program.constants
        }
        values |= dict(zip(program.inputs, case.inputs(), strict=True))
        for name, parameters, slots, [result] in program.operations:
            pairs = [
                (values[slot], np.zeros((), bool) if values[slot].dtype == bool else EXACT) for slot in slots
            ]
            value, error = RULES[name](at, parameters, *pairs)
            if error is not EXACT and error.dtype != bool and name not in IN_ANY_ORDER:
                size = evaluation._own(name, parameters, pairs, value, error, at)
                value = value + at.u * size * rng.standard_normal(value.shape)
            values[result] = value
        runs.append([values[slot] for slot in program.outputs[1:]])
    for (value, sigma), samples in zip(bands(case, spec, samples=1024), zip(*runs, strict=True), strict=True):
        spread = np.sqrt(np.mean((np.array(samples) - value) ** 2, axis=0))
        np.testing.assert_allclose(sigma, spread, rtol=0.35, atol=1e-3 * sigma.max())
        assert np.median(abs(sigma / spread - 1)) < 0.08


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("sizes", [(5, 4, 3), (100, 30, 10)])
def test_right_gradients_are_within_few_sigma(sizes, dtype):
    case = Case(sizes, 16, dtype)
    _, grads = loss_and_gradient(*case.arrays())
    for tensor, (value, sigma) in zip(tensors_of(grads), bands(case), strict=True):
        assert abs(tensor - value).max() > 0
        assert np.all(abs(tensor - value) <= 2 * sigma)
        assert np.all(sigma > 0)
        assert np.all(sigma < 1e3 * np.finfo(dtype).eps * abs(value).max())


def test_it_speaks_for_jaxs_formula_in_working_precision():
    case = Case((30, 20, 10), 8, "float32")
    at = Arithmetic.alone("float32", case.sizes)
    _, *results = in_working_precision(traced_derivative(Spec(), case.sizes), case.inputs(), at)
    for result, (value, sigma) in zip(results, bands(case), strict=True):
        assert np.all(abs(result - value) <= 2 * sigma)


def test_the_same_inputs_have_the_same_band():
    case = Case((5, 4, 3), 4, "float32")
    for (_, once), (_, again) in zip(bands(case), bands(case), strict=True):
        np.testing.assert_array_equal(once, again)


def test_a_unit_at_the_kink_is_in_doubt():
    """At a pre-activation of exactly 0, either slope may be taken, and the band holds both."""
    case = Case((4, 3, 3), 2, "float64", "ties")
    spec = Spec("leaky_relu")
    either, as_here = bands(case, spec, quantile=12.0), bands(case, spec, quantile=12.0, either=False)
    weight = case.inputs()[2]
    assert (
        12 * either[1][1][0] > 0.99 * abs(weight[0]).min() * 1e-3
    )  # the bias of the unit that is at the kink
    assert as_here[1][1][0] < 1e-12
    np.testing.assert_array_equal(either[3][0], as_here[3][0])
    assert either[3][1].max() < 1e-12  # above it, the value is 0 from either side


def test_parts_of_the_samples_add_up(monkeypatch):
    case = Case((20, 10, 5), 8, "float32")
    whole = bands(case, either=False, samples=64)
    monkeypatch.setattr(evaluation, "_PART", 1500)
    assert len(evaluation._parts(64, False, 200)) == 10
    parts = bands(case, either=False, samples=64)
    for (_, once), (_, in_parts) in zip(whole, parts, strict=True):
        assert np.median(in_parts / once) == pytest.approx(1, abs=0.1)
        assert not np.array_equal(once, in_parts)


def test_large_products_of_deviations_are_counted_in_coarse_arithmetic(monkeypatch):
    case = Case((8, 6, 3), 4, "float32")
    program = traced_derivative(Spec(), case.sizes)
    at = Arithmetic.of("float16", case.sizes, 2.0**-53)
    found = evaluate_under_rounding(program, case.inputs(), at, 10.0, SAMPLES, False)
    monkeypatch.setattr(evaluation, "_second_order", lambda *_: None)
    without = evaluate_under_rounding(program, case.inputs(), at, 10.0, SAMPLES, False)
    for (_, counted), (_, left_out) in zip(found, without, strict=True):
        assert 1 < np.median(counted / left_out) < 1.5


def test_nothing_is_known_where_the_format_overflows():
    case = Case((3, 2), 2, "float32")
    inputs = [1e38 * array for array in case.inputs()[:-1]] + case.inputs()[-1:]
    at = Arithmetic.judging("float32", case.sizes)
    pairs = evaluate_under_rounding(traced_derivative(Spec(), case.sizes), inputs, at, 10.0)
    assert all(np.isinf(sigma).any() for _, sigma in pairs)


def test_a_primitive_without_a_rule_is_named():
    import jax.numpy as jnp

    def loss(params, x, y):
        [(weight, bias)] = params
        return jnp.sum(jnp.sinh(x @ weight + bias[jnp.newaxis, :]) * y)

    case = Case((3, 2), 2)
    with pytest.raises(NoRule, match="sinh"):
        evaluate_under_rounding(
            traced_derivative(loss, case.sizes),
            case.inputs(),
            Arithmetic.judging("float64", case.sizes),
            10.0,
        )
