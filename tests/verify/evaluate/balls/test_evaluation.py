"""Certified balls hold the truth, and are narrow."""

import flint
import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from verify.case.case import Case
from verify.evaluate import balls
from verify.evaluate.balls import evaluation
from verify.evaluate.budget import Budget
from verify.evaluate.program import NoRule
from verify.reference.derivative import traced_derivative
from verify.reference.spec import Spec
from verify.reference.truth import sizes_of_inputs


def certified(spec, inputs, dtype="float64"):
    sizes = sizes_of_inputs(inputs)
    return balls.evaluate_certified(traced_derivative(spec, sizes), inputs, sizes, dtype)


def test_a_tiny_network_equals_its_derivative_by_hand():
    """One input, one sigmoid unit, two classes: every derivative written out."""
    w, c, v1, v2, d1, d2, x = 0.5, -0.25, 1.5, -0.75, 0.125, 0.25, 2.0
    inputs = [np.array(a) for a in ([[w]], [c], [[v1, v2]], [d1, d2], [[x]], [[1.0, 0.0]])]
    loss, dw, dc, dv, dd = certified(Spec(), inputs)
    with flint.ctx.workprec(300):
        arb = flint.arb
        a = 1 / (1 + (-(arb(w) * arb(x) + arb(c))).exp())
        z1, z2 = a * arb(v1) + arb(d1), a * arb(v2) + arb(d2)
        p2 = z2.exp() / (z1.exp() + z2.exp())
        dz = a * (1 - a) * (-p2 * arb(v1) + p2 * arb(v2))
        by_hand = [-(1 - p2).log(), dz * x, dz, -p2 * a, p2 * a, -p2, p2]
        for ball, expected in zip([loss[()], dw[0, 0], dc[0], *dv[0], *dd], by_hand, strict=True):
            assert ball.overlaps(expected)
            assert float(ball.rad()) <= 2.0**-60 * abs(float(ball.mid()))


def test_the_precision_grows_until_a_probability_beyond_a_thousand_has_digits():
    inputs = [np.ones((1, 2)), np.array([0.0, 1000.0]), np.zeros((1, 1)), np.array([[0.0, 1.0]])]
    *_, dbias = certified(Spec(), inputs)
    with flint.ctx.workprec(4000):
        expected = 1 / (1 + flint.arb(1000).exp())
        for ball, sign in zip(dbias, (1, -1), strict=True):
            assert ball.overlaps(sign * expected)
            assert float(ball.rad()) <= float(np.finfo(float).tiny) / 1024


def test_a_kink_that_no_precision_decides_gives_the_hull_of_both_slopes():
    def loss(params, x, y):
        # sqrt(x) ** 2 - x is 0, but every ball of it has a width.
        return jnp.sum(jnp.where(jnp.sqrt(x) ** 2 > x, 3.0, 5.0) * (x @ params[0][0])) + jnp.sum(0 * y)

    inputs = [np.ones((1, 1)), np.zeros(1), np.array([[2.0]]), np.array([[0.0]])]
    sizes = sizes_of_inputs(inputs)
    _, dweight, _ = balls.evaluate_in_balls(traced_derivative(loss, sizes), inputs, sizes)
    assert dweight[0, 0].contains(flint.arb(6))
    assert dweight[0, 0].contains(flint.arb(10))
    assert not dweight[0, 0].contains(flint.arb(11))


def test_a_kink_that_the_inputs_hit_exactly_is_no_doubt():
    inputs = [np.array([[1.0]]), np.array([-2.0]), np.array([[3.0]]), np.zeros(1)]
    inputs += [np.array([[2.0]]), np.array([[1.0]])]
    _, dw, dc, *_ = certified(Spec("relu", "identity", "squared_error"), inputs)
    assert dw[0, 0] == 0
    assert dc[0] == 0


