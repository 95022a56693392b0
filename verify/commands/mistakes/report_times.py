"""The time of a whole report on a wrong gradient, from the search to the diagnosis."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from verify.commands.mistakes.score import CONFIGURATIONS
from verify.diagnosis.mistakes import CATALOGUE, wrong_gradient
from verify.oracle.check import check


class _Took(NamedTuple):
    """A report on a wrong gradient: which, the verdict, its seconds, and how many of them the processor worked."""

    mistake: str
    spec: str
    verdict: str
    seconds: float
    processor: float


def report_times(n: int, seed: int, cases: int) -> Iterator[_Took]:
    """Whole reports on n mistakes of the catalogue, drawn at random: all of them where n is as many or more."""
    possible = [(spec, mistake) for spec in CONFIGURATIONS for mistake in CATALOGUE if mistake.counts(spec)]
    for i in np.random.default_rng(seed).permutation(len(possible))[:n]:
        spec, mistake = possible[i]
        start, before = time.perf_counter(), time.process_time()
        report = check(wrong_gradient(spec, mistake), spec, cases=cases, seed=seed)
        seconds, processor = time.perf_counter() - start, time.process_time() - before
        yield _Took(mistake.name, str(spec), report.verdict, seconds, processor)
