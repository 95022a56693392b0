"""Every rule: perturb its operands within their errors, compute exactly, round as badly as the model allows."""

import itertools
from collections.abc import Callable
from typing import Any

import flint
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verify.evaluate import bounds, moves
from verify.evaluate.balls import exact_balls
from verify.evaluate.bounds import evaluation, indexing_rules, merged_sum_rules, ordering_rules, window_rules
from verify.evaluate.bounds.arithmetic import EXACT, LIBRARY_ULPS, SIGMOID_ULPS, Arithmetic

# A rule's own arithmetic may round 64 times; `bounds.evaluate_with_bounds` adds this slack once for the whole program.
SLACK = 1 / (1 - 64 * 2.0**-53)
SEEDS = st.integers(0, 2**32 - 1)
DTYPES = st.sampled_from(["float64", "float32"])


def tanh(a: Any) -> Any:
    return a.tanh()


def positive(a: Any) -> Any:
    return a if a >= 0 else flint.arb("nan")


def sign(a: Any) -> Any:
    return flint.arb(int(a > 0) - int(a < 0))


# name -> (what it is exactly, the ulps its result may be off by, the range of its first operand's magnitude)
ANY = (1e-320, 1e150)
ELEMENTWISE: dict[str, tuple[Callable[..., Any], float, tuple[float, float]]] = {
    "add": (lambda a, b: a + b, 0.5, (1e-320, 1e307)),
    "add_any": (lambda a, b: a + b, 0.5, ANY),
    "sub": (lambda a, b: a - b, 0.5, (1e-320, 1e307)),
    "mul": (lambda a, b: a * b, 0.5, (1e-320, 1e200)),
    "div": (lambda a, b: a / b, 0.5, (1e-320, 1e200)),
    "neg": (lambda a: -a, 0, ANY),
    "abs": (abs, 0, ANY),
    "square": (lambda a: a * a, 0.5, (1e-320, 1e200)),
    "one_minus_square": (lambda a: (1 - a) * (1 + a), 1.5, ANY),
    "exp": (lambda a: a.exp(), LIBRARY_ULPS, (1e-10, 900)),
    "expm1": (lambda a: a.expm1(), LIBRARY_ULPS, (1e-320, 900)),
    "log": (lambda a: positive(a).log(), LIBRARY_ULPS, ANY),
    "log1p": (lambda a: positive(1 + a).log() if a < -0.5 else a.log1p(), LIBRARY_ULPS, (1e-320, 2)),
    "sqrt": (lambda a: positive(a).sqrt(), 0.5, ANY),
    "rsqrt": (lambda a: positive(a).rsqrt(), LIBRARY_ULPS, ANY),
    "exp2": (lambda a: flint.arb(2) ** a, LIBRARY_ULPS, (1e-10, 1100)),
    "sin": (lambda a: a.sin(), LIBRARY_ULPS, (1e-320, 1e6)),
    "cos": (lambda a: a.cos(), LIBRARY_ULPS, (1e-320, 1e6)),
    "erf": (lambda a: a.erf(), LIBRARY_ULPS, (1e-320, 40)),
    "erfc": (lambda a: a.erfc(), LIBRARY_ULPS, (1e-320, 26)),
    "logistic": (lambda a: 1 / (1 + (-a).exp()), SIGMOID_ULPS, (1e-10, 900)),
    "tanh": (tanh, LIBRARY_ULPS, (1e-320, 900)),
    "max": (lambda a, b: a.max(b), 0, ANY),
    "min": (lambda a, b: a.min(b), 0, ANY),
    "sign": (sign, 0, ANY),
    "copy": (lambda a: a, 0, ANY),
}
COMPARISONS = {
    "gt": np.greater,
    "ge": np.greater_equal,
    "lt": np.less,
    "le": np.less_equal,
    "eq": np.equal,
    "ne": np.not_equal,
}
WITH_TESTS_OF_THEIR_OWN = {
    *COMPARISONS,
    *moves.MOVES,
    *("integer_pow", "reduce_sum", "reduce_max", "reduce_min", "dot_general", "clamp", "select_n"),
    *("and", "or", "not", "is_finite", "convert_element_type", "reduce_or", "reduce_and"),
    *("pow", "floor", "ceil", "round", "rem", "cumsum", "either", "weighed", "affine_sum"),
    *ordering_rules.RULES,
    *window_rules.RULES,
    *indexing_rules.RULES,
    *merged_sum_rules.RULES,
}


