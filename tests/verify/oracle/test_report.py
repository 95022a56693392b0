"""Reports as a person reads them, and as a program does."""

import dataclasses
import json
import math

import numpy as np
import pytest

from verify.case.case import Case
from verify.checks.finding import Finding
from verify.oracle.precision import Precision, ShownPrecision
from verify.oracle.report import Report, report_versions
from verify.reference.judge import Judgement

JUDGEMENT = Judgement("wrong", "bias of layer 2", (1,), 0.5, 1e-12, 1.5, 1.0, 5e11)
FINDING = Finding(
    "wrong",
    "gradient",
    "equals JAX's gradient, every entry within its bound",
    Case((2, 2), 3, layout="strided"),
    JUDGEMENT,
    {"ordinary": (15, 15), "batch_1": (0, 15), "deep": (0, 0)},
    reproduce="import verify\nprint(1)",
)


def report(**changes):
    base = Report(
        target="gradient",
        spec="a spec",
        cases=10,
        seed=4,
        judged={"ordinary": 6, "ties": 4},
        inconclusive={"ties": 1},
        evaluators={"NumPy with bounds": 10, "XLA": 0},
        closest={"weight": 0.25},
        findings=(),
        seconds=1.5,
    )
    return dataclasses.replace(base, **changes)


def test_verified_needs_a_conclusive_case():
    assert report().verdict == "verified"
    assert report().ok
    assert report(inconclusive={"ordinary": 6, "ties": 4}).verdict == "inconclusive"
    assert report(judged={}, inconclusive={}).verdict == "inconclusive"
    assert not report(judged={}, inconclusive={}).ok


@pytest.mark.parametrize(
    ("verdicts", "worst"),
    [(["imprecise"], "imprecise"), (["imprecise", "wrong"], "wrong"), (["crashed", "wrong"], "crashed")],
)
def test_the_worst_finding_is_the_verdict(verdicts, worst):
    findings = tuple(dataclasses.replace(FINDING, verdict=verdict) for verdict in verdicts)
    assert report(findings=findings).verdict == worst


def test_a_report_that_a_person_reads():
    lines = str(report()).splitlines()
    assert lines[0] == "VERIFIED: gradient as the gradient of a spec"
    assert "10 of 10 judged" in lines[1]
    assert "inconclusive 1 (10.0%)" in lines[1]
    assert "NumPy with bounds 10" in str(report())
    assert "XLA" not in str(report())
    assert "weight 0.25" in str(report())
    assert "ordinary 6, ties 4 (1 inconclusive)" in str(report())
    assert "interrupted" in str(report(interrupted=True))
    assert "read as" in str(report(notes=("a note", "another")))


def test_the_precision_that_was_shown():
    precision = Precision()
    precision.add("float32", (1e-7, 2e-7, 3e-7, 1e-7))
    precision.add("float32", (4e-5, 2e-6))
    precision.add("float64", (1e-14, 2e-13))
    assert precision.summary() == {
        "float64": {"weight": ShownPrecision(1e-14, 1e-14), "bias": ShownPrecision(2e-13, 2e-13)},
        "float32": {
            "weight": ShownPrecision((3e-7 + 4e-5) / 2, 4e-5),
            "bias": ShownPrecision((2e-7 + 2e-6) / 2, 2e-6),
        },
    }
    text = str(report(precision=precision.summary()))
    assert "shown right to   float64: weight 1e-14 (worst 1e-14), bias 2e-13 (worst 2e-13)" in text
    assert "                 float32: weight 2e-05 (worst 4e-05), bias 1e-06 (worst 2e-06)" in text
    data = json.loads(report(precision=precision.summary()).to_json())
    assert data["precision"]["float32"]["bias"] == pytest.approx([1.1e-6, 2e-6])


def test_a_finding_that_a_person_reads():
    text = str(FINDING)
    assert "wrong: gradient" in text
    assert "simplest case    ordinary: 2-2, batch 3, float64, strided inputs" in text
    assert "where            bias of layer 2[1]: got 1.5, expected 1" in text
    assert "off by           0.5, 5e+11 times the bound 1e-12" in text
    assert "ordinary 15/15" in text
    assert "not in batch_1" in text
    assert "deep" not in text
    assert "    import verify\n    print(1)" in text
    everywhere = dataclasses.replace(FINDING, regimes={"ordinary": (15, 15), "ties": (15, 15)})
    assert "every case of every regime (30 fresh cases)" in str(everywhere)
    nowhere = dataclasses.replace(FINDING, regimes={"ordinary": (0, 15)})
    assert "none of a fresh sample" in str(nowhere)
    infinite = dataclasses.replace(FINDING, judgement=dataclasses.replace(JUDGEMENT, ratio=math.inf))
    assert "infinitely many times the bound" in str(infinite)


def test_a_finding_without_numbers():
    finding = Finding("crashed", "runs", "raised", Case((2, 2), 2))
    assert (finding.tensor, finding.regime, finding.dtype) == ("", "ordinary", "float64")
    assert math.isnan(finding.error)
    assert math.isnan(finding.bound)
    assert "where" not in str(finding)


def test_json_has_no_numbers_that_json_lacks():
    odd = dataclasses.replace(JUDGEMENT, error=math.nan, ratio=math.inf, got=-math.inf)
    finding = dataclasses.replace(FINDING, judgement=odd)
    data = json.loads(report(findings=(finding,)).to_json(), parse_constant=pytest.fail)
    judgement = data["findings"][0]["judgement"]
    assert (judgement["error"], judgement["ratio"], judgement["got"]) == ("nan", "inf", "-inf")
    assert (data["verdict"], data["ok"], data["seed"]) == ("wrong", False, 4)
    assert data["findings"][0]["case"]["layer_sizes"] == [2, 2]
    assert (data["findings"][0]["tensor"], data["findings"][0]["dtype"]) == ("bias of layer 2", "float64")
    assert json.loads(report().to_json(indent=None)) == json.loads(report().to_json())


def test_versions_name_what_a_verdict_rests_on():
    found = report_versions()
    assert {"python", "numpy", "jax", "jaxlib", "hypothesis", "python-flint", "mlp-ref"} <= set(found)
    assert found["numpy"] == np.__version__
