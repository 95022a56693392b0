"""Right derivatives at ties, whatever they choose, and the wrong twin of each."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import verify
from verify.checks.choices_at_ties import NEARLY, TOO_MANY, judged_at_ties
from verify.reference.reference import Reference
from verify.reference.tensors import Tensor

ONE, TWO = {"x": "n d"}, {"a": "n d", "b": "n d"}


def one(dtype, x):
    return np.asarray(x, dtype=dtype)


def clip(x):
    return jnp.clip(x, -0.5, 0.5)


def hinge(x):
    return -jnp.minimum(x, 1.0)


def margin(a, b):
    return jnp.maximum(a - b + 1.0, 0.0)


def of_margin(slope):
    """The backward pass of a margin of two scores, with this slope where it is just kept."""

    def backward(dout, a, b):
        lead = a - b + 1
        d = (dout * np.where(lead == 0, slope, lead > 0)).astype(a.dtype)
        return d, -d

    return backward


def spread(x):
    return jnp.max(x, axis=1) - jnp.min(x, axis=1)


def pooled(x):
    return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (2, 2), (1, 1), "VALID")


def slope_at(place, slope, otherwise):
    """A backward pass whose slope at one place is this, and elsewhere another function's."""

    def backward(dout, x):
        return dout * np.where(x == place, one(x.dtype, slope), otherwise(x)).astype(x.dtype)

    return backward


def of_extremes(largest, smallest):
    """The backward pass of max - min with these shares of the equal ones."""

    def backward(dout, x):
        top, bottom = (x == x.max(axis=1, keepdims=True)), (x == x.min(axis=1, keepdims=True))
        return (dout[:, np.newaxis] * (largest(top) - smallest(bottom))).astype(x.dtype)

    return backward


def first(equal):
    return 1.0 * (equal & (np.cumsum(equal, axis=1) == 1))


def last(equal):
    return first(equal[:, ::-1])[:, ::-1]


def split(equal):
    return equal / equal.sum(axis=1, keepdims=True)


def full(equal):
    return equal.astype(float)


def of_windows(share):
    """The backward pass of overlapping max-pooling with these shares of the equal ones of a window."""

    def backward(dout, x):
        dx = np.zeros_like(x)
        for p, q in np.ndindex(*dout.shape):
            window = x[p : p + 2, q : q + 2]
            shares = share((window == window.max()).reshape(1, -1)).reshape(window.shape)
            dx[p : p + 2, q : q + 2] += (dout[p, q] * shares).astype(x.dtype)
        return dx

    return backward


def alternating(equal):
    """The first of equals in one window, the last in the next."""
    alternating.calls += 1
    return first(equal) if alternating.calls % 2 else last(equal)


alternating.calls = 0

RIGHT = {
    "clip, both ends inside": (clip, ONE, lambda dout, x: dout * ((x >= -0.5) & (x <= 0.5))),
    "clip, both ends outside": (clip, ONE, lambda dout, x: dout * ((x > -0.5) & (x < 0.5))),
    "clip, one end inside": (clip, ONE, lambda dout, x: dout * ((x >= -0.5) & (x < 0.5))),
    "relu6, inside": (jax.nn.relu6, ONE, lambda dout, x: dout * ((x >= 0) & (x <= 6))),
    "hardtanh, inside": (jax.nn.hard_tanh, ONE, lambda dout, x: dout * ((x >= -1) & (x <= 1))),
    "hardtanh, outside": (jax.nn.hard_tanh, ONE, lambda dout, x: dout * ((x > -1) & (x < 1))),
    "maximum, >=": (jnp.maximum, TWO, lambda dout, a, b: (dout * (a >= b), dout * (a < b))),
    "maximum, >": (jnp.maximum, TWO, lambda dout, a, b: (dout * (a > b), dout * (a <= b))),
    "minimum, <=": (jnp.minimum, TWO, lambda dout, a, b: (dout * (a <= b), dout * (a > b))),
    "max - min, first and first": (spread, ONE, of_extremes(first, first)),
    "max - min, first and last": (spread, ONE, of_extremes(first, last)),
    "max - min, last and split": (spread, ONE, of_extremes(last, split)),
    "abs, sign(0) = 0": (jnp.abs, ONE, lambda dout, x: dout * np.sign(x)),
    "abs, from below": (jnp.abs, ONE, slope_at(0, -1, np.sign)),
    "abs, 0.3": (jnp.abs, ONE, slope_at(0, 0.3, np.sign)),
    "relu, 0.3": (jax.nn.relu, ONE, slope_at(0, 0.3, lambda x: x > 0)),
    "hinge, inside": (hinge, ONE, lambda dout, x: -dout * (x <= 1)),
    "hinge, outside": (hinge, ONE, lambda dout, x: -dout * (x < 1)),
    "margin, computed, inside": (margin, TWO, of_margin(1)),
    "margin, computed, outside": (margin, TWO, of_margin(0)),
    "max-pool, first": (pooled, {"x": "h w"}, of_windows(first)),
    "max-pool, last": (pooled, {"x": "h w"}, of_windows(last)),
    "max-pool, split": (pooled, {"x": "h w"}, of_windows(split)),
    "max-pool, first or last": (pooled, {"x": "h w"}, of_windows(alternating)),
}