def drawn_pair(rng: np.random.Generator, shape: Any, magnitudes: tuple[float, float]) -> bounds.Pair:
    """Values over all magnitudes, zeros and ties among them; errors from none to many times the value."""
    low, high = np.log10(magnitudes[0]), np.log10(magnitudes[1])
    moderate = rng.standard_normal(shape)
    wild = rng.choice([-1.0, 1.0], size=shape) * 10 ** rng.uniform(low, high, size=shape)
    v = rng.choice([0, 1, 2], p=[0.45, 0.45, 0.1], size=shape)
    v = np.where(v == 0, moderate, np.where(v == 1, wild, rng.choice([0.0, 1.0, -1.0], size=shape)))
    relative = rng.choice([0.0, 2.0**-53, 1e-12, 1e-3, 0.5, 1 - 2.0**-53, 1.0, 1.5, 3.0], size=shape)
    e = np.where(
        rng.random(shape) < 0.2, rng.choice([0.0, 5e-324, 1e-310, 1e-3, 30.0], size=shape), relative * abs(v)
    )
    return v, e


def perturbed(rng: np.random.Generator, pair: bounds.Pair) -> Any:
    """Exact numbers within the errors of a pair, most of them at its ends."""
    v, e = (np.broadcast_to(part, pair[0].shape) for part in pair)
    share = rng.choice([-1.0, 0.0, 1.0, 0.3], size=v.shape)
    return exact_balls(v) + exact_balls(share) * exact_balls(e)


def finished(pair: bounds.Pair) -> bounds.Pair:
    with np.errstate(all="ignore"):
        return evaluation._finished(*(np.asarray(part) for part in pair), SLACK)


def assert_contains(pair: bounds.Pair, exact: Any, dtype: str, roundoffs: Any, say: Any) -> None:
    """The exact results, rounded up, rounded down, or flushed to zero, lie within the error of the value."""
    info = np.finfo(np.dtype(dtype).type)
    v, e = finished(pair)
    v, e = np.broadcast_to(v, exact.shape), np.broadcast_to(e, exact.shape)
    with flint.ctx.workprec(2000):
        for index in np.ndindex(exact.shape):
            if not np.isfinite(e[index]):
                continue
            for factor in (1 + roundoffs, 1 - roundoffs):
                result = exact[index] * flint.arb(factor)
                if roundoffs:  # what does not round does not overflow or underflow either
                    assert not abs(result) > float(info.max) * (1 + 2.0**-20), f"{say(index)}: overflows"
                    result = flint.arb(0) if abs(result) < float(info.tiny) else result
                off = abs(result - flint.arb(float(v[index])))
                assert off <= flint.arb(float(e[index])), f"{say(index)}: {off} > {e[index]}"


@pytest.fixture(autouse=True)
def precision():
    with flint.ctx.workprec(2000), np.errstate(all="ignore"):
        yield


def test_every_rule_is_put_to_a_test():
    assert {*ELEMENTWISE, *WITH_TESTS_OF_THEIR_OWN} == set(bounds.RULES)


@pytest.mark.parametrize("name", sorted(ELEMENTWISE))
@given(SEEDS, DTYPES)
def test_elementwise(name, seed, dtype):
    rng = np.random.default_rng(seed)
    function, ulps, magnitudes = ELEMENTWISE[name]
    at = Arithmetic.judging(dtype, {})
    pairs = [
        drawn_pair(rng, 8, magnitudes) for _ in range(function.__code__.co_argcount if name != "abs" else 1)
    ]
    if name in ("log", "sqrt", "rsqrt"):
        pairs = [(abs(pairs[0][0]), pairs[0][1])]
    if len(pairs) == 2 and rng.random() < 0.5:  # near ties, where choices are in doubt
        pairs[1] = (pairs[0][0] * rng.choice([1.0, 1 + 2.0**-50, 0.999], size=8), pairs[1][1])
    operands = [perturbed(rng, pair) for pair in pairs]
    exact = np.asarray(np.frompyfunc(function, len(pairs), 1)(*operands))
    roundoff = 2 * ulps * float(np.finfo(dtype).eps) / 2

    def say(index: Any) -> str:
        return f"{name} of {[(v[index], e[index]) for v, e in pairs]}"

    result = bounds.RULES[name](at, {}, *pairs)
    v, e = finished(result)
    for i, number in enumerate(exact):  # what is not defined somewhere in the interval has no bound
        if not number.is_finite() or not np.isfinite(v[i]):
            assert np.isinf(np.broadcast_to(e, 8)[i]), say(i)
    keep = np.array([number.is_finite() for number in exact])
    assert_contains((v[keep], np.broadcast_to(e, 8)[keep]), exact[keep], dtype, roundoff, say)


