"""The search for mistakes that account for what was observed: one, two, or three of which one stands apart."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import combinations

from verify.diagnosis.evidence import Evidence
from verify.diagnosis.mistakes import CATALOGUE
from verify.diagnosis.mistakes.in_some_places import BY_LAYER, LAYERS, in_some_layers, in_some_rows
from verify.diagnosis.mistakes.mistake import Mistake, compatible
from verify.diagnosis.observation import observe
from verify.diagnosis.sketch import Sketch
from verify.evaluate.budget import Budget
from verify.reference.spec import OUTPUT_LOSSES, REDUCTIONS, Spec
from verify.reference.truth import GradientFunction

Mistakes = tuple[Mistake, ...]

SEPARATING = 12
"""Fresh cases, beyond the probes, on which hypotheses that survive together are told apart."""


def search_grammar(sketch: Sketch) -> Iterator[Mistakes]:
    """Mistakes of the catalogue with other parameters, solved for: another number, some layers, some rows alone."""
    entries = [mistake for mistake in CATALOGUE if mistake.counts(sketch.spec)]
    for mistake in entries:
        if mistake.usual and (mistake.state or sketch.may_be(mistake)):
            yield from ((solved,) for solved in sketch.solved(mistake))
    for places in LAYERS:
        for mistake in entries:
            if mistake.pieces and not mistake.state and mistake.pieces.keys() <= BY_LAYER:
                somewhere = in_some_layers(mistake, places)
                yield from ((variant,) for variant in somewhere.variants)
                if mistake.usual and sketch.may_be(somewhere):
                    yield from ((solved,) for solved in sketch.solved(somewhere))
    for mistake in entries:
        for variant in [mistake] if mistake.of_rows else mistake.variants[:3]:
            yield from ((in_some_rows(variant, rows),) for rows in sketch.rows(variant))


def search_other_losses(evidence: Evidence, budget: Budget) -> Iterator[tuple[Spec, list[Mistakes]]]:
    """Other losses of the same network with a mistake, where the two account for everything together."""
    declared = evidence.spec
    others = [
        replace(declared, output=output, loss=loss, reduction=reduction)
        for output, loss in OUTPUT_LOSSES
        for reduction in REDUCTIONS
        if (output, loss, reduction) != (declared.output, declared.loss, declared.reduction)
    ]
    views = [Evidence(other, evidence.observations) for other in others]
    if any(Sketch(view).near(()) and view.explains(()) for view in views):
        return  # the loss accounts for all of it: `recognise` says so
    for view in views:
        if not budget.spent and (found := surviving_mistakes(view, search_singles(view.spec), budget)):
            yield view.spec, found


def search_singles(spec: Spec) -> list[Mistakes]:
    """Every mistake that is one for a Spec, with each of its constants."""
    return [(variant,) for mistake in CATALOGUE if mistake.counts(spec) for variant in mistake.variants]


def search_pairs(spec: Spec, without: str = "") -> Iterator[Mistakes]:
    """Two mistakes at once; ``without`` leaves out those that replace a piece."""
    entries = [mistake for (mistake,) in search_singles(spec) if without not in mistake.touched]
    return ((a, b) for a, b in combinations(entries, 2) if compatible(a, b))


def search_triples(evidence: Evidence, budget: Budget) -> list[Mistakes]:
    """Two mistakes that account for one kind of tensor, with a third in the other kind alone."""
    found = []
    sketch = Sketch(evidence)
    for piece, others in (("bias", (0,)), ("weight", (1,))):
        thirds = [mistake for (mistake,) in search_singles(evidence.spec) if mistake.touched == {piece}]
        for pair in _within(budget, search_pairs(evidence.spec, without=piece)):
            # A memory is a matter of the whole gradient: it cannot account for one kind of tensor.
            if any(mistake.state for mistake in pair) or not sketch.near(pair, others):
                continue
            if evidence.explains(pair, others):
                found += surviving_mistakes(evidence, ((*pair, third) for third in thirds), budget)
    return found


def surviving_mistakes(evidence: Evidence, hypotheses: Iterable[Mistakes], budget: Budget) -> list[Mistakes]:
    """The hypotheses that account for everything observed, and predict somewhere what the right gradient cannot be."""
    sketch = Sketch(evidence)
    return [
        mistakes
        for mistakes in _within(budget, hypotheses)
        if sketch.near(mistakes) and evidence.explains(mistakes) and evidence.proves(mistakes)
    ]


def first_surviving_mistakes(
    evidence: Evidence,
    hypotheses: Iterable[Mistakes],
    budget: Budget,
    gradient: Callable[[], GradientFunction],
) -> list[Mistakes]:
    """The first hypothesis that survives, alone; hypotheses are ordered, the simple ones first."""
    sketch = Sketch(evidence)
    case = evidence.observations[0].case
    for mistakes in _within(budget, hypotheses):
        if sketch.near(mistakes) and evidence.explains(mistakes) and evidence.proves(mistakes):
            if any("row" in mistake.where for mistake in mistakes):  # which they are in larger batches too
                square = replace(case, layer_sizes=(15,) * len(case.layer_sizes), batch=13)
                longer = Evidence(
                    evidence.spec,
                    [observe(gradient(), square), observe(gradient(), replace(case, batch=12))],
                )
                if not longer.explains(mistakes):
                    continue
            return [mistakes]
    return []


def _within(budget: Budget, hypotheses: Iterable[Mistakes]) -> Iterator[Mistakes]:
    return itertools.takewhile(lambda _: not budget.spent, hypotheses)


def separate_mistakes(
    gradient: Callable[[], GradientFunction], evidence: Evidence, surviving: list[Mistakes]
) -> list[Mistakes]:
    """Keep the survivors that also account for fresh cases; ``gradient()`` returns a function without memories."""
    for seed in range(1, SEPARATING + 1):
        if len(surviving) < 2:
            break
        case = evidence.observations[seed % len(evidence.observations)].case
        # Other widths each time, so that a function that remembers has nothing to remember.
        sizes = tuple(n + 2 * (seed % 3) + 14 for n in case.layer_sizes)
        fresh = Evidence(evidence.spec, [observe(gradient(), replace(case, layer_sizes=sizes, seed=seed))])
        surviving = [mistakes for mistakes in surviving if fresh.explains(mistakes)]
    return surviving
