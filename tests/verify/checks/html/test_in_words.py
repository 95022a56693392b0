"""Words and numbers of the page."""

import math

import pytest

from verify.checks.html.in_words import (
    cases_in_words,
    certainty_in_words,
    count_in_words,
    exact_in_words,
    headline_in_words,
    number_in_words,
    place_in_words,
    power_of_ten_in_words,
    ratio_in_words,
)
from verify.reference.judge import VERDICTS


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.25, "0.25"), (-2.0, "−2"), (1.234e-9, "1.23 × 10⁻⁹"), (1e-9, "10⁻⁹"), (-1e20, "−10²⁰"),
        (math.inf, "infinity"), (-math.inf, "minus infinity"), (math.nan, "not a number"),
    ],
)  # fmt: skip
def test_a_short_number(number, text):
    assert number_in_words(number) == text


def test_an_exact_number_reads_back_as_itself():
    assert float(exact_in_words(0.1 + 0.2)) == 0.1 + 0.2


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (2.0, "2"),
        (-1.0, "−1"),
        (1 / 32, "1/32"),
        (-0.33333, "−1/3"),
        (0.4, "0.4"),
        (0.03, "0.03"),
        (0.0, "0"),
    ],
)
def test_a_ratio_is_one_over_a_whole_number_where_it_is_that(number, text):
    assert ratio_in_words(number) == text


def report(verdict="verified", findings=(), interrupted=False, judged=(("ordinary", 5),), failed=None):
    return {
        "verdict": verdict,
        "findings": findings,
        "interrupted": interrupted,
        "judged": dict(judged),
        "cases": 1000,
        "failed": failed,
    }


def test_an_interrupted_run_claims_no_more_than_it_saw():
    assert headline_in_words(report(interrupted=True)).startswith("Interrupted: every entry of the 5 cases")
    assert headline_in_words(report("inconclusive", interrupted=True)).startswith(
        "Interrupted: nothing is wrong"
    )
    assert (
        headline_in_words(report("inconclusive", interrupted=True, judged=()))
        == "Interrupted before the first case was judged"
    )


def test_cases_of_practical_size_are_counted_apart():
    judged = (("ordinary", 1000), ("practical", 4))
    assert cases_in_words(report(judged=judged)) == "1,000 of 1,000 judged, and 4 of practical size"
    assert cases_in_words(report("wrong", findings=(1,))) == "5 passed before one failed"
    assert cases_in_words(report("wrong", failed=2)) == "5 of 1,000 judged, 2 failed"


def test_other_words():
    assert [power_of_ten_in_words(n) for n in (-12, 0, 1, 3)] == ["10⁻¹²", "1", "10", "10³"]
    assert count_in_words(1234567) == "1,234,567"
    assert place_in_words((1, 2)) == "[1, 2]"
    assert place_in_words(()) == ""


def test_every_verdict_has_words():
    for verdict in VERDICTS:
        assert headline_in_words(report(verdict))
        assert certainty_in_words(verdict)
    finding = {"verdict": "wrong", "entries": (), "detail": "the call changed x"}
    assert headline_in_words(report("wrong", (finding,))) == "Wrong: the call changed x"
    finding = {"verdict": "wrong", "entries": (1,), "case": {"dtype": "float32"}}
    assert "rounded in float32" in headline_in_words(report("wrong", (finding,)))
