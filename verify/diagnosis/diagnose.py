"""Explaining a wrong gradient: which mistakes of the catalogue account for every entry that was observed.

A hypothesis is a mistake, or two that replace different pieces of a backpropagation. It carries its own error bounds
and is refuted by one entry outside them; so what is named has been proved, and what cannot be proved is not named.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from verify.case.case import DTYPES
from verify.checks.finding import Finding
from verify.checks.html.page import html_part
from verify.checks.table import CHECKS
from verify.diagnosis import mistake_search
from verify.diagnosis.evidence import Evidence
from verify.diagnosis.localise import localise, localise_tensors
from verify.diagnosis.mistakes import CATALOGUE, Mistake, formulas
from verify.diagnosis.observation import observe, observed_cases
from verify.diagnosis.random_feedback import random_feedback
from verify.diagnosis.sketch import Sketch
from verify.evaluate.budget import Budget
from verify.reference.judge import VERDICTS
from verify.reference.spec import Spec
from verify.reference.truth import GradientFunction, SpecLike
from verify.subject.load import as_target
from verify.subject.target import Target


@dataclass(frozen=True)
class Diagnosis:
    """The explanation of a wrong gradient.

    Attributes
    ----------
    mistakes
        Names from the catalogue: of the mistakes that together account for everything that was observed. Empty
        where nothing is wrong, or where no mistake of the catalogue, nor two of them, account for it.
    alternatives
        Other sets of names that account for all of it too.
    text
        The same for a person: formulas side by side, and the line of reasoning.
    unobserved
        Whether there was nothing to compare: every call raised, or the loss is not one of a Spec.
    found
        The mistakes themselves, with their numbers, layers and rows.
    spec
        What it is the gradient of but for these mistakes; None where there are none.
    """

    mistakes: tuple[str, ...] = ()
    alternatives: tuple[tuple[str, ...], ...] = ()
    text: str = ""
    unobserved: bool = False
    found: tuple[Mistake, ...] = ()
    spec: Spec | None = None

    def __str__(self) -> str:
        return self.text or "nothing wrong was observed"

    def _repr_html_(self) -> str | None:
        """The diagnosis for a notebook; None, so that it shows text, where Jinja2 is not installed."""
        plain = {"mistakes": self.mistakes, "diagnosis": str(self)}
        return html_part("diagnosis", diagnosis=plain, mistakes=formulas(self.mistakes))

    def _repr_pretty_(self, printer: Any, _: bool) -> None:
        """The text for a notebook that shows no HTML, and for IPython."""
        printer.text(str(self))


def explain(
    gradient: GradientFunction | Target,
    spec: SpecLike | None = None,
    *,
    labels: str | None = None,
    pairs: bool = True,
    seconds: float = math.inf,
) -> Diagnosis:
    """Find the mistakes that account for a wrong gradient, entry by entry.

    Parameters
    ----------
    gradient
        ``gradient(params, x, y) -> [(dweight, dbias), ...]``, or a Target, as for `verify.check`.
    spec
        What it should be the gradient of; as for `verify.check`.
    labels
        The form of y; as for `verify.check`.
    pairs
        Whether to look for several mistakes at once where one alone does not account for it: two, or a third
        in the biases or the weights alone.
    seconds
        How long it may take. What was not tried by then is said; a call that is under way is not broken off.

    Returns
    -------
    Diagnosis
        Without mistakes and without text where the gradient is right on every case observed.
    """
    target = as_target(gradient, spec=spec)
    spec = target.judged_as(spec)
    if not isinstance(spec, Spec):
        return Diagnosis(
            text="no diagnosis: the catalogue is for a Spec, not for a loss of yours", unobserved=True
        )
    if spec.weighted:
        return Diagnosis(text="no diagnosis: the catalogue is for rows without weights", unobserved=True)
    budget = Budget(seconds)
    evidence = _evidence(target, spec, labels or target.labels, budget.stage(seconds / 2))
    if evidence is None:
        return Diagnosis(
            text="no diagnosis: no call returned a gradient that could be compared", unobserved=True
        )
    if evidence.explains(()):
        return Diagnosis()
    survivors = mistake_search.surviving_mistakes(evidence, mistake_search.search_singles(spec), budget)
    if not survivors and random_feedback(_shared(target), evidence):
        survivors = [(_named("weight_random"),)]
    if not survivors:
        survivors = mistake_search.first_surviving_mistakes(
            evidence, mistake_search.search_grammar(Sketch(evidence)), budget, lambda: _shared(target)
        )
    if not survivors and pairs:
        survivors = mistake_search.surviving_mistakes(evidence, mistake_search.search_pairs(spec), budget)
    if not survivors and pairs:
        survivors = mistake_search.search_triples(evidence, budget)
    if not survivors and pairs:
        for other, found in mistake_search.search_other_losses(evidence, budget):
            view = Evidence(other, evidence.observations)
            found = mistake_search.separate_mistakes(lambda: _shared(target), view, found)
            return _diagnosis(view, found, declared=spec)
    survivors = mistake_search.separate_mistakes(lambda: _shared(target), evidence, survivors)
    if not survivors:
        tried = "alone or in pairs" if pairs else "alone"
        if budget.spent:
            tried += f", as far as tried in {max(seconds, 0.0):.1f} s"
        return Diagnosis(text=localise(evidence, tried))
    return _diagnosis(evidence, survivors)


def _diagnosis(
    evidence: Evidence, survivors: list[tuple[Mistake, ...]], declared: Spec | None = None
) -> Diagnosis:
    names = list(dict.fromkeys(tuple(m.name for m in mistakes) for mistakes in survivors))
    text = _text(evidence, survivors)
    if declared is not None:
        text = f"as the gradient of {evidence.spec} (you declared {declared}):\n{text}"
    return Diagnosis(names[0], tuple(names[1:]), text, found=tuple(survivors[0]), spec=evidence.spec)


def _shared(target: Target) -> GradientFunction:
    """A gradient function whose calls share one network: state is part of what is to be explained."""
    return target.session() if target.session else target.gradient


def _evidence(target: Target, spec: Spec, labels: str, budget: Budget) -> Evidence | None:
    """Return what the target does, in the first of its dtypes in which it returns anything; None if in none.

    Formats of 16 bits tell too little to explain anything by.

    A gradient that is slow is observed on fewer cases: once the budget is spent, on no more.
    """
    for dtype in [dtype for dtype in target.dtypes or () if dtype in DTYPES] or DTYPES:
        first, *others = observed_cases(spec, dtype, labels, target.layers)
        observations = [observe(_shared(target), first)]
        observations += [observe(_shared(target), case) for case in others if not budget.spent]
        if any(seen.returned is not None for o in observations for seen in o.seen):
            return Evidence(spec, observations)
    return None


def with_diagnosis(
    findings: Sequence[Finding],
    target: Target,
    spec: SpecLike,
    labels: str | None = None,
    budget: Budget | None = None,
) -> list[Finding]:
    """Findings of a check, the worst of those about the gradient with what explains it.

    What a finding says already stays, first; a mere localisation is not added to it.
    """
    findings = list(findings)
    about = [i for i, f in enumerate(findings) if CHECKS[f.check].of_gradient]
    if not about or not isinstance(target.judged_as(spec), Spec):
        return findings
    worst = max(about, key=lambda i: VERDICTS.index(findings[i].verdict.replace("crashed", "wrong")))
    found = explain(target, spec, labels=labels, seconds=budget.left if budget else math.inf)
    said = findings[worst].diagnosis
    if found.mistakes or not (said or found.unobserved):
        text = "\n".join(part for part in (said, found.text) if part)
        findings[worst] = replace(findings[worst], diagnosis=text, mistakes=found.mistakes)
    return findings


def _named(name: str) -> Mistake:
    return next(mistake for mistake in CATALOGUE if mistake.name == name)


# --- what a person reads


def _text(evidence: Evidence, survivors: list[tuple[Mistake, ...]]) -> str:
    lines: list[str] = []
    for number, mistakes in enumerate(survivors):
        if number:
            lines.append("or, the same numbers on every case tried:")
        for mistake in mistakes:
            lines += [
                f"mistake: {mistake.name} ({mistake.family})",
                f"  yours  {mistake.wrong}{_parameters(mistake)}",
                f"  right  {mistake.right}",
                f"  {mistake.story}; hidden: {mistake.hides}",
            ]
    lines.append("proof: " + _reasoning(evidence, survivors[0]))
    return "\n".join(textwrap.fill(line, 96, subsequent_indent="    ") for line in lines)


def _parameters(mistake: Mistake) -> str:
    """Return which constant, layers and rows it is, where there are several."""
    said = [] if mistake.constant is None else [f"with {mistake.constant:.12g}"]
    said += [f"in {mistake.where}"] if mistake.where else []
    return f"   ({', '.join(said)})" if said else ""


def _reasoning(evidence: Evidence, mistakes: tuple[Mistake, ...]) -> str:
    names = " and ".join(mistake.name for mistake in mistakes)
    if names == "weight_random":
        proof = "below it the gradient is that of some B, another at each call"
    else:
        calls = sum(len(observation.seen) for observation in evidence.observations)
        proof = f"{names} gives every entry of {calls} calls, within its bound"
    return f"{localise_tensors(evidence)}; {proof}"