NUMBERS = np.array([-2.5, -1.0, 0.0, 0.5, 1.0, 3.0])
OF_ONE = ("neg", "abs", "square", "exp", "expm1", "log", "log1p", "sqrt", "logistic", "tanh", "sign")
OF_ONE += ("rsqrt", "exp2", "sin", "cos", "erf", "erfc", "floor", "ceil")
OF_TWO = ("rem", "pow", "add", "sub", "mul", "div", "max", "min", "gt", "ge", "lt", "le", "eq", "ne")
FUNCTIONS = {
    **{name: (getattr(jax.lax, name), 1) for name in OF_ONE},
    **{name: (getattr(jax.lax, name), 2) for name in OF_TWO},
    "add_any": (jax.lax.add, 2),
    "one_minus_square": (lambda a: 1 - a * a, 1),
    "clamp": (jax.lax.clamp, 3),
    "select_n": (jax.lax.select_n, 3),
}
"""The primitives by name, and how many operands each has."""


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_rule_at_exact_numbers_is_the_primitive(name):
    primitive, count = FUNCTIONS[name]
    operands = [grid.ravel() for grid in np.meshgrid(*[NUMBERS] * count)]
    if name == "clamp":
        low, a, high = operands
        operands = [np.minimum(low, high), a, np.maximum(low, high)]
    if name == "select_n":
        operands[0] = operands[0] > 0
    with jax.enable_x64(True):
        expected = np.asarray(primitive(*operands))
    exact = [balls.exact_balls(operand) for operand in operands]
    for got, number in zip(balls.RULES[name]({}, {}, *exact), expected, strict=True):
        if expected.dtype == bool:
            assert got is bool(number)
        elif np.isfinite(number):
            assert abs(float(got.mid()) - number) <= 1e-14 * abs(number)
            assert float(got.rad()) <= 1e-14 * abs(number)
        else:
            assert not got.is_finite()


@pytest.mark.parametrize(("name", "expected"), [("reduce_max", [2.0, 5.0]), ("reduce_min", [-1.0, 0.5])])
def test_an_extreme_of_balls(name, expected):
    rows = balls.exact_balls(np.array([[-1.0, 2.0, 1.0], [5.0, 0.5, 3.0]]))
    assert balls.RULES[name](None, {"axes": (1,)}, rows).tolist() == expected


def ends(ball):
    """The ends of a ball, up to the rounding of its radius."""
    return pytest.approx((float(ball.lower()), float(ball.upper())), abs=1e-8)


def from_(low):
    """A ball of width 1 with this lower end, exactly: the radius itself is rounded upwards."""
    wide = flint.arb(0, 0.5)
    return wide + wide.rad() + low


def up_to(high):
    wide = flint.arb(0, 0.5)
    return wide - wide.rad() + high


@pytest.mark.parametrize(
    ("a", "known"),
    [
        (up_to(1), {"gt": False, "ge": None, "lt": None, "le": True, "eq": None, "ne": None}),
        (from_(1), {"gt": None, "ge": True, "lt": False, "le": None, "eq": None, "ne": None}),
        (flint.arb(0.5, 0.25), {"gt": False, "ge": False, "lt": True, "le": True, "eq": False, "ne": True}),
    ],
)
def test_balls_that_touch_may_be_equal(a, known):
    operands = np.array([a]), np.array([flint.arb(1)])
    for name, expected in known.items():
        assert balls.RULES[name](None, {}, *operands)[0] is expected, name


@pytest.mark.parametrize("ball", [from_(0), up_to(0), flint.arb(0, 1)])
def test_the_sign_of_a_ball_that_reaches_0_is_any(ball):
    [sign] = balls.RULES["sign"](None, {}, np.array([ball]))
    assert ends(sign) == (-1, 1)


@pytest.mark.parametrize("middle", [-0.5, 0.0, 0.5])
def test_the_sigmoid_of_a_ball_around_0_reaches_to_both_sides(middle):
    [ball] = balls.RULES["logistic"](None, {}, np.array([flint.arb(middle, 1)]))
    for end in (middle - 1, middle + 1):
        assert ball.contains(1 / (1 + flint.arb(-end).exp()))
    assert 0 < ball < 1


def test_a_ball_without_ends_may_be_finite_all_the_same():
    operands = np.array([flint.arb(3), flint.arb(1, 0.5), flint.arb("nan"), flint.arb(0, "inf")])
    assert list(balls.RULES["is_finite"](None, {}, operands)) == [True, True, None, None]


def test_an_unknown_outcome_is_a_number_from_0_to_1():
    outcomes = np.array([None, True, False], dtype=object)
    converted = balls.RULES["convert_element_type"](None, {"new_dtype": np.dtype("float64")}, outcomes)
    assert [ends(ball) for ball in converted] == [(0, 1), (1, 1), (0, 0)]


