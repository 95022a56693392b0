"""check(): what is right is verified, what is not ends in a report, and the same seed draws the same cases."""

import json
import signal
import subprocess
import sys
import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import verify
from mlp_ref import loss_and_gradient
from mlp_ref.params import Layer
from verify.checks.cross_check import XlaAhead
from verify.evaluate.program import NoRule
from verify.oracle import trial
from verify.subject.load import load

QUICK = {"cases": 40, "xla": 0, "certified": 0, "regimes": ["ordinary"], "diagnose": False}


def right(params, x, y):
    return loss_and_gradient(params, x, y)[1]


def checked(gradient, spec=None, **options):
    return verify.check(gradient, spec, **{**QUICK, **options})


def test_a_right_gradient_is_verified_by_every_evaluator():
    report = verify.check(right, cases=120, xla=1, certified=3)
    assert report.ok
    assert report.verdict == "verified"
    assert report.findings == ()
    assert sum(report.judged.values()) == 124
    assert report.judged["practical"] == 4
    assert report.evaluators == {"NumPy with bounds": 124, "XLA": 1, "certified balls": 3}
    assert 0 < max(report.closest.values()) < 1
    assert {"ordinary", "saturated", "ties"} <= set(report.judged)
    assert "regimes          ordinary " in str(report)


def test_xla_is_set_to_work_once_a_quarter_has_passed_and_ends_before_the_report(monkeypatch):
    begun = []

    class Ahead(XlaAhead):
        def begin(self, cases):
            begun.append((calls[0], len(cases)))
            super().begin(cases)

    monkeypatch.setattr(trial, "XlaAhead", Ahead)

    def gradient(params, x, y):
        calls[0] += 1
        (dw, db), *rest = right(params, x, y)
        return [(dw, db + (calls[0] > passing)), *rest]

    calls, passing = [0], 1000
    report = checked(gradient, xla=2, checks=["gradient"], false_alarm=0)
    assert report.ok
    assert report.evaluators["XLA"] == 2
    assert begun[0] == (10, 2)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("verify-xla")]

    begun.clear()
    calls, passing = [0], 9
    assert not checked(gradient, xla=2, checks=["gradient"], false_alarm=0).ok
    assert begun == []


@pytest.mark.parametrize("hidden", ["tanh", "relu"])
def test_the_spec_says_what_it_is_the_gradient_of(hidden):
    def gradient(params, x, y):
        return loss_and_gradient(params, x, y, hidden)[1]

    assert checked(gradient, verify.Spec(hidden)).ok
    assert checked(gradient, verify.Spec("sigmoid")).verdict == "wrong"


def test_a_users_jax_loss_takes_the_place_of_a_spec():
    def loss(params, x, y):
        [(weight, bias)] = params
        return jnp.sum((x @ weight + bias[None, :] - y) ** 2)

    def gradient(params, x, y):
        [(weight, bias)] = params
        dz = 2 * (x @ weight + bias - y)
        return [(x.T @ dz, dz.sum(axis=0))]

    report = checked(gradient, loss, regimes=["no_hidden"])
    assert report.ok
    assert report.spec == "loss"
    assert not checked(
        lambda *arrays: [(0.5 * dw, db) for dw, db in gradient(*arrays)], loss, regimes=["no_hidden"]
    ).ok


def test_the_same_seed_draws_the_same_cases():
    def drawn(seed):
        met = []

        def watching(params, x, y):
            met.append((x.tobytes(), y.tobytes(), params[0].weight.tobytes()))
            return right(params, x, y)

        checked(watching, seed=seed)
        return met

    assert drawn(3) == drawn(3)
    assert drawn(3) != drawn(4)


# --- gradients that are wrong


