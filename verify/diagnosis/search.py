"""The search for mistakes that account for what was observed: one, two, or three of which one stands apart."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import combinations

from verify.diagnosis.hypothesis import Witness
from verify.diagnosis.mistakes import CATALOGUE
from verify.diagnosis.mistakes.mistake import Mistake, compatible
from verify.diagnosis.observation import observed
from verify.reference.spec import Spec
from verify.reference.truth import GradientFunction

Mistakes = tuple[Mistake, ...]

SEPARATING = 12
"""Fresh cases, beyond the probes, on which hypotheses that survive together are told apart."""


def singles(spec: Spec) -> list[Mistakes]:
    """Every mistake that is one for a Spec, with each of its constants."""
    return [(variant,) for mistake in CATALOGUE if mistake.counts(spec) for variant in mistake.variants]


def pairs(spec: Spec, without: str = "") -> Iterator[Mistakes]:
    """Two mistakes at once; ``without`` leaves out those that replace a piece."""
    entries = [mistake for (mistake,) in singles(spec) if without not in mistake.touched]
    return ((a, b) for a, b in combinations(entries, 2) if compatible(a, b))


def triples(witness: Witness) -> list[Mistakes]:
    """Two mistakes that account for one kind of tensor, with a third in the other kind alone."""
    found = []
    for piece, others in (("bias", (0,)), ("weight", (1,))):
        thirds = [mistake for (mistake,) in singles(witness.spec) if mistake.touched == {piece}]
        for pair in pairs(witness.spec, without=piece):
            # A memory is a matter of the whole gradient: it cannot account for one kind of tensor.
            if not any(mistake.state for mistake in pair) and witness.explains(pair, others):
                found += survivors(witness, ((*pair, third) for third in thirds))
    return found


def survivors(witness: Witness, hypotheses: Iterable[Mistakes]) -> list[Mistakes]:
    """The hypotheses that account for everything observed, and predict somewhere what the right gradient cannot be."""
    return [mistakes for mistakes in hypotheses if witness.explains(mistakes) and witness.proves(mistakes)]


def separated(
    gradient: Callable[[], GradientFunction], witness: Witness, surviving: list[Mistakes]
) -> list[Mistakes]:
    """Of several survivors, those that also account for fresh cases; ``gradient()`` is a function without memories."""
    for seed in range(1, SEPARATING + 1):
        if len(surviving) < 2:
            break
        case = witness.observations[seed % len(witness.observations)].case
        # Other widths each time, so that a function that remembers has nothing to remember.
        sizes = tuple(n + 2 * (seed % 3) + 14 for n in case.layer_sizes)
        fresh = Witness(witness.spec, [observed(gradient(), replace(case, layer_sizes=sizes, seed=seed))])
        surviving = [mistakes for mistakes in surviving if fresh.explains(mistakes)]
    return surviving
