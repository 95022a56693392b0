"""Formulas as MathML."""

import pytest

from verify.checks.html.mathml import formula_as_mathml
from verify.diagnosis.mistakes import CATALOGUE


def plain(formula):
    """The MathML without what only structures it."""
    text = str(formula_as_mathml(formula))
    for tag in ("mi", "mn", "mo", "mrow"):
        text = text.replace(f"<{tag}>", "").replace(f"</{tag}>", "")
    return text.removeprefix("<math>").removesuffix("</math>")


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("dz = da", "dz=da"),
        ("dz = p - y", "dz=p−y"),
        ("dz = 2 * (p - y)", "dz=2⋅(p−y)"),
        ("dz = a - (b - c)", "dz=a−(b−c)"),
        ("dz = (p - y)**2", "dz=<msup>(p−y)2</msup>"),
        ("dz / batch", "<mfrac>dzbatch</mfrac>"),
        ("da = dz @ weight.T", 'da=dz<mspace width="0.3em" /><msup>weightT</msup>'),
        ("dz = da * f'(z)", "dz=da⋅<msup>f′</msup>(z)"),
        ("dbias = dz.sum(axis=0)", "dbias=<munder>∑rows</munder>dz"),
        ("dbias = dz.mean(axis=1)", "dbias=<munder>meancolumns</munder>dz"),
        ("dz = abs(dz)", "dz=|dz|"),
        ("dz / sqrt(batch)", "<mfrac>dz<msqrt>batch</msqrt></mfrac>"),
        ("dbias = dz[0]", "dbias=<msub>dz0</msub>"),
        ("dz = da * (z > 0)", "dz=da⋅(z&gt;0)"),
        ("gradient += new", "gradient+=new"),
        ("dz = -dz, from y - p", "dz=−dz</math><span>, from y - p</span>"),
        (
            "dz = p * (dp - sum_k dp_k p_k)",
            "dz=p⋅(dp−<munder>∑k</munder><msub>dpk</msub>⋅<msub>pk</msub>)",
        ),
    ],
)
def test_a_formula_is_typeset(formula, expected):
    assert plain(formula) == expected


@pytest.mark.parametrize("words", ["y left as it was", "dz undivided", "f(x, a=1)", "x = max(x", ""])
def test_what_is_no_formula_stays_as_it_is(words):
    assert str(formula_as_mathml(words)) == f"<code>{words}</code>"


def test_nothing_in_a_formula_is_run():
    assert "<script" not in str(formula_as_mathml("<script>alert(1)</script>"))
    assert "<script" not in str(formula_as_mathml("x = 1, <script>alert(1)</script>"))
    assert "<script" not in str(formula_as_mathml("x = '<script>alert(1)</script>'"))


def test_half_of_the_catalogue_is_formulas():
    formulas = {formula for mistake in CATALOGUE for formula in (mistake.wrong, mistake.right)}
    typeset_ones = [formula for formula in formulas if str(formula_as_mathml(formula)).startswith("<math")]
    assert len(typeset_ones) > len(formulas) / 2
