"""Mistakes of the catalogue moved to a layer, to rows, or to a number drawn at random: are they caught, and named."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from verify.case.case import LABELS, Case
from verify.commands.mistakes.score import CONFIGURATIONS, cases_until_caught
from verify.diagnosis.diagnose import Diagnosis, explain
from verify.diagnosis.evidence import Evidence
from verify.diagnosis.mistakes import CATALOGUE, Mistake, wrong_gradient
from verify.diagnosis.mistakes.in_some_places import (
    BY_LAYER,
    BY_ROW,
    chosen_places,
    in_some_layers,
    in_some_rows,
)
from verify.diagnosis.observation import observe
from verify.reference.spec import Spec

INTEGERS = {"rows_misaligned": (1, 6), "labels_off_by_one": (1, 6), "rounded_gradient": (2, 9)}
"""Mistakes whose constant is an integer, and between which two it is drawn."""

_FRESH = (((5, 6, 7, 6, 4), 11), ((6, 6, 6, 6), 8), ((4, 3), 12), ((5, 7, 3), 1), ((8, 3, 5, 4), 6))


@dataclass(frozen=True)
class MovedMistake:
    """A move: the outcome for one moved mistake.

    Attributes
    ----------
    name, spec
        The mistake in the catalogue, and what it should have been the gradient of.
    kind, to
        ``layer``, ``rows`` or ``constant``; and which.
    after
        How many cases it took to catch it; 0 where it was not caught.
    diagnosed
        What the diagnosis named, with its parameters.
    named
        Whether that was named, and makes the same gradient on fresh cases, within the bounds.
    misnamed
        Whether something was named that does not make the same gradient there.
    seconds
        How long the diagnosis took.
    """

    name: str
    spec: str
    kind: str
    to: str
    after: int
    diagnosed: str
    named: bool
    misnamed: bool
    seconds: float


def moved_mistakes(n: int, seed: int) -> Iterator[tuple[Spec, Mistake, str]]:
    """Draw n mistakes of the catalogue at random, each moved in one of the ways that it can be."""
    rng = np.random.default_rng(seed)
    possible = [
        (spec, mistake, kind)
        for spec in CONFIGURATIONS
        for mistake in CATALOGUE
        if mistake.counts(spec)
        for kind in _kinds(mistake)
    ]
    for i in rng.permutation(len(possible))[:n]:
        spec, mistake, kind = possible[i]
        yield spec, _moved(mistake, kind, rng), kind


def _kinds(mistake: Mistake) -> list[str]:
    kinds = ["constant"] if mistake.usual else []
    if mistake.state is None and mistake.pieces:
        kinds += ["layer"] if mistake.pieces.keys() <= BY_LAYER else []
        kinds += ["rows"] if mistake.of_rows or mistake.pieces.keys() <= BY_ROW else []
    return kinds


def _moved(mistake: Mistake, kind: str, rng: np.random.Generator) -> Mistake:
    if kind == "constant":
        if mistake.name in INTEGERS:
            return mistake.with_constant(float(rng.integers(*INTEGERS[mistake.name])))
        usual = mistake.usual[rng.integers(len(mistake.usual))]
        return mistake.with_constant(float(usual * 10 ** rng.uniform(-0.4, 0.4)))
    variant = mistake.variants[0]
    if kind == "layer":
        places = chosen_places(
            [int(rng.integers(3))], "layer", end=bool(rng.integers(2)), others=bool(rng.integers(2))
        )
        return in_some_layers(variant, places)
    rows = [int(r) for r in rng.permutation(7)[: rng.integers(1, 7)]]
    return in_some_rows(
        variant, chosen_places(rows, "row", end=bool(rng.integers(2)), others=bool(rng.integers(2)))
    )


def score_moved_mistake(
    spec: Spec, mistake: Mistake, kind: str, *, cases: int = 500, seed: int = 0
) -> MovedMistake:
    """Let the oracle search for, and explain, a gradient with a moved mistake in it."""
    after, _, _ = cases_until_caught(spec, mistake, cases=cases, seed=seed)
    start = time.perf_counter()
    found = explain(wrong_gradient(spec, mistake), spec)
    seconds = time.perf_counter() - start
    drawn = mistake.name == "weight_random"  # no two calls of it are alike
    same = bool(found.mistakes) and (
        found.mistakes == (mistake.name,) if drawn else _same(spec, mistake, found)
    )
    to = f"{mistake.constant:.6g}" if kind == "constant" else mistake.where
    return MovedMistake(
        mistake.name,
        str(spec),
        kind,
        to,
        after,
        " and ".join(_said(m) for m in found.found),
        same,
        bool(found.mistakes) and not same,
        seconds,
    )


def _said(mistake: Mistake) -> str:
    said = [] if mistake.constant is None else [f"{mistake.constant:.6g}"]
    said += [mistake.where] if mistake.where else []
    return mistake.name + (f" ({', '.join(said)})" if said else "")


def _same(spec: Spec, mistake: Mistake, found: Diagnosis) -> bool:
    """Tell whether what was found makes, on cases that no diagnosis looks at, the gradient that was to be explained."""
    cases = [
        Case(sizes, batch, labels=LABELS[spec.targets][i % 2], seed=77 + i)
        for i, (sizes, batch) in enumerate(_FRESH)
    ]
    gradient = wrong_gradient(spec, mistake)
    fresh = Evidence(found.spec or spec, [observe(gradient, case) for case in cases])
    return fresh.explains(found.found)
