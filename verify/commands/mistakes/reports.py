"""The time of a whole report on a wrong gradient, from the search to the diagnosis."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from verify.commands.mistakes.score import CONFIGURATIONS
from verify.diagnosis.mistakes import CATALOGUE, wrong_gradient
from verify.oracle.check import check


def reports(n: int, seed: int, cases: int) -> Iterator[tuple[str, str, str, float]]:
    """For n mistakes of the catalogue, drawn at random: name, spec, verdict, and the seconds of a report."""
    possible = [(spec, mistake) for spec in CONFIGURATIONS for mistake in CATALOGUE if mistake.counts(spec)]
    for i in np.random.default_rng(seed).permutation(len(possible))[:n]:
        spec, mistake = possible[i]
        start = time.perf_counter()
        report = check(wrong_gradient(spec, mistake), spec, cases=cases, seed=seed)
        yield mistake.name, str(spec), report.verdict, time.perf_counter() - start
