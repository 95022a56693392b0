"""Convolutions and windows: every bound is the sum of its terms, written out one by one in exact arithmetic."""

import itertools
from typing import Any

import flint
import numpy as np
import pytest

from verify.evaluate import bounds
from verify.evaluate.balls import exact_balls
from verify.evaluate.bounds.arithmetic import EXACT, Arithmetic

from .test_derived import a_pair, assert_is
from .test_derived import at as at
from .test_derived import precision as precision

N_LAST = ((0, 3, 1, 2), (3, 2, 0, 1), (0, 3, 1, 2))
FIRST = ((0, 1, 2, 3), (0, 1, 2, 3), (0, 1, 2, 3))


def parameters_of(out_shape: Any, **given: Any) -> dict[str, Any]:
    plain = {
        "window_strides": (1, 1),
        "padding": ((0, 0), (0, 0)),
        "lhs_dilation": (1, 1),
        "rhs_dilation": (1, 1),
        "feature_group_count": 1,
        "batch_group_count": 1,
        "dimension_numbers": FIRST,
        "out_shape": out_shape,
    }
    return {**plain, **given}


CONVOLUTIONS = [
    ((2, 3, 4, 3), (2, 3, 2, 2), parameters_of((2, 2, 3, 2))),
    (
        (1, 2, 4, 4),
        (2, 2, 3, 3),
        parameters_of((1, 2, 2, 2), window_strides=(2, 3), padding=((1, 1), (2, 0))),
    ),
    ((1, 1, 5, 3), (1, 1, 2, 2), parameters_of((1, 1, 3, 3), rhs_dilation=(2, 1), padding=((0, 0), (1, 0)))),
    ((1, 1, 3, 2), (1, 1, 2, 2), parameters_of((1, 1, 6, 3), lhs_dilation=(2, 3), padding=((1, 1), (0, 0)))),
    ((2, 4, 2, 2), (2, 2, 1, 2), parameters_of((2, 2, 2, 1), feature_group_count=2)),
    ((4, 1, 2, 2), (2, 1, 1, 2), parameters_of((2, 2, 2, 1), batch_group_count=2)),
    ((2, 3, 3, 2), (2, 2, 2, 1), parameters_of((2, 2, 2, 1), dimension_numbers=N_LAST)),
    ((1, 1, 3, 3), (1, 1, 1, 1), parameters_of((1, 1, 2, 2), padding=((-1, 0), (0, -1)))),
]


