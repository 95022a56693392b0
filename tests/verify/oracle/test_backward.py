import jax
import jax.numpy as jnp
import numpy as np
import pytest

import verify
from tests.verify.reference.layers.right import RIGHT

FEW = {"cases": 30, "xla": 1, "certified": 1}


def test_a_reference_of_ones_own_with_structures():
    def reference(x, layers):
        for layer in layers:
            x = jnp.tanh(x @ layer["w"] + layer["b"][jnp.newaxis, :])
        return {"out": x, "sum": jnp.sum(x)}

    def backward(dout, x, layers):
        a = [x]
        for layer in layers:
            a.append(np.tanh(a[-1] @ layer["w"] + layer["b"]))
        d, grads = dout["out"] + dout["sum"], []
        for before, after, layer in zip(a[-2::-1], a[:0:-1], reversed(layers), strict=True):
            dz = d * (1 - after) * (1 + after)
            grads.append({"w": before.T @ dz, "b": dz.sum(axis=0)})
            d = dz @ layer["w"].T
        return d, grads[::-1]

    shapes = {"x": "n d", "layers": [{"w": "d h", "b": "h"}, {"w": "h m", "b": "m"}]}
    report = verify.check_backward(backward, reference=reference, shapes=shapes, **FEW)
    assert report.ok, str(report)


def test_options_integers_and_groups():
    def reference(x, ids, *, power, groups):
        return x**power * (ids + groups)

    report = verify.check_backward(
        lambda dout, x, ids, *, power, groups: (
            dout * power * x ** (power - 1) * (ids + groups).astype(x.dtype)
        ),
        reference=lambda x, ids, **options: reference(x, ids.astype(x.dtype), **options),
        shapes={"x": "n g", "ids": "n g"},
        integers={"ids": 5},
        options={"power": (2, 3), "groups": "g"},
        **FEW,
    )
    assert report.ok, str(report)


def test_a_custom_rule_is_judged_against_its_function():
    @jax.custom_vjp
    def cube(x):
        return x**3

    cube.defvjp(lambda x: (x**3, x), lambda x, g: (g * 3.001 * x**2,))
    report = verify.check_backward(cube, shapes={"x": "n"}, **FEW)
    assert report.verdict == "wrong"
    cube.defvjp(lambda x: (x**3, x), lambda x, g: (g * 3 * x**2,))
    report = verify.check_backward(cube, shapes={"x": "n"}, **FEW)
    assert report.ok, str(report)


def test_the_same_seed_gives_the_same_report():
    def wrong(dout, x):
        return dout * x

    first, second = (verify.check_backward(wrong, reference="sigmoid", **FEW) for _ in range(2))
    assert first.findings[0].case == second.findings[0].case


def test_a_finding_reproduces():
    def wrong(dout, x):
        return dout * x

    [finding] = verify.check_backward(wrong, reference="sigmoid", **FEW).findings
    again = verify.examine_backward(wrong, finding.case, reference="sigmoid", check=finding.check)
    assert again.judgement == finding.judgement
    assert "verify.examine_backward(wrong, case" in finding.reproduce
    right = verify.examine_backward(RIGHT["sigmoid"], finding.case, reference="sigmoid")
    assert right.verdict == "verified"


def test_a_report_is_data():
    report = verify.check_backward(RIGHT["affine"], reference="affine", **FEW)
    assert '"verdict": "verified"' in report.to_json()
    assert set(report.closest) <= {"dx", "dw", "db"}


def test_a_further_call_that_fails_as_a_first_call_too_is_no_finding_of_its_own():
    def doubled_at_times(dout, x, w, b):
        gradient = RIGHT["affine"](dout, x, w, b)
        return tuple(2 * tensor for tensor in gradient) if x.flat[0] > 0 else gradient

    report = verify.check_backward(doubled_at_times, reference="affine", cases=60, xla=0, certified=0)
    assert [finding.check for finding in report.findings] == ["gradient"]