def test_comparisons_know_when_they_cannot_know():
    wide, one = flint.arb(1, 0.5), flint.arb(1)
    rules = {name: balls.RULES[name] for name in ("gt", "ge", "lt", "le", "eq", "ne")}
    pairs = {"gt": (2, 1), "ge": (1, 1), "lt": (1, 2), "le": (1, 1), "eq": (1, 1), "ne": (1, 2)}
    for name, rule in rules.items():
        a, b = (np.array([flint.arb(n)], dtype=object) for n in pairs[name])
        assert rule(None, {}, a, b)[0] is True, name
        assert rule(None, {}, np.array([wide]), np.array([one]))[0] is None, name
    assert rules["eq"](None, {}, *(np.array([wide]),) * 2)[0] is True
    for name, truth in {
        "and": {(True, None): None, (False, None): False, (True, True): True},
        "or": {(True, None): True, (False, None): None, (False, False): False},
    }.items():
        for (a, b), expected in truth.items():
            got = balls.RULES[name](None, {}, np.array([a], dtype=object), np.array([b], dtype=object))[0]
            assert got is expected, (name, a, b)


@pytest.mark.parametrize(
    ("ball", "low", "high"),
    [
        (flint.arb(2.5, 0.125), 2, 2),
        (flint.arb(2, 0.125), 1, 2),
        (flint.arb(-2.5, 0.125), -2, -2),
        (flint.arb(0.5, 0.125), 0, 0),
        (flint.arb(-0.5, 0.125), 0, 0),
        (from_(0), 0, 1),
        (from_(0.25), 0, 1),
        (up_to(0), -1, 0),
        (up_to(-0.25), -1, 0),
        (flint.arb(0, 0.5), -1, 1),
        (flint.arb(0), 0, 0),
    ],
)
def test_a_ball_that_becomes_an_integer(ball, low, high):
    parameters = {"new_dtype": np.dtype("int32")}
    [result] = balls.RULES["convert_element_type"](None, parameters, np.array([ball]))
    assert result.contains(low)
    assert result.contains(high)
    assert float(result.rad()) <= (high - low) / 2 + 1e-6


def test_sizes_are_balls_so_that_their_quotient_is_certified():
    def loss(params, x, y):
        return (x.shape[0] / (x.shape[1] * 1.0)) * jnp.sum(params[0][0]) + jnp.sum(0 * y)

    case = Case((3, 1), 2, labels="real")
    _, dweight, _ = balls.evaluate_certified(
        traced_derivative(loss, case.sizes), case.inputs(), case.sizes, "float64"
    )
    with flint.ctx.workprec(200):
        assert dweight[0, 0].contains(flint.arb(2) / 3) or dweight[0, 0] == 2 / 3


@pytest.mark.parametrize("y", [-2, -1, 0, 1, 2, 3])
def test_powers_of_balls_around_zero_and_elsewhere(y):
    wide, two = flint.arb(0, 0.5), flint.arb(-2)
    power, exact = balls.RULES["integer_pow"](None, {"y": y}, np.array([wide, two], dtype=object))
    assert exact == flint.arb((-2.0) ** y)
    assert power.is_finite() is (y >= 0)
    assert y < 0 or power.contains(flint.arb(0.25**y))
    assert y < 1 or float(power.rad()) <= 0.5**y * 1.001
    [square] = balls.RULES["square"](None, {}, np.array([wide], dtype=object))
    assert square.contains(0.25)
    assert float(square.rad()) < 0.2501


@pytest.mark.parametrize("z", [-1e300, -800.0, 0.0, 800.0, 1e300])
def test_the_sigmoid_of_any_number_is_a_ball_between_0_and_1(z):
    [ball] = balls.RULES["logistic"](None, {}, np.array([flint.arb(z)], dtype=object))
    assert ball.is_finite()
    assert float(ball.rad()) < 1e-15
    assert abs(float(ball.mid()) - (z > 0) - 0.5 * (z == 0)) < 1e-300 + (z > 0) * 1e-15


def test_a_long_double_is_exact():
    value = np.longdouble(1) / 3
    [ball] = balls.exact_balls(np.array([value]))
    with flint.ctx.workprec(300):
        assert float(ball.rad()) == 0
        leading = float(value)
        assert ball - flint.arb(leading) == flint.arb(float(value - leading))
        assert (
            float(balls.ball_distance(np.array([flint.arb(1) / 3]), np.array([value]))[0])
            <= np.finfo(value).eps
        )


FORMATS = [np.float16, ml_dtypes.bfloat16, np.float32, np.float64, np.longdouble]