def no_sum_over_the_batch(params, x, y):
    """A bias gradient taken from the first row alone: right for a batch of one."""
    gradient = right(params, x, y)
    _, last = gradient[-1]
    z = x
    for weight, bias in params[:-1]:
        z = 1 / (1 + np.exp(-(z @ weight + bias)))
    z = z @ params[-1].weight + params[-1].bias
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    return [*gradient[:-1], Layer(gradient[-1].weight, ((p - y)[0] / len(x)).astype(last.dtype))]


def test_a_mistake_is_found_shrunk_located_and_placed():
    report = checked(no_sum_over_the_batch, cases=100, regimes=["ordinary", "batch_1"])
    finding = report.findings[0]
    assert (report.ok, report.verdict, finding.check) == (False, "wrong", "gradient")
    assert finding.tensor.startswith("bias of layer")
    assert (finding.case.layer_sizes, finding.case.batch, finding.case.dtype) == ((2, 2), 2, "float64")
    assert (finding.regime, finding.case.layout) == ("ordinary", "C")
    assert finding.error > finding.bound > 0
    failed, tried = finding.regimes["batch_1"]
    assert failed == 0 < tried
    failed, tried = finding.regimes["ordinary"]
    assert failed == tried > 0
    assert "not in batch_1" in str(report)
    assert "simplest case    ordinary: 2-2, batch 2, float64" in str(report)


def test_a_mistake_in_a_hidden_layer_needs_one():
    def gradient(params, x, y):
        first, *rest = right(params, x, y)
        return (
            [Layer(first.weight * first.weight.dtype.type(1 + 1e-3), first.bias), *rest] if rest else [first]
        )

    finding = checked(gradient, cases=100, regimes=["ordinary", "no_hidden"]).findings[0]
    assert finding.case.layer_sizes == (2, 2, 2)
    assert finding.tensor == "weight of layer 1"
    assert finding.regimes["no_hidden"][0] == 0


def test_an_error_in_the_last_digits_is_imprecise():
    def gradient(params, x, y):
        shift = x.dtype.type(1e5)
        return [Layer((dw + shift) - shift, db) for dw, db in right(params, x, y)]

    report = checked(gradient, cases=100)
    assert report.verdict == "imprecise"
    assert not report.ok