WRONG = {
    "clip, an end paid twice": (clip, ONE, slope_at(-0.5, 2, lambda x: abs(x) <= 0.5)),
    "relu6, zero negated": (jax.nn.relu6, ONE, slope_at(0, -1, lambda x: (x > 0) & (x < 6))),
    "hardtanh, ends doubled": (jax.nn.hard_tanh, ONE, slope_at(1, 1.001, lambda x: abs(x) < 1)),
    "maximum, paid to both": (jnp.maximum, TWO, lambda dout, a, b: (dout * (a >= b), dout * (a <= b))),
    "maximum, paid to none": (jnp.maximum, TWO, lambda dout, a, b: (dout * (a > b), dout * (a < b))),
    "minimum, paid to both": (jnp.minimum, TWO, lambda dout, a, b: (dout * (a <= b), dout * (a >= b))),
    "max - min, the largest paid in full": (spread, ONE, of_extremes(full, first)),
    "max - min, the smallest paid in full": (spread, ONE, of_extremes(split, full)),
    "abs, beyond both slopes": (jnp.abs, ONE, slope_at(0, 1.001, np.sign)),
    "hinge, beyond both slopes": (hinge, ONE, slope_at(1, 0.1, lambda x: -1.0 * (x < 1))),
    "margin, computed, paid twice": (margin, TWO, of_margin(2)),
    "max-pool, paid in full": (pooled, {"x": "h w"}, of_windows(full)),
    "max-pool, half of each share": (
        pooled,
        {"x": "h w"},
        of_windows(lambda e: first(e) / (1 + (e.sum() > 1))),
    ),
}


def judged(function, shapes, backward):
    return verify.check_backward(
        backward,
        reference=function,
        shapes=shapes,
        cases=40,
        regimes=("ties",),
        checks=("gradient",),
        xla=0,
        certified=0,
        diagnose=False,
    )


@pytest.mark.parametrize("name", RIGHT)
def test_a_choice_of_a_derivative_is_accepted(name):
    report = judged(*RIGHT[name])
    assert report.ok, str(report)


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_choice_of_a_derivative_is_wrong(name):
    report = judged(*WRONG[name])
    assert [(f.check, f.verdict) for f in report.findings] == [("gradient", "wrong")]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("maximum, >=", "the first input of equals"),
        ("abs, sign(0) = 0", "a mean of the choices from above, from below"),
        ("max - min, last and split", "the last of equals"),
    ],
)
def test_the_choice_is_named(name, said):
    assert f"at ties or kinks: {said}" in str(judged(*RIGHT[name]))


def chosen(function, x, dout, gradient):
    """Judge a gradient of one array at its ties."""
    setting = Reference.of(function, {"x": "n d"}).at(dict(zip("nd", x.shape, strict=True)), {})
    found = judged_at_ties(setting.truth([x, dout], "float64"), [gradient], [Tensor("dx")])
    return None if found is None else found[:2]


def test_each_tie_may_be_decided_by_itself():
    x, dout = np.zeros((3, 4)), np.arange(1.0, 13.0).reshape(3, 4)
    slopes = np.array([[1, 0, 1, 0], [0.25, 0.5, 1, 0], [0, 0, 1, 1]])
    name, judgement = chosen(jax.nn.relu, x, dout, slopes * dout)
    assert judgement.verdict == "verified"
    assert name.startswith("a mean of the choices ")


def test_ties_behind_one_another_are_decided_together():
    def largest_of_three(x):
        return jnp.maximum(jnp.maximum(x[:, :1], x[:, 1:2]), x[:, 2:])

    x, dout = np.ones((2, 3)), np.array([[3.0], [5.0]])
    gradient = np.array([[0.0, 3.0, 0.0], [0.0, 0.0, 5.0]])
    name, judgement = chosen(largest_of_three, x, dout, gradient)
    assert judgement.verdict == "verified"
    assert name.endswith("each tie by itself")
    assert chosen(largest_of_three, x, dout, np.array([[0.0, 6.0, 0.0], [0.0, 0.0, 5.0]])) is None


def test_more_ties_than_can_be_decided_one_by_one_are_not_called_wrong():
    x, dout = np.zeros((20, 20)), np.ones((20, 20))
    slopes = np.random.default_rng(0).integers(0, 2, x.shape).astype(float)
    name, judgement = chosen(jax.nn.relu, x, dout, slopes)
    assert (name, judgement.verdict, judgement.note) == (TOO_MANY, "inconclusive", TOO_MANY)
    assert chosen(jax.nn.relu, x, dout, 2 * slopes) is None


def test_without_a_tie_there_is_no_choice():
    assert chosen(jax.nn.relu, np.ones((2, 2)), np.ones((2, 2)), np.zeros((2, 2))) is None


def test_what_is_nearly_a_choice_is_inconclusive():
    x, dout = np.zeros((2, 2)), np.array([3.0, 5.0])
    gradient = np.array([[1.5 + 1e-12, 1.5], [5.0, 0.0]])
    name, judgement = chosen(lambda x: jnp.max(x, axis=1), x, dout, gradient)
    assert (name, judgement.verdict, judgement.note) == (NEARLY, "inconclusive", NEARLY)
    assert chosen(lambda x: jnp.max(x, axis=1), x, dout, gradient + np.array([[1e-3, 0], [0, 0]])) is None
