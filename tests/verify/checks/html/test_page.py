"""The page: valid, whole, small, and nothing in it is run."""

import dataclasses
import sys

import html5lib
import jax
import numpy as np
import pytest

import verify
from verify.case.case import Case
from verify.checks.entries import summarise_entries
from verify.checks.finding import FindingExample
from verify.checks.html import page
from verify.diagnosis.mistakes import CATALOGUE, wrong_gradient
from verify.reference.judge import judge
from verify.subject.target import Target

HOSTILE = "<script>alert('x')</script>\"'&"


def right(params, x, y):
    return wrong_gradient(verify.Spec())(params, x, y)


@pytest.fixture(scope="module")
def reports():
    mistake = next(mistake for mistake in CATALOGUE if mistake.name == "softmax_diagonal")
    return {
        "verified": verify.check(right, cases=30, xla=0, certified=0),
        "wrong": verify.check(wrong_gradient(verify.Spec(), mistake), cases=30, xla=0, certified=0),
        "crashed": verify.check(lambda params, x, y: 1 / 0, cases=10),
    }


def parsed(text):
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    return parser.parse(text)


@pytest.mark.parametrize("verdict", ["verified", "wrong", "crashed"])
def test_a_page_is_valid_and_stands_alone(reports, verdict):
    text = reports[verdict].to_html()
    tree = parsed(text)
    names = {element.tag for element in tree.iter() if isinstance(element.tag, str)}
    assert not names & {"script", "link", "img", "iframe", "object"}
    assert "http" not in text.replace("http://www.w3.org", "")
    assert "url(" not in text
    assert tree.find("head/title").text.startswith(verdict)
    ids = [element.get("id") for element in tree.iter() if element.get("id")]
    assert len(ids) == len(set(ids))


def headings(text):
    return ["".join(element.itertext()) for element in parsed(text).iter("h2")]


def test_a_failing_report_has_every_part(reports):
    text = reports["wrong"].to_html()
    assert headings(text) == [
        "What decided it",
        "The mistake",
        "The layers of a larger failing case",
        "The simplest failing case",
        "Reproduce it",
        "Entry by entry",
        "The worst entries, exactly",
        "Errors in units of the bound",
        "Errors in units of u",
        "Regimes",
        "Versions",
        "As text",
    ]
    assert "<math>" in text
    assert repr(reports["wrong"].findings[0].judgement.got) in text


def test_a_verified_report_has_every_part(reports):
    assert headings(reports["verified"].to_html()) == [
        "What decided it",
        "The layers of the case closest to its bounds",
        "Its network",
        "Entry by entry",
        "The worst entries, exactly",
        "Errors in units of the bound",
        "Errors in units of u",
        "Regimes",
        "Versions",
        "As text",
    ]


def test_a_crash_says_what_was_raised(reports):
    text = reports["crashed"].to_html()
    assert "ZeroDivisionError" in text
    assert "Reproduce it" in headings(text)


def test_a_layer_is_described_by_its_sizes_and_has_no_network():
    def doubled(dout, x):
        return 2 * dout * (x > 0)

    def relu(x):
        return jax.nn.relu(x)

    report = verify.check_backward(doubled, reference=relu, shapes={"x": "n d"}, cases=10)
    text = report.to_html()
    case = report.findings[0].case
    assert f"n = {dict(case.sizes)['n']}, d = {dict(case.sizes)['d']}, {case.dtype}" in text
    assert "The simplest failing case" not in headings(text)
    assert "Entry by entry" in headings(text)


def test_hostile_content_is_shown_and_not_run(reports):
    finding = reports["wrong"].findings[0]
    hostile = dataclasses.replace(
        reports["wrong"],
        target=HOSTILE,
        spec=HOSTILE,
        notes=(HOSTILE,),
        judged={HOSTILE: 1},
        findings=(
            dataclasses.replace(
                finding,
                detail=HOSTILE,
                diagnosis=HOSTILE,
                reproduce=HOSTILE,
                regimes={HOSTILE: (1, 2)},
                entries=tuple(dataclasses.replace(tensor, name=HOSTILE) for tensor in finding.entries),
            ),
        )
        * 2,
    )
    tree = parsed(hostile.to_html())
    assert not list(tree.iter("script"))
    shown = "".join(tree.itertext())
    assert shown.count(HOSTILE) >= 8
    labels = [element.get("aria-label") for element in tree.iter() if element.get("aria-label")]
    assert any(HOSTILE in label for label in labels)
    assert not any(name.startswith("on") for element in tree.iter() for name in element.attrib)


def test_an_error_message_of_a_target_is_escaped():
    def fails(params, x, y):
        raise ValueError(HOSTILE)

    report = verify.check(Target(fails, name=HOSTILE), cases=5, diagnose=False)
    for text in (report.to_html(), report._repr_html_(), report.findings[0]._repr_html_()):
        assert "<script" not in text
        assert "&lt;script&gt;" in text


def test_the_largest_report_is_small(reports):
    """A network of a million parameters, and one of thirty layers, every entry wrong."""
    rng = np.random.default_rng(0)
    for shapes in ([(1000, 1000), (1000,)], [(40, 40), (40,)] * 30):
        truth = [(rng.normal(size=shape), np.full(shape, 1e-12)) for shape in shapes]
        got = [
            value + rng.normal(size=value.shape) * 10.0 ** rng.integers(-15, 5, value.shape)
            for value, _ in truth
        ]
        entries = summarise_entries(judge(truth, got, "float64").entries)
        case = Case((1000,) * (len(shapes) // 2 + 1), 3)
        finding = dataclasses.replace(
            reports["wrong"].findings[0], entries=entries, case=case, larger=FindingExample(case, entries)
        )
        text = dataclasses.replace(reports["wrong"], findings=(finding,) * 4).to_html()
        parsed(text)
        assert len(text.encode()) < 1_000_000
        assert ("entries, the largest error shown" in text) or len(shapes) > 2


def test_without_jinja2_the_error_says_what_to_install(monkeypatch, reports):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    page.page_templates.cache_clear()
    with pytest.raises(ModuleNotFoundError, match=r"HTML needs Jinja2: pip install jinja2"):
        reports["verified"].to_html()
    assert reports["verified"]._repr_html_() is None
    page.page_templates.cache_clear()


def test_a_part_for_a_notebook_brings_its_style_and_no_page(reports):
    text = reports["wrong"]._repr_html_()
    assert text.startswith("<style>")
    assert "<body" not in text
    assert "<html" not in text
    html5lib.HTMLParser(strict=True).parseFragment(text)