BAD = {
    "raises": (
        lambda *_: 1 / 0,
        "crashed",
        "runs",
        "the gradient raised ZeroDivisionError: division by zero",
    ),
    "returns None": (lambda *_: None, "crashed", "result", "returned None; it must return"),
    "returns a number": (lambda *_: 3.0, "crashed", "result", "returned float, not"),
    "a wrong number of layers": (
        lambda *a: [*right(*a), right(*a)[0]],
        "crashed",
        "result",
        "layers; the network has",
    ),
    "three items a layer": (
        lambda *a: [(*layer, 0) for layer in right(*a)],
        "crashed",
        "result",
        "has 3 items",
    ),
    "wrong shapes": (
        lambda *a: [(dw.T, db[:, None]) for dw, db in right(*a)],
        "wrong",
        "result",
        "has shape",
    ),
    "objects": (
        lambda *a: [(dw.astype(object), db) for dw, db in right(*a)],
        "crashed",
        "result",
        "has dtype object; it must be float",
    ),
    "strings": (lambda *_: ["ab"] * 9, "crashed", "result", "layers; the network has"),
    "NaN": (lambda *a: [(dw * np.nan, db) for dw, db in right(*a)], "wrong", "gradient", "equals JAX's"),
    "infinity": (lambda *a: [(dw + np.inf, db) for dw, db in right(*a)], "wrong", "gradient", "equals JAX's"),
    "another dtype": (
        lambda *a: [(dw.astype("f4"), db.astype("f4")) for dw, db in right(*a)],
        "wrong",
        "dtype",
        "is float32; the parameters are float64",
    ),
    "integers": (lambda *a: [(dw.astype(int), db) for dw, db in right(*a)], "wrong", "dtype", "is int64"),
    "ragged": (lambda *_: [([[1], [1, 2]], [1])] * 9, "crashed", "result", ""),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_results_end_in_a_report(name):
    gradient, verdict, check, detail = BAD[name]
    report = checked(gradient, cases=10, dtypes=["float64"])
    assert not report.ok
    assert (report.findings[0].verdict, report.findings[0].check) == (verdict, check)
    assert detail in report.findings[0].detail
    assert report.verdict.upper() in str(report).splitlines()[0]
    assert json.loads(report.to_json())["verdict"] == report.verdict


def test_never_the_same_twice():
    noise = np.random.default_rng(0)

    def gradient(params, x, y):
        return [
            Layer(dw * (1 + 1e-3 * noise.standard_normal(dw.shape)), db) for dw, db in right(params, x, y)
        ]

    report = checked(gradient, cases=10, dtypes=["float64"])
    assert report.verdict == "wrong"


@pytest.mark.parametrize("error", [AssertionError, RecursionError, StopIteration, MemoryError])
def test_whatever_a_gradient_raises_is_its_crash(error):
    def gradient(*_):
        raise error("mine\nand a second line")

    report = checked(gradient, cases=10)
    assert report.verdict == "crashed"
    assert f"the gradient raised {error.__name__}: mine (line " in report.findings[0].detail


def test_a_gradient_that_reads_memory_as_it_lies_fails_in_that_layout():
    def gradient(params, x, y):
        return right(params, x[:, ::-1] if x.strides[-1] < 0 else x, y)

    finding = checked(gradient, cases=100).findings[0]
    assert finding.case.layout == "reversed"
    assert "reversed inputs" in str(finding)


def test_a_gradient_that_writes_into_a_single_column_is_caught():
    """One column, reversed, is contiguous as it stands: it must be a copy all the same."""

    def gradient(params, x, y):
        result = right(params, x, y)
        x[...] = 0
        return result

    report = checked(gradient, cases=30, regimes=["width_1"], layouts=["reversed"])
    assert report.verdict == "wrong"
    assert report.findings[0].check == "inputs"


# --- reports


def test_the_reproduction_shows_the_failure_in_a_fresh_interpreter(tmp_path):
    module = tmp_path / "mine.py"
    module.write_text(
        "import mlp_ref\n\ndef gradient(params, x, y):\n"
        "    return [(dw, 2 * db) for dw, db in mlp_ref.loss_and_gradient(params, x, y)[1]]\n"
    )
    report = checked(load(f"{module}:gradient"), cases=20)
    finding = report.findings[0]
    assert finding.reproduce in str(report).replace("\n    ", "\n")
    done = subprocess.run(
        [sys.executable, "-c", finding.reproduce], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "wrong: gradient" in done.stdout
    j = finding.judgement
    assert f"got {j.got:.9g}, expected {j.expected:.9g}" in done.stdout


def test_a_reproduction_is_exact_to_the_bit():
    finding = checked(no_sum_over_the_batch).findings[0]
    again = verify.examine(no_sum_over_the_batch, finding.case, verify.Spec(), check=finding.check)
    assert again.judgement == finding.judgement
    assert again.verdict == finding.verdict
    fine = verify.examine(right, finding.case)
    assert fine.verdict == "verified"


def test_an_interruption_ends_in_a_report_of_what_there_is():
    calls = []

    def gradient(params, x, y):
        calls.append(1)
        if len(calls) > 25:
            raise KeyboardInterrupt
        return right(params, x, y)

    report = checked(gradient, cases=500)
    assert report.interrupted
    assert 0 < sum(report.judged.values()) <= 25
    assert "interrupted" in str(report)
    assert json.loads(report.to_json())["interrupted"] is True


def test_progress_is_told_after_each_case():
    told = []
    checked(right, progress=lambda *counts: told.append(counts))
    assert told == [(i, 40) for i in range(1, 41)]


# --- arguments


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cases": 0}, "cases must be an integer, 1 or larger; got 0"),
        ({"cases": 2.5}, "cases must be an integer, 1 or larger; got 2.5"),
        ({"cases": True}, "cases must be an integer, 1 or larger; got True"),
        ({"seed": -1}, "seed must be an integer, 0 or larger; got -1"),
        ({"xla": -1}, "xla must be an integer, 0 or larger; got -1"),
        ({"certified": None}, "certified must be an integer, 0 or larger; got None"),
        ({"dtypes": ["float8"]}, "dtypes must be a non-empty list from float64, float32"),
        ({"regimes": ["weird"]}, "regimes must be a non-empty list from ordinary"),
        ({"checks": "repeat"}, "checks must be a non-empty list from gradient"),
        (
            {"labels": "real", "spec": verify.Spec()},
            "labels='real' do not suit the loss, whose targets are integer, one_hot, soft",
        ),
    ],
)
def test_arguments_that_cannot_be_used(options, message):
    with pytest.raises(ValueError, match=message):
        checked(right, **options)


