"""Words and numbers of the page."""

import math

import pytest

from verify.checks.html.words import certainty, count, exact, headline, places, power_of_ten, short
from verify.reference.judge import VERDICTS


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.25, "0.25"), (-2.0, "−2"), (1.234e-9, "1.23 × 10⁻⁹"), (1e-9, "10⁻⁹"), (-1e20, "−10²⁰"),
        (math.inf, "infinity"), (-math.inf, "minus infinity"), (math.nan, "not a number"),
    ],
)  # fmt: skip
def test_a_short_number(number, text):
    assert short(number) == text


def test_an_exact_number_reads_back_as_itself():
    assert float(exact(0.1 + 0.2)) == 0.1 + 0.2


def test_other_words():
    assert [power_of_ten(n) for n in (-12, 0, 1, 3)] == ["10⁻¹²", "1", "10", "10³"]
    assert count(1234567) == "1,234,567"
    assert places((1, 2)) == "[1, 2]"
    assert places(()) == ""


def test_every_verdict_has_words():
    for verdict in VERDICTS:
        assert headline({"verdict": verdict, "findings": ()})
        assert certainty(verdict)
    finding = {"verdict": "wrong", "entries": (), "detail": "the call changed x"}
    assert headline({"verdict": "wrong", "findings": (finding,)}) == "Wrong: the call changed x"
    finding = {"verdict": "wrong", "entries": (1,), "case": {"dtype": "float32"}}
    assert "rounded in float32" in headline({"verdict": "wrong", "findings": (finding,)})