def test_a_change_of_the_inputs_in_a_second_call_is_found():
    def backward(dout, x, w, b):
        gradient = RIGHT["affine"](dout, x, w, b)
        if x.shape in seen:
            x += 1
        seen.append(x.shape)
        return gradient

    seen = []
    arguments = {
        "reference": "affine",
        "layouts": ("C",),
        "checks": ("second_call",),
        "regimes": ("ordinary",),
    }
    report = verify.check_backward(backward, cases=1, xla=0, certified=0, **arguments)
    assert ("inputs", "the call changed the input x that it was given") in {
        (finding.check, finding.detail) for finding in report.findings
    }


def test_no_case_is_judged_once_the_seconds_are_spent():
    report = verify.check_backward(RIGHT["affine"], reference="affine", seconds=1e-9)
    assert (report.verdict, report.judged) == ("inconclusive", {})
    assert "300 of 300 cases: the time was up" in str(report)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "reference must be a JAX function or a name"),
        ({"reference": "afine"}, "did you mean 'affine'"),
        ({"reference": lambda x: x}, "shapes must say"),
        ({"reference": "affine", "cases": 0}, "cases must be"),
        ({"reference": "affine", "seconds": 0}, "seconds must be a positive number, or None; got 0"),
        ({"reference": "affine", "checks": ("wild",)}, "checks must be"),
        (
            {"reference": lambda x: jnp.ones((2, 3)) @ x, "shapes": {"x": "4 n"}},
            "cannot be called at its shapes",
        ),
    ],
)
def test_arguments_that_cannot_be_used_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        verify.check_backward(RIGHT["affine"], **arguments)


def reciprocal(x):
    """1/n for the columns of x, rounded, in its dtype."""
    return x.dtype.type(1) / x.dtype.type(x.shape[1])


def test_a_mean_by_a_reciprocal_is_right():
    """Two roundings: of the reciprocal, and of the product; also where the sum has none, of one number and zeros."""
    report = verify.check_backward(
        lambda dout, x: (dout * reciprocal(x))[:, np.newaxis] * (x > 0),
        forward=lambda x: (np.maximum(x, 0).sum(axis=1) * reciprocal(x), x),
        reference=lambda x: jnp.mean(jax.nn.relu(x), axis=1),
        shapes={"x": "n d"},
        cases=150,
    )
    assert report.ok, str(report)


def test_a_further_call_of_random_rounding_that_fails_has_its_question():
    calls = 0

    def backward(dout, x):
        nonlocal calls
        calls += 1
        return np.where(x > 0, dout, 0) * (1 if calls == 1 else 1.5)

    case = verify.LayerCase((("n", 2), ("d", 3)), seed=0)
    found = verify.examine_backward(backward, case, reference="relu", check="rounding")
    assert (found.check, found.detail) == ("repeat", "answers the same call again with the same gradient")


def test_the_lines_reproduce_what_only_a_further_call_shows():
    def backward(dout, cache):
        return np.where(cache.pop("x") > 0, dout, 0)

    def forward(x):
        return np.maximum(x, 0), {"x": x}

    report = verify.check_backward(backward, forward=forward, reference="relu", **FEW)
    [finding] = report.findings
    assert (finding.check, finding.verdict) == ("runs", "crashed")
    again = verify.examine_backward(backward, finding.case, forward=forward, reference="relu", check="runs")
    assert (again.check, again.detail) == ("runs", finding.detail)
    assert all(failed for failed, _ in finding.regimes.values())


def test_the_lines_that_reproduce_ask_for_own_shapes_of_a_known_reference():
    report = verify.check_backward(
        lambda dout, x: 2 * dout * (x > 0), reference="relu", shapes={"x": "rows units"}, **FEW
    )
    assert "# with the shapes and the options that you passed" in report.findings[0].reproduce
    assert "reference='relu', shapes=shapes" in report.findings[0].reproduce