def test_specs_and_gradients_that_cannot_be_used():
    with pytest.raises(TypeError, match=r"spec must be a Spec or a JAX function .*; got str"):
        checked(right, "softmax")
    with pytest.raises(TypeError, match=r"gradient must be a function gradient\(params, x, y\); got int"):
        checked(3)
    with pytest.raises(TypeError, match=r"got the class Layer"):
        checked(Layer)
    with pytest.raises(TypeError, match=r"loss must be a function; got float"):
        checked(right, loss=2.0)


def test_losses_that_cannot_be_used():
    with pytest.raises(TypeError, match=r"spec must return a scalar; the loss returned ShapeDtypeStruct"):
        checked(right, lambda params, x, y: 2 * (y + jnp.sum(x @ params[0][0])))
    with pytest.raises(NoRule, match=r"uses .*lgamma.*, for which the bound has no rule"):
        checked(right, lambda params, x, y: jnp.sum(jax.lax.lgamma(x @ params[0][0])) + jnp.sum(y))


# --- side effects of the package


def run_python(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_verify_loads_neither_jax_nor_hypothesis():
    assert (
        run_python("import sys, verify; print({'jax', 'hypothesis', 'flint'} & set(sys.modules))")
        == "set()\n"
    )


def test_names_are_found_when_they_are_used():
    for name in verify.__all__:
        assert getattr(verify, name) is not None
    assert set(verify.__all__) <= set(dir(verify))
    with pytest.raises(AttributeError, match="module 'verify' has no attribute 'cheque'"):
        _ = verify.cheque


def test_the_configuration_of_jax_stays_as_it_was():
    before = dict(jax.config.values)
    verify.check(right, cases=5, xla=1, certified=1)
    assert dict(jax.config.values) == before
    assert jnp.ones(1).dtype == np.float32


def test_seconds_must_be_a_positive_number():
    for seconds in (0, -1.0, "5", True, float("nan")):
        with pytest.raises(ValueError, match=r"seconds must be a positive number, or None; got "):
            verify.check(right, seconds=seconds)


def test_a_run_that_is_out_of_time_says_what_it_left():
    report = verify.check(right, seconds=1e-9)
    assert report.judged == {}
    assert (report.verdict, report.interrupted) == ("inconclusive", False)
    assert report.left == ("1000 of 1000 cases: the time was up",)
    assert "left undone      1000 of 1000 cases: the time was up" in str(report)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no timers")
def test_a_gradient_that_never_returns_is_broken_off_and_said_to():
    def endless(params, x, y):
        while True:
            pass

    report = verify.check(endless, seconds=0.2)
    [finding] = report.findings
    assert (finding.verdict, finding.check) == ("crashed", "runs")
    assert finding.detail.startswith("the call did not return within ")
    assert report.left[0].startswith("a call that had not returned after ")
    assert "Case(layer_sizes=" in report.left[0]


def test_an_interruption_names_the_call_that_had_not_returned():
    def interrupted(params, x, y):
        raise KeyboardInterrupt

    report = verify.check(interrupted)
    assert report.interrupted
    assert report.findings == ()
    assert report.left[0].startswith("a call that had not returned after ")
    assert "s, on Case(layer_sizes=" in report.left[0]


class TestPictures:
    """The entries that a report keeps for pictures."""

    def test_of_a_verified_gradient(self):
        report = verify.check(right, cases=40, xla=0, certified=0)
        assert report.nearest is not None
        largest = max(tensor.worst[0].ratio for tensor in report.nearest.entries)
        assert largest == pytest.approx(max(report.closest.values()))
        in_bound, in_u = report.errors
        assert set(in_bound.counts) == set(in_u.counts) == set(report.judged)
        at_one = in_bound.edges.index(0)
        assert all(sum(counts[at_one:]) == 0 for counts in in_bound.counts.values())

    def test_of_a_wrong_gradient(self):
        def doubled(params, x, y):
            return [(2 * dweight, 2 * dbias) for dweight, dbias in right(params, x, y)]

        report = verify.check(doubled, cases=40, xla=0, certified=0, diagnose=False)
        (finding,) = report.findings
        assert [tensor.name for tensor in finding.entries] == ["weight of layer 1", "bias of layer 1"]
        assert all(tensor.factor == pytest.approx(2) for tensor in finding.entries if any(tensor.shape))
        assert finding.larger.case.layer_sizes > finding.case.layer_sizes
        assert len(finding.larger.entries) == 2 * len(finding.larger.case.layer_sizes) - 2
        in_bound, _ = report.errors
        assert sum(map(sum, in_bound.counts.values())) > 0
        outside = [edge >= 8 for edge in in_bound.edges[:-1]]
        assert sum(
            n for counts in in_bound.counts.values() for n, far in zip(counts, outside, strict=True) if far
        )
        assert "entries" not in report.to_dict()["findings"][0]
        assert report.with_entries()["findings"][0]["entries"][0]["name"] == "weight of layer 1"

    def test_a_transposed_gradient_is_shown_at_equal_widths(self):
        def transposed(params, x, y):
            return [(dweight.T, dbias) for dweight, dbias in right(params, x, y)]

        report = verify.check(transposed, cases=200, xla=0, certified=0, diagnose=False)
        finding = next(finding for finding in report.findings if finding.check == "gradient")
        assert set(finding.larger.case.layer_sizes) == {12}
        weight = finding.larger.entries[0]
        np.testing.assert_allclose(np.array(weight.got).T, weight.expected, rtol=1e-12)

    def test_a_finding_that_is_not_about_numbers_has_none(self):
        report = verify.check(lambda params, x, y: None, cases=10, diagnose=False)
        assert report.findings[0].entries == ()
        assert report.findings[0].larger is None
        assert report.nearest is None
        assert report.errors == ()


def test_an_error_in_float32_alone_that_is_too_large_for_rounding_says_so():
    def gradient(params, x, y):
        scale = x.dtype.type(1.25 if x.dtype == np.float32 else 1)
        return [(weight * scale, bias) for weight, bias in right(params, x, y)]

    found = verify.examine(gradient, verify.Case((3, 4, 3), 5, "float32"))
    assert found.verdict == "imprecise"
    said = " ".join(str(found).split())
    j = found.judgement
    assert 0.01 < j.error / j.scale <= 0.25
    assert f"large for rounding: {j.error / j.scale:.2g} of the tensor's largest entry, where the " in said
    assert "in float64 the error shrinks, so look for what float32 alone does: a cast, a limit," in said

    def rounded(params, x, y):
        return [(np.round(weight, 5), bias) for weight, bias in right(params, x, y)]

    assert "large for rounding" not in str(verify.examine(rounded, verify.Case((3, 4, 3), 5, "float32")))