@pytest.mark.parametrize("y", [-3, -2, -1, 0, 1, 2, 3, 4, 5])
@given(SEEDS, DTYPES)
def test_integer_pow(y, seed, dtype):
    rng = np.random.default_rng(seed)
    pair = drawn_pair(rng, 6, (1e-80, 1e80))
    exact = np.asarray(np.frompyfunc(lambda a: a**y if y >= 0 else 1 / a**-y, 1, 1)(perturbed(rng, pair)))
    u = float(np.finfo(dtype).eps) / 2
    roundings = max(abs(y) - 1, 0) + (y < 0)
    result = bounds.RULES["integer_pow"](Arithmetic.judging(dtype, {}), {"y": y}, pair)
    keep = np.array([number.is_finite() for number in exact])
    v, e = (np.broadcast_to(part, 6) for part in finished(result))
    assert np.all(np.isinf(e[~keep]))

    def say(index: Any) -> str:
        return f"power {y} of {pair[0][keep][index]} ± {pair[1][keep][index]}"

    assert_contains((v[keep], e[keep]), exact[keep], dtype, roundings * u * (1 - 4 * u), say)


@pytest.mark.parametrize("whole", [True, False])
@given(SEEDS, DTYPES)
def test_pow(whole, seed, dtype):
    rng = np.random.default_rng(seed)
    a, b = drawn_pair(rng, 8, (1e-30, 1e30)), drawn_pair(rng, 8, (1e-3, 6))
    if whole:
        b = (np.rint(b[0]), np.zeros(8))
    else:
        a = (abs(a[0]), a[1])

    def power(base: Any, exponent: Any) -> Any:
        if whole:
            n = int(float(exponent))
            return base**n if n >= 0 else 1 / base**-n
        return positive(base) ** exponent if base != 0 else flint.arb(0 if exponent > 0 else "nan")

    exact = np.asarray(np.frompyfunc(power, 2, 1)(perturbed(rng, a), perturbed(rng, b)))
    v, e = (
        np.broadcast_to(p, 8) for p in finished(bounds.RULES["pow"](Arithmetic.judging(dtype, {}), {}, a, b))
    )
    keep = np.array([number.is_finite() for number in exact])
    assert np.all(np.isinf(e[~keep]))
    assert_contains(
        (v[keep], e[keep]), exact[keep], dtype, LIBRARY_ULPS * float(np.finfo(dtype).eps),
        lambda i: f"{a[0][keep][i]} ± {a[1][keep][i]} to {b[0][keep][i]} ± {b[1][keep][i]}",
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("reverse", [False, True])
def test_cumsum(seed, reverse):
    rng = np.random.default_rng(seed)
    dtype = ("float64", "float32")[seed % 2]
    pair = drawn_pair(rng, (3, 4), (1e-30, 1e30))
    v, e = finished(
        bounds.RULES["cumsum"](Arithmetic.judging(dtype, {}), {"axis": 1, "reverse": reverse}, pair)
    )
    operand = perturbed(rng, pair)
    u = flint.arb(float(np.finfo(dtype).eps)) / 2
    for k in range(4):
        terms = operand[:, k:] if reverse else operand[:, : k + 1]
        worst = terms.sum(axis=1) + (terms.shape[1] - 1) * u * abs(terms).sum(axis=1)
        for off, allowed in zip(abs(worst - exact_balls(v[:, k])), e[:, k], strict=True):
            assert off <= flint.arb(float(allowed))


@pytest.mark.parametrize("name", ["floor", "ceil", "round to even", "round away", "rem"])
@given(SEEDS)
def test_integers_near_a_number(name, seed):
    rng = np.random.default_rng(seed)
    v = rng.choice([-2.5, -1.0, -0.5, 0.0, 0.5, 1.5, 2.5, 2.0**53, 0.49999999999999994, 3.3], size=8)
    a = (v, rng.choice([0.0, 1e-300, 1e-16, 0.25, 0.5, 1.0], size=8))
    exact = perturbed(rng, a)
    at = Arithmetic.judging("float64", {})

    def even(x: Any) -> Any:
        nearest = (x + 0.5).floor()
        tie = nearest - x == 0.5
        return nearest - 1 if tie and (nearest / 2).floor() * 2 != nearest else nearest

    functions = {
        "floor": lambda x: x.floor(),
        "ceil": lambda x: x.ceil(),
        "round to even": even,
        "round away": lambda x: (x + 0.5).floor() if x >= 0 else (x - 0.5).ceil(),
        "rem": lambda x: x - 2 * ((x / 2).floor() if x >= 0 else (x / 2).ceil()),
    }
    expected = [functions[name](x) for x in exact]
    operands = [a, (np.full(8, 2.0), EXACT)] if name == "rem" else [a]
    parameters = {"rounding_method": int(name == "round to even")}
    value, error = bounds.RULES[name.split()[0]](at, parameters, *operands)
    for i in range(8):
        assert abs(expected[i] - flint.arb(float(value[i]))) <= flint.arb(float(error[i])), (a[0][i], a[1][i])
        assert a[1][i] > 0 or error[i] == 0


@pytest.mark.parametrize(
    ("shape", "axes"), [((7,), (0,)), ((3, 4), (0,)), ((3, 4), (1,)), ((2, 3, 2), (0, 2)), ((1, 3), (0,))]
)
@given(SEEDS, DTYPES)
def test_reduce_sum(shape, axes, seed, dtype):
    rng = np.random.default_rng(seed)
    pair = drawn_pair(rng, shape, (1e-30, 1e30))
    v, e = finished(bounds.RULES["reduce_sum"](Arithmetic.judging(dtype, {}), {"axes": axes}, pair))
    operand = perturbed(rng, pair)
    n = int(np.prod([shape[axis] for axis in axes]))
    # The worst sum in any order: (n - 1) u of the magnitudes away.
    u = flint.arb(float(np.finfo(dtype).eps)) / 2
    worst = operand.sum(axis=axes) + (n - 1) * u * abs(operand).sum(axis=axes)
    for off, allowed in zip(np.ravel(abs(worst - exact_balls(v))), np.ravel(e), strict=True):
        assert off <= flint.arb(float(allowed))


DOTS = [
    ((3, 4), (4, 2), (((1,), (0,)), ((), ()))),
    ((4, 3), (4, 2), (((0,), (0,)), ((), ()))),
    ((4, 3), (2, 4), (((0,), (1,)), ((), ()))),
    ((5,), (5,), (((0,), (0,)), ((), ()))),
    ((2, 3, 4), (2, 4, 2), (((2,), (1,)), ((0,), (0,)))),
    ((2, 3), (3, 2), (((0, 1), (1, 0)), ((), ()))),
    ((3, 2), (3, 2), (((1,), (1,)), ((0,), (0,)))),
    ((1, 1), (1, 3), (((1,), (0,)), ((), ()))),
    ((2, 1), (3, 1), (((1,), (1,)), ((), ()))),
]


@pytest.mark.parametrize(("left", "right", "numbers"), DOTS)
@given(SEEDS, DTYPES, st.booleans())
def test_dot_general(left, right, numbers, seed, dtype, exact_left):
    rng = np.random.default_rng(seed)
    a, b = drawn_pair(rng, left, (1e-12, 1e12)), drawn_pair(rng, right, (1e-12, 1e12))
    if exact_left:
        a = (a[0], EXACT)
    parameters = {"dimension_numbers": numbers}
    v, e = finished(bounds.RULES["dot_general"](Arithmetic.judging(dtype, {}), parameters, a, b))
    (inner, inner_b), (batch, batch_b) = numbers
    names = iter("abcdefgh")
    subscripts_a = [next(names) for _ in left]
    subscripts_b = [next(names) for _ in right]
    for i, j in zip((*inner, *batch), (*inner_b, *batch_b), strict=True):
        subscripts_b[j] = subscripts_a[i]
    outer = [s for i, s in enumerate(subscripts_a) if i not in (*inner, *batch)]
    outer += [s for j, s in enumerate(subscripts_b) if j not in (*inner_b, *batch_b)]
    equation = f"{''.join(subscripts_a)},{''.join(subscripts_b)}->{''.join(subscripts_a[i] for i in batch)}"
    equation += "".join(outer)
    pa, pb = perturbed(rng, a), perturbed(rng, b)
    n = int(np.prod([left[i] for i in inner]))
    u = flint.arb(float(np.finfo(dtype).eps)) / 2
    worst = np.asarray(np.einsum(equation, pa, pb) + n * u * np.einsum(equation, abs(pa), abs(pb)))
    assert v.shape == worst.shape
    for off, allowed in zip(np.ravel(abs(worst - exact_balls(v))), np.ravel(e), strict=True):
        assert off <= flint.arb(float(allowed))


@pytest.mark.parametrize("name", ["reduce_max", "reduce_min"])
@given(SEEDS)
def test_reduced_extremes(name, seed):
    rng = np.random.default_rng(seed)
    pair = drawn_pair(rng, (3, 4), ANY)
    v, e = bounds.RULES[name](Arithmetic.judging("float64", {}), {"axes": (1,)}, pair)
    operand = perturbed(rng, pair)
    for row, value, error in zip(operand, v, e, strict=True):
        extreme = row[0]
        for entry in row[1:]:
            extreme = extreme.max(entry) if name == "reduce_max" else extreme.min(entry)
        assert abs(extreme - flint.arb(value)) <= flint.arb(error)


@given(SEEDS)
def test_clamp(seed):
    rng = np.random.default_rng(seed)
    a, low, high = (drawn_pair(rng, 6, (1e-3, 10)) for _ in range(3))
    low, high = (-abs(low[0]), low[1]), (abs(high[0]), high[1])
    v, e = bounds.RULES["clamp"](Arithmetic.judging("float64", {}), {}, low, a, high)
    inner, least, most = (perturbed(rng, pair) for pair in (a, low, high))
    for i in range(6):
        assert abs(inner[i].max(least[i]).min(most[i]) - flint.arb(v[i])) <= flint.arb(e[i])


@pytest.mark.parametrize("name", sorted(COMPARISONS))
@given(SEEDS)
def test_comparisons_are_in_doubt_exactly_where_the_intervals_overlap(name, seed):
    rng = np.random.default_rng(seed)
    a, b = drawn_pair(rng, 8, (1e-6, 1e6)), drawn_pair(rng, 8, (1e-6, 1e6))
    b = (np.where(rng.random(8) < 0.5, a[0] * rng.choice([1.0, 1.001, 1 + 2.0**-40], size=8), b[0]), b[1])
    outcome, doubt = bounds.RULES[name](Arithmetic.judging("float64", {}), {}, a, b)
    np.testing.assert_array_equal(outcome, COMPARISONS[name](a[0], b[0]))
    for i in range(8):
        distance = abs(exact_balls(a[0])[i] - exact_balls(b[0])[i])
        room = exact_balls(a[1])[i] + exact_balls(b[1])[i]
        if room > 0 and distance <= room:
            assert doubt[i], (a[0][i], a[1][i], b[0][i], b[1][i])
        if not room > 0 or distance > room * (1 + 2.0**-20):
            assert not doubt[i], (a[0][i], a[1][i], b[0][i], b[1][i])


@pytest.mark.parametrize("name", sorted(COMPARISONS))
def test_an_error_that_is_not_a_number_puts_a_comparison_in_doubt(name):
    at = Arithmetic.judging("float64", {})
    a, b = (np.array([0.5]), np.array([np.nan])), (np.zeros(1), np.zeros(1))
    assert bounds.RULES[name](at, {}, a, b)[1].all()
    assert bounds.RULES["sign"](at, {}, a)[1] == 2


@pytest.mark.parametrize(("name", "certain"), [("eq", True), ("ne", False), ("ge", True), ("gt", False)])
def test_a_number_compared_with_itself_is_never_in_doubt(name, certain):
    a = (np.array([0.5, 0.0]), np.array([1.0, np.inf]))
    outcome, doubt = bounds.RULES[name](Arithmetic.judging("float64", {}), {}, a, a)
    assert outcome.tolist() == [certain] * 2
    assert not doubt.any()


def test_outcomes_combine_with_their_doubts():
    at = Arithmetic.judging("float64", {})
    combinations = np.array(list(itertools.product([False, True], repeat=4))).T
    a, b = tuple(combinations[:2]), tuple(combinations[2:])
    doubt = combinations[1] | combinations[3]
    for name, outcome in (("and", a[0] & b[0]), ("or", a[0] | b[0])):
        np.testing.assert_array_equal(bounds.RULES[name](at, {}, a, b), [outcome, doubt])
    np.testing.assert_array_equal(bounds.RULES["not"](at, {}, a), [~a[0], a[1]])


@pytest.mark.parametrize("name", ["reduce_or", "reduce_and"])
def test_outcomes_reduce_with_their_doubts(name):
    """In doubt exactly where the doubtful outcomes decide."""
    at = Arithmetic.judging("float64", {})
    combine = any if name == "reduce_or" else all
    for row in itertools.product(itertools.product([False, True], repeat=2), repeat=3):
        v, doubt = (np.array(part)[np.newaxis] for part in zip(*row, strict=True))
        outcome, in_doubt = bounds.RULES[name](at, {"axes": (1,)}, (v, doubt))
        possible = {
            combine(choice) for choice in itertools.product(*[{o, not o} if d else {o} for o, d in row])
        }
        assert outcome.tolist() == [combine(v[0])]
        assert in_doubt.tolist() == [len(possible) == 2], row


def test_finite_is_in_doubt_where_the_error_is_infinite():
    a = (np.array([1.0, 1.0, np.inf]), np.array([0.0, np.inf, np.inf]))
    outcome, doubt = bounds.RULES["is_finite"](Arithmetic.judging("float64", {}), {}, a)
    assert (outcome.tolist(), doubt.tolist()) == ([True, True, False], [False, True, True])


@given(SEEDS)
def test_a_selection_in_doubt_covers_both_branches(seed):
    rng = np.random.default_rng(seed)
    a, b = drawn_pair(rng, 8, (1e-3, 1e3)), drawn_pair(rng, 8, (1e-3, 1e3))
    which = (rng.random(8) < 0.5, rng.random(8) < 0.5)
    v, e = finished(bounds.RULES["select_n"](Arithmetic.judging("float64", {}), {}, which, a, b))
    first, second = perturbed(rng, a), perturbed(rng, b)
    for i in range(8):
        chosen = [second[i] if which[0][i] else first[i]]
        for result in [first[i], second[i]] if which[1][i] else chosen:
            assert abs(result - flint.arb(v[i])) <= flint.arb(e[i])
        if not which[1][i]:
            assert e[i] <= max((b if which[0][i] else a)[1][i] * SLACK, 0)


def test_outcomes_are_compared_and_selected_with_their_doubts():
    at = Arithmetic.judging("float64", {})
    for row in itertools.product(itertools.product([False, True], repeat=2), repeat=3):
        operands = [(np.array([outcome]), np.array([doubt])) for outcome, doubt in row]
        possible = list(itertools.product(*[{o, not o} if d else {o} for o, d in row]))
        for name, function in (("select_n", lambda w, a, b: b if w else a), ("eq", None), ("ne", None)):
            if function is None:
                outcome, doubt = bounds.RULES[name](at, {}, *operands[1:])
                results = {(a == b) == (name == "eq") for _, a, b in possible}
                expected = (row[1][0] == row[2][0]) == (name == "eq")
            else:
                outcome, doubt = bounds.RULES[name](at, {}, *operands)
                results, expected = {function(*case) for case in possible}, function(*(o for o, _ in row))
            assert outcome.tolist() == [expected]
            assert doubt.tolist() == [len(results) == 2], (name, row)


@pytest.mark.parametrize("name", ["log", "log1p", "sqrt", "rsqrt", "pow", "exp2", "div", "exp", "mul"])
def test_an_infinite_error_stays_infinite(name):
    v = np.array([0.0, 1.0, 2.0])
    pair = (v, np.full(3, np.inf))
    operands = [pair] * (2 if name in ("div", "mul", "pow") else 1)
    assert np.isinf(finished(bounds.RULES[name](Arithmetic.judging("float64", {}), {}, *operands))[1]).all()


@pytest.mark.parametrize(
    ("name", "most"), [("logistic", 1), ("tanh", 2), ("erf", 2), ("erfc", 2), ("sin", 2)]
)
def test_what_is_bounded_has_a_bounded_error(name, most):
    v, e = finished(
        bounds.RULES[name](
            Arithmetic.judging("float64", {}), {}, (np.array([0.0, 900, -900]), np.full(3, np.inf))
        )
    )
    assert np.all(np.isfinite(v))
    assert np.all((e >= most) & (e <= most * (1 + 1e-13)))


def test_a_large_error_lifts_an_exponential_that_underflowed():
    v, e = bounds.RULES["exp"](Arithmetic.judging("float64", {}), {}, (np.array([-746.0]), np.array([100.0])))
    assert v == 0
    assert flint.arb(-646).exp() <= flint.arb(float(e[0]))


@pytest.mark.parametrize(
    ("name", "parameters", "values"),
    [
        ("exp", {}, [np.array([100.0])]),
        ("mul", {}, [np.array([1e20]), np.array([1e20])]),
        ("integer_pow", {"y": 3}, [np.array([1e15])]),
        ("integer_pow", {"y": 2}, [np.array([1e20])]),
        ("reduce_sum", {"axes": (0,)}, [np.array([3e38, 3e38, -3e38])]),
        ("cumsum", {"axis": 0, "reverse": True}, [np.array([3e38, 3e38])]),
        ("pow", {}, [np.array([1e20]), np.array([2.5])]),
        ("exp2", {}, [np.array([200.0])]),
        ("dot_general", {"dimension_numbers": (((1,), (0,)), ((), ()))}, [np.full((1, 2), 1e20)] * 2),
    ],
)
def test_what_overflows_the_judged_format_has_no_bound(name, parameters, values):
    if name == "dot_general":
        values = [values[0], values[1].T]
    pairs = [(v, np.zeros_like(v)) for v in values]
    assert (
        np.isinf(
            finished(bounds.RULES[name](Arithmetic.judging("float32", {}), parameters, *pairs))[1]
        ).tolist()
        == [True, False]
        if name == "cumsum"
        else np.isinf(
            finished(bounds.RULES[name](Arithmetic.judging("float32", {}), parameters, *pairs))[1]
        ).all()
    )
    assert np.isfinite(
        finished(bounds.RULES[name](Arithmetic.judging("float64", {}), parameters, *pairs))[1]
    ).all()


@pytest.mark.parametrize("name", ["add", "sub", "mul", "reduce_sum"])
def test_integers_do_not_round(name):
    pair = (np.array([3.0, 5.0]), EXACT)
    parameters = {"out_dtype": np.dtype("int32"), "axes": (0,)}
    operands = [pair] if name == "reduce_sum" else [pair, pair]
    _, e = bounds.RULES[name](Arithmetic.judging("float32", {}), parameters, *operands)
    assert not e.any()


def converted(v: Any, e: Any, dtype: Any, judged: str = "float64") -> list[Any]:
    pair = (np.asarray(v), np.asarray(e))
    return [
        np.asarray(part).tolist()
        for part in bounds.RULES["convert_element_type"](
            Arithmetic.judging(judged, {}), {"new_dtype": np.dtype(dtype)}, pair
        )
    ]


def test_conversions():
    assert converted([True, False], [False, True], "float64") == [[1.0, 0.0], [0.0, 1.0]]
    assert converted([2.75], [1e-9], "float64") == [[2.75], [1e-9]]
    assert converted([2.7, -2.7, 2.999], [0.0, 0.0, 0.01], "int32") == [[2.0, -2.0, 2.0], [0.0, 0.0, 1.0]]
    assert converted([-np.inf, np.inf], [0.0, np.inf], "float64") == [[-np.inf, np.inf], [0.0, np.inf]]
    assert converted([2.0, 2.0, 0.0], [1e-300, 0.0, 1e-300], "int32") == [[2.0, 2.0, 0.0], [1.0, 0.0, 0.0]]
    [[value], [error]] = converted([0.1], [0.0], "float32")
    assert abs(float(np.float32(0.1)) - value) <= error < 1e-7
    [_, [error]] = converted([2.0**60 + 2.0**8], [0.0], "float64", "float32")
    assert error >= 2.0**8


@pytest.mark.parametrize(
    ("value", "dtype", "least", "most"),
    [
        (0.5, "float32", 0.0, 0.0),
        (0.1, "float64", 0.0, 0.0),
        (0.1, "float32", abs(float(np.float32(0.1)) - 0.1), 1.3e-8),
        (1e-40, "float32", 1e-40, 3e-38),
        (1e-310, "float64", 1e-310, 5e-308),
        (1e300, "float32", np.inf, np.inf),
        (np.inf, "float32", 0.0, 0.0),
    ],
)
def test_a_constant_is_off_by_its_rounding(value, dtype, least, most):
    v, e = bounds.evaluate_literal(Arithmetic.judging(dtype, {}), value)
    assert v == value
    assert least <= e <= most
    assert bounds.evaluate_literal(Arithmetic.judging(dtype, {}), True)[0].dtype == bool


@given(SEEDS, DTYPES)
def test_a_cancelling_shift_costs_the_rounding_that_depends_on_it(seed, dtype):
    """log(sum(exp(z - m))) with m off by d, computed at the worst: within the bound that neglects d itself."""
    rng = np.random.default_rng(seed)
    at = Arithmetic.judging(dtype, {})
    u = float(np.finfo(dtype).eps) / 2
    z = rng.standard_normal(3) * 10
    error = np.full(1, rng.choice([0.0, 1e-12, 1e-4, 0.4, 0.6, 40.0]))
    m, narrow = evaluation._cancelling_shift(at, {}, (z.max(keepdims=True), error))
    shifted = bounds.RULES["sub"](at, {}, (z, EXACT), (m, narrow))
    total = bounds.RULES["reduce_sum"](at, {"axes": (0,)}, bounds.RULES["exp"](at, {}, shifted))
    v, e = finished(bounds.RULES["log"](at, {}, total))
    if not np.isfinite(e):
        return
    for d in (float(error[0]), -float(error[0])):
        for way in (1, -1):
            t = [(flint.arb(float(zk)) - flint.arb(float(m[0])) - d) * (1 + way * u) for zk in z]
            s = sum((tk.exp() * (1 + way * 8 * u) for tk in t), flint.arb(0)) * (1 + way * 2 * u)
            log = s.log()
            result = log + way * 8 * u * abs(log) + d
            assert abs(result - flint.arb(float(v))) <= flint.arb(float(e))


def test_a_shift_that_may_scale_an_underflow_by_more_than_its_room_does_not_cancel():
    at = Arithmetic.judging("float64", {})
    _, e = evaluation._cancelling_shift(at, {}, (np.zeros(3), np.array([0.5, 0.6, np.inf])))
    assert e[0] < 1e-14
    assert e[1:].tolist() == [0.6, np.inf]
    assert at.eta >= np.exp(0.5) * np.finfo(float).tiny


def test_an_exact_infinity_stays_what_it_is():
    """Logits that a mask removed: neither their sum with a number in error nor their exponential is in doubt."""
    at = Arithmetic.judging("float64", {})
    table = evaluation._TABLES[False, True]
    removed, number = (np.array([-np.inf]), EXACT), (np.array([2.0]), np.array([0.5]))
    for name, operands, expected in [
        ("add", (removed, number), -np.inf),
        ("add", (number, removed), -np.inf),
        ("sub", (removed, number), -np.inf),
        ("sub", (number, removed), np.inf),
        ("mul", (removed, number), -np.inf),
        ("mul", (number, removed), -np.inf),
        ("div", (removed, number), -np.inf),
    ]:
        v, e = table[name](at, {}, *operands)
        assert (v, e) == (expected, 0), name
        assert np.isinf(bounds.RULES[name](at, {}, *operands)[1]), name
    v, e = table["exp"](at, {}, table["sub"](at, {}, removed, number))
    assert (v, e) == (0, at.eta)


def test_an_infinity_that_is_not_certain_has_no_bound():
    at = Arithmetic.judging("float64", {})
    table = evaluation._TABLES[False, True]
    removed, around_0 = (np.array([-np.inf]), EXACT), (np.array([0.25]), np.array([0.5]))
    unknown, huge = (np.array([1.0]), np.array([np.inf])), (np.array([1.5e308]), EXACT)
    for name, operands in [
        ("mul", (removed, around_0)),
        ("div", (removed, around_0)),
        ("add", (removed, unknown)),
        ("sub", (removed, removed)),
        ("mul", (huge, huge)),
        ("add", (huge, huge)),
    ]:
        v, own = table[name](at, {}, *operands)
        assert own != 0, name  # nor is what is made of it exact
        assert np.isinf(evaluation._finished(v, own, 1.0)[1]), name
