"""Verdicts, counts and numbers in words, as the page and the figures say them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = [
    "cases_in_words",
    "certainty_in_words",
    "count_in_words",
    "exact_in_words",
    "headline_in_words",
    "number_in_words",
    "place_in_words",
    "power_of_ten_in_words",
    "ratio_in_words",
]

_HEADLINES = {
    "verified": "Every entry of every case lies within its bound",
    "inconclusive": "Nothing is wrong, and nothing is proved",
    "imprecise": "Right in formula, and less precise than its bound",
    "wrong": "Wrong: the right formula, rounded in {dtype}, cannot give these numbers",
    "crashed": "It does not return a gradient",
}

_CERTAINTY = {
    "verified": "The bound of each entry is the worst that rounding can do to JAX's formula: derived, not chosen, and "
    "no probability. For the cases that were judged this is proof; that all other cases are right is what a sample of "
    "them suggests.",
    "inconclusive": "All entries lie within their bounds, but some of these bounds are too wide to show anything.",
    "imprecise": "An entry lies outside its bound, and its error shrinks when the same code runs at a higher "
    "precision: a rounding error does, a wrong formula does not.",
    "wrong": "One entry outside its bound is proof: the bound is the worst that rounding can do to JAX's formula, and "
    "the error does not shrink at a higher precision.",
    "crashed": "A call raised an error, or returned something that cannot be compared. That is seen, not inferred.",
}


_INTERRUPTED = {
    "verified": "Interrupted: every entry of the {judged} cases judged until then lies within its bound",
    "inconclusive": "Interrupted: nothing is wrong, and nothing is proved, in the {judged} cases judged until then",
}


def headline_in_words(report: Mapping[str, Any]) -> str:
    """The verdict as a sentence."""
    findings = report["findings"]
    first = findings[0] if findings else None
    if report["interrupted"] and not first:
        judged = sum(report["judged"].values())
        return (
            _INTERRUPTED[report["verdict"]].format(judged=count_in_words(judged))
            if judged
            else "Interrupted before the first case was judged"
        )
    if first and first["verdict"] == "wrong" and not first["entries"]:
        return "Wrong: " + str(first["detail"])
    return _HEADLINES[report["verdict"]].format(dtype=first["case"].get("dtype", "any way") if first else "")


def cases_in_words(report: Mapping[str, Any]) -> str:
    """The number of cases judged, of how many asked for, and how many more of practical size."""
    practical = report["judged"].get("practical", 0)
    judged = sum(report["judged"].values()) - practical
    words = f"{count_in_words(judged)} " + (
        "passed before one failed" if report["findings"] else f"of {count_in_words(report['cases'])} judged"
    )
    if report["failed"] is not None:
        judged_of, failed = count_in_words(report["cases"]), count_in_words(report["failed"])
        words = f"{count_in_words(judged)} of {judged_of} judged, {failed} failed"
    return words + (f", and {practical} of practical size" if practical else "")


def certainty_in_words(verdict: str) -> str:
    """Return what a verdict rests on, and how certain that makes it."""
    return _CERTAINTY[verdict]


def number_in_words(number: float, digits: int = 3) -> str:
    """A number for a label: 0.25, 1.2 × 10⁻⁹, infinity."""
    if math.isnan(number):
        return "not a number"
    if math.isinf(number):
        return "infinity" if number > 0 else "minus infinity"
    text = f"{number:.{digits}g}"
    mantissa, _, exponent = text.partition("e")
    if not exponent:
        return text.replace("-", "−")
    power = power_of_ten_in_words(int(exponent))
    sign = "−" if number < 0 else ""
    return sign + (power if mantissa.lstrip("-") == "1" else f"{mantissa.lstrip('-')} × {power}")


def ratio_in_words(number: float) -> str:
    """A number, as one over a whole number where it is that to a thousandth: 2, −1, 1/32."""
    over = 1 / number if number else math.inf
    if math.isfinite(over) and 1.5 < abs(over) < 1e6 and abs(over - round(over)) <= 1e-3 * abs(over):
        return f"{'−' if over < 0 else ''}1/{abs(round(over))}"
    return number_in_words(number)


def power_of_ten_in_words(exponent: int) -> str:
    """A power of ten: 10⁻⁶, and 1 for 10⁰."""
    if exponent == 0:
        return "1"
    if exponent == 1:
        return "10"
    return "10" + str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def exact_in_words(number: float) -> str:
    """A number to its last bit: the shortest text that reads back as it."""
    return repr(float(number))


def count_in_words(number: int) -> str:
    """A count with commas between its thousands: 1,234."""
    return f"{number:,}"


def place_in_words(index: Sequence[int]) -> str:
    """An index: [1, 2]; nothing for a number that is no array."""
    return f"[{', '.join(map(str, index))}]" if len(index) else ""
