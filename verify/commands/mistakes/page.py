"""The catalogue as a page in Markdown, with what a run of ``python -m verify mistakes`` measured."""

from __future__ import annotations

from typing import Any

from verify.diagnosis.mistakes import CATALOGUE

_HEAD = """\
# A catalogue of wrong gradients

{count} ways to get the gradient of a multilayer perceptron wrong, each with the wrong formula beside the right one.
Each is a function too: `verify.mistakes.wrong_gradient(spec, mistake)` makes the mistake in a plain
backpropagation. As mutants, they measure what the oracle sees; as hypotheses with error bounds, they explain a
gradient that fails (`verify.explain`). Mistakes that replace different pieces of the backpropagation can be made
together.

In the formulas, rows are samples; `z` goes into an activation and `a` comes out of it; `p` are the outputs, `y` the
targets; `dp`, `dz`, `da` are derivatives of the loss. "Behind the learning rate" is a factor that a smaller or larger
rate makes up for.

This page is written by `python -m verify mistakes --others --pairs 500 --page docs/mistakes.md`.
"""


def mistakes_page(results: dict[str, Any]) -> str:
    """The page of the mistakes, with the figures of a run: what ``python -m verify mistakes --json`` writes."""
    missed = {
        row["mistake"]: [name for name, seen in row.items() if seen is False]
        for row in results.get("others", [])
    }
    after: dict[str, int] = {}
    for row in results.get("singles", []):
        if not row["equivalent"]:
            (name,) = row["mistakes"]
            after[name] = max(after.get(name, 0), row["after"])
    lines = [_HEAD.format(count=len(CATALOGUE)), *_figures(results)]
    for family in dict.fromkeys(mistake.family for mistake in CATALOGUE):
        lines += [
            f"\n## {family.capitalize()}\n",
            "| name | wrong | right | how it comes about | where it hides | cases needed | missed by |",
            "| --- | --- | --- | --- | --- | --- | --- |",
        ]
        for m in (m for m in CATALOGUE if m.family == family):
            needed = str(after.get(m.name, "")) or "-"
            unseen = ", ".join(missed.get(m.name, [])) or "-"
            cells = (f"`{m.name}`", f"`{m.wrong}`", f"`{m.right}`", m.story, m.hides, needed, unseen)
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _figures(results: dict[str, Any]) -> list[str]:
    """Return what the run measured, in sentences."""
    lines = ["## Measured\n"]
    singles = [row for row in results.get("singles", []) if not row["equivalent"]]
    specs = list(dict.fromkeys(row["spec"] for row in singles))
    for title, rows in (("Mistakes", singles), ("Pairs of two families", results.get("pairs", []))):
        if rows:
            n, caught = len(rows), sum(row["caught"] for row in rows)
            named, misnamed = sum(row["named"] for row in rows), sum(row["misnamed"] for row in rows)
            most = max(row["after"] for row in rows)
            lines.append(
                f"- {title}: {caught} of {n} caught, after {most} cases at most; {named} named by the diagnosis; "
                f"{misnamed} named as something that was not there."
            )
    lines.append(f"- Configurations: {'; '.join(specs)}. A mistake counts once in each where it is one.")
    others = [row for row in results.get("others", []) if row["mistake"]]
    if others:
        counts = ", ".join(
            f"{name} {sum(row[name] for row in others)}" for name in others[0] if name != "mistake"
        )
        lines.append(
            f"- Other criteria, on 20 cases of the oracle's in the first configuration, out of {len(others)}: "
            f"{counts}. The last column of the tables says which of them missed it there."
        )
    lines.append('- "Cases needed" is the most that the search took to catch it, over the configurations.')
    return lines