@pytest.mark.parametrize("dtype", FORMATS, ids=lambda dtype: np.dtype(dtype).name)
def test_every_float_of_every_width_at_every_exponent_is_exact(dtype):
    info = ml_dtypes.finfo(dtype)
    digits, one = int(info.nmant), np.array(1, dtype=dtype)[()]
    smallest = np.nextafter(np.array(0, dtype=dtype), one)[()]
    for exponent in range(int(info.minexp), int(info.maxexp), max(1, int(info.maxexp) // 20)):
        power = np.ldexp(one, exponent) if dtype is not ml_dtypes.bfloat16 else dtype(2.0**exponent)
        for sign in (1, -1):
            numbers = np.array([sign * power * (one + info.eps), sign * power * (2 - info.eps)], dtype=dtype)
            for ball, mantissa in zip(
                balls.exact_balls(numbers), (2**digits + 1, 2 ** (digits + 1) - 1), strict=True
            ):
                assert ball == flint.arb((sign * mantissa, exponent - digits)), (exponent, sign)
                assert float(ball.rad()) == 0
    [ball] = balls.exact_balls(np.array([smallest]))
    assert ball == flint.arb((1, int(info.minexp) - digits))


@pytest.mark.parametrize("dtype", FORMATS, ids=lambda dtype: np.dtype(dtype).name)
def test_floats_that_are_no_numbers_and_zeros_are_balls_too(dtype):
    zero, minus_zero, infinity, nan = balls.exact_balls(np.array([0, -0.0, np.inf, np.nan], dtype=dtype))
    assert zero == 0
    assert minus_zero == 0
    assert infinity == flint.arb("inf")
    assert nan.is_nan()


def thousand_apart():
    inputs = [np.array([[500.0, -500.0]]), np.zeros(2), np.ones((1, 1)), np.array([[1.0, 0.0]])]
    sizes = sizes_of_inputs(inputs)
    return traced_derivative(Spec(), sizes), inputs, sizes, "float64"


def test_a_budget_that_is_spent_leaves_the_first_balls():
    first = balls.evaluate_certified(*thousand_apart(), budget=Budget(0))
    narrow = balls.evaluate_certified(*thousand_apart())
    info = np.finfo("float64")
    assert not all(evaluation._narrow(tensor, info) for tensor in first)
    assert all(evaluation._narrow(tensor, info) for tensor in narrow)
    for tensor, other in zip(first, narrow, strict=True):
        assert all(a.overlaps(b) for a, b in zip(tensor.flat, other.flat, strict=True))


def test_balls_of_which_less_is_asked_are_made_once():
    seen = []
    balls.evaluate_certified(*thousand_apart(), enough=lambda made: bool(seen.append(made) or True))
    assert len(seen) == 1


def test_a_larger_network_is_expected_to_take_longer():
    small, large = Case((3, 4, 3), 5).sizes, Case((784, 300, 10), 64).sizes
    assert 0 < balls.ball_evaluation_seconds(small) < balls.ball_evaluation_seconds(large)
    assert balls.ball_evaluation_seconds({"b": 2, "n0": 3, "n1": 5, "n2": 7}) == pytest.approx(
        balls.ball_evaluation_seconds({"b": 1, "n0": 3, "n1": 5}) * 2 * (15 + 35) / 15
    )


@pytest.mark.parametrize(("value", "expected"), [(np.nan, np.nan), (np.inf, np.inf)])
def test_what_is_no_number_is_at_no_finite_distance(value, expected):
    distance = balls.ball_distance(np.array([flint.arb(1)]), np.array([value]))
    np.testing.assert_array_equal(distance, [expected])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("middle", [1.0, -3.0, 0.0])
def test_narrow_is_a_1024th_of_a_rounding_or_of_the_smallest_number(middle, dtype):
    info = np.finfo(dtype)
    widest = (float(info.eps) / 2 * abs(middle) + float(info.tiny)) / 1024
    for share, expected in ((0.9995, True), (1.0005, False)):
        tensor = np.array([flint.arb(middle), flint.arb(middle, share * widest)])
        assert evaluation._narrow(tensor, info) is expected


def test_distances_are_upper_bounds():
    with flint.ctx.workprec(100):
        ball = flint.arb(1, 0.25)
        assert balls.ball_distance(np.array([ball]), np.array([1.0]))[0] >= 0.25
        assert balls.ball_middle(np.array([ball]))[0] == 1


def test_a_primitive_without_a_rule_is_named():
    def loss(params, x, y):
        return jnp.sum(jnp.sinh(x @ params[0][0])) + jnp.sum(y)

    case = Case((3, 2), 2)
    with pytest.raises(NoRule, match=r"uses sinh, cosh, for which the certified evaluator has no rule"):
        balls.evaluate_in_balls(traced_derivative(loss, case.sizes), case.inputs(), case.sizes)