def products(lhs: Any, rhs: Any, p: dict[str, Any]) -> dict[tuple[int, ...], list[tuple[Any, Any]]]:
    """For each place of the result, the places in both operands that it multiplies: the definition, by loops."""
    lhs_spec, rhs_spec, out_spec = p["dimension_numbers"]
    n, _, *s = (lhs[axis] for axis in lhs_spec)
    f, ci, *k = (rhs[axis] for axis in rhs_spec)
    whole = [p["out_shape"][axis] for axis in out_spec]
    found = {}
    for out in itertools.product(*map(range, whole)):
        terms = []
        for ic, *ik in itertools.product(range(ci), *map(range, k)):
            inside, where = True, []
            for axis in range(len(s)):
                at = out[2 + axis] * p["window_strides"][axis] + ik[axis] * p["rhs_dilation"][axis]
                at -= p["padding"][axis][0]
                step = p["lhs_dilation"][axis]
                inside &= at % step == 0 and 0 <= at // step < s[axis]
                where.append(at // step)
            row = out[0] + (out[1] // (f // p["batch_group_count"])) * (n // p["batch_group_count"])
            feature = ic + out[1] // (f // p["feature_group_count"]) * ci
            if inside:
                terms.append((placed((row, feature, *where), lhs_spec), placed((out[1], ic, *ik), rhs_spec)))
        found[placed(out, out_spec)] = terms
    return found


def placed(index: tuple[int, ...], spec: tuple[int, ...]) -> tuple[int, ...]:
    """An index (n, c, *s) in the order of axes of an array."""
    return tuple(index[spec.index(axis)] for axis in range(len(spec)))


@pytest.mark.parametrize("exact", [(), (0,), (1,), (0, 1)])
@pytest.mark.parametrize(("lhs", "rhs", "parameters"), CONVOLUTIONS)
def test_a_convolution(lhs, rhs, parameters, exact, at):
    pairs = [a_pair(shape, 1e-3, 1e3, seed, seed in exact) for seed, shape in enumerate((lhs, rhs))]
    (a, ea), (b, eb) = (
        [exact_balls(np.broadcast_to(part, pair[0].shape)) for part in pair] for pair in pairs
    )
    value, bound = bounds.RULES["conv_general_dilated"](at, parameters, *pairs)
    assert value.shape == parameters["out_shape"]
    error = np.empty(value.shape, dtype=object)
    for place, terms in products(lhs, rhs, parameters).items():
        total, magnitudes = flint.arb(0), flint.arb(0)
        for i, j in terms:
            total += abs(a[i]) * eb[j] + ea[i] * (abs(b[j]) + eb[j])
            magnitudes += (abs(a[i]) + ea[i]) * (abs(b[j]) + eb[j])
        error[place] = total + len(terms) * (at.u * magnitudes + at.eta)
        sum_of = sum((a[i] * b[j] for i, j in terms), flint.arb(0))
        assert abs(exact_balls(value)[place] - sum_of) <= flint.arb(2) ** -45 * magnitudes
    assert_is((value, bound), exact_balls(value), error)


WINDOWS = [
    ((4, 5), {"window_dimensions": (2, 3), "window_strides": (1, 2), "padding": ((0, 0), (0, 0))}),
    ((3, 4), {"window_dimensions": (3, 2), "window_strides": (2, 1), "padding": ((1, 2), (0, 1))}),
    ((5,), {"window_dimensions": (2,), "window_strides": (2,), "padding": ((0, 0),)}),
    (
        (3, 5),
        {
            "window_dimensions": (2, 2),
            "window_strides": (1, 1),
            "padding": ((0, 0), (1, -1)),
            "base_dilation": (2, 1),
            "window_dilation": (1, 2),
        },
    ),
]


def members(whole: Any, p: dict[str, Any]) -> dict[tuple[int, ...], list[Any]]:
    """For each window, by loops, the places of its entries: None for what lies outside."""
    ones = (1,) * len(whole)
    base, steps = p.get("base_dilation", ones), p.get("window_dilation", ones)
    lengths = [
        ((n - 1) * b + 1 + low + high - ((w - 1) * d + 1)) // stride + 1
        for n, b, (low, high), w, d, stride in zip(
            whole, base, p["padding"], p["window_dimensions"], steps, p["window_strides"], strict=True
        )
    ]
    found = {}
    for place in itertools.product(*map(range, lengths)):
        entries: list[Any] = []
        for inner in itertools.product(*map(range, p["window_dimensions"])):
            at = [
                i * stride + j * d - low
                for i, j, stride, d, (low, _) in zip(
                    place, inner, p["window_strides"], steps, p["padding"], strict=True
                )
            ]
            inside = all(i % b == 0 and 0 <= i // b < n for i, b, n in zip(at, base, whole, strict=True))
            entries.append(tuple(i // b for i, b in zip(at, base, strict=True)) if inside else None)
        found[place] = entries
    return found


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize(("whole", "parameters"), WINDOWS)
def test_a_sum_over_windows(whole, parameters, exact, at):
    a = a_pair(whole, 1e-3, 1e3, exact=exact)
    v, e = exact_balls(a[0]), exact_balls(np.broadcast_to(a[1], whole))
    value, bound = bounds.RULES["reduce_window_sum"](at, parameters, a)
    error = np.empty(value.shape, dtype=object)
    for place, entries in members(whole, parameters).items():
        inside = [entry for entry in entries if entry is not None]
        own = sum((e[i] for i in inside), flint.arb(0))
        n = max(len(inside) - 1, 0)
        magnitudes = sum((abs(v[i]) for i in inside), own)
        error[place] = own + n * at.u * magnitudes + n * at.eta
        assert (
            abs(exact_balls(value)[place] - sum((v[i] for i in inside), flint.arb(0)))
            <= 2.0**-48 * magnitudes
        )
    assert_is((value, bound), exact_balls(value), error)


@pytest.mark.parametrize("name", ["reduce_window_max", "reduce_window_min"])
@pytest.mark.parametrize(("whole", "parameters"), WINDOWS)
def test_an_extreme_of_windows(name, whole, parameters):
    a = a_pair(whole, 1e-3, 1e3)
    at = Arithmetic.judging("float64", {})
    value, bound = bounds.RULES[name](at, parameters, a)
    extreme = max if name.endswith("max") else min
    for place, entries in members(whole, parameters).items():
        inside = [entry for entry in entries if entry is not None]
        if inside:
            assert value[place] == extreme(a[0][i] for i in inside)
            assert bound[place] == max(a[1][i] for i in inside)
    assert bounds.RULES[name](at, parameters, (a[0], EXACT))[1] is EXACT


def chosen_parameters(parameters: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in parameters.items() if "dilation" not in key}


@pytest.mark.parametrize("smallest", [False, True])
@pytest.mark.parametrize(("whole", "parameters"), WINDOWS[:3])
@pytest.mark.parametrize("seed", range(5))
def test_the_entry_of_a_window_that_is_taken(whole, parameters, smallest, seed):
    """The first of the largest; in doubt exactly where entries that may be the largest are not all exact."""
    rng = np.random.default_rng(seed)
    a = rng.integers(-2, 3, whole).astype(float), rng.choice([0.0, 0.0, 0.0, 0.6, 1.5], whole)
    outcome, doubt = bounds.RULES["largest_in_window"](
        Arithmetic.judging("float64", {}), {**parameters, "smallest": smallest}, a
    )
    sign = -1 if smallest else 1
    for place, entries in members(whole, parameters).items():
        numbers = [-np.inf if i is None else sign * a[0][i] for i in entries]
        errors = [0.0 if i is None else a[1][i] for i in entries]
        assert outcome[place].tolist() == [i == int(np.argmax(numbers)) for i in range(len(entries))]
        least = max(n - e for n, e in zip(numbers, errors, strict=True))
        able = [n + e >= least for n, e in zip(numbers, errors, strict=True)]
        open_ = sum(able) > 1 and any(e > 0 for e, may in zip(errors, able, strict=True) if may)
        assert np.broadcast_to(doubt, outcome.shape)[place].tolist() == [may and open_ for may in able]


@pytest.mark.parametrize("sharing", [False, True])
@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize(("whole", "parameters"), WINDOWS[:3])
def test_what_is_added_to_the_entries_that_are_taken(whole, parameters, exact, sharing, at):
    rng = np.random.default_rng(0)
    windows = members(whole, parameters)
    shape = tuple(np.array(list(windows)).max(axis=0) + 1)
    source = a_pair(shape, 1e-3, 1e3, exact=exact)
    v, e = exact_balls(source[0]), exact_balls(np.broadcast_to(source[1], shape))
    count = int(np.prod(parameters["window_dimensions"]))
    outcome, doubt = rng.random((*shape, count)) < 0.4, rng.random((*shape, count)) < 0.3
    shared = (rng.random((*shape, count)) < 0.3) & sharing
    more = [(shared, np.zeros((), bool))] if sharing else []
    value, bound = bounds.RULES["add_to_windows"](
        at, {**parameters, "out_shape": whole}, source, (outcome, doubt), *more
    )
    own, magnitudes, n = ({i: flint.arb(0) for i in np.ndindex(whole)} for _ in range(3))
    total = dict(own)
    for place, entries in windows.items():
        for k, i in enumerate(entries):
            if i is None:
                continue
            possible = outcome[place][k] or doubt[place][k]
            n[i] += int(possible or shared[place][k])
            if not possible:
                continue
            magnitudes[i] += abs(v[place]) + e[place]
            own[i] += e[place] + (abs(v[place]) if doubt[place][k] else 0)
            total[i] += v[place] if outcome[place][k] else 0
    error = np.empty(whole, dtype=object)
    for i in np.ndindex(whole):
        additions = n[i] - 1 if n[i] > 0 else flint.arb(0)
        error[i] = own[i] + additions * (at.u * magnitudes[i] + at.eta)
        assert abs(total[i] - exact_balls(value)[i]) <= 2.0**-48 * magnitudes[i]
    assert_is((value, bound), exact_balls(value), error)


def test_what_overflows_the_judged_format_has_no_bound():
    at = Arithmetic.judging("float32", {})
    large = (np.full((1, 1, 1, 2), 2e38), EXACT)
    one = (np.ones((1, 1, 1, 2)), EXACT)
    assert np.isinf(
        bounds.RULES["conv_general_dilated"](at, parameters_of((1, 1, 1, 1)), large, one)[1]
    ).all()
    window = {"window_dimensions": (1, 1, 1, 2), "window_strides": (1, 1, 1, 1), "padding": ((0, 0),) * 4}
    assert np.isinf(bounds.RULES["reduce_window_sum"](at, window, large)[1]).all()
