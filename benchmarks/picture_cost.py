"""Measure what collecting the errors for a report's pictures costs: its fraction of a check's processor time.

OMP_NUM_THREADS=1 python benchmarks/picture_cost.py [runs]
"""

from __future__ import annotations

import sys
import time
from unittest import mock

import numpy as np

import verify
from mlp_ref import loss_and_gradient
from verify.oracle.error_histogram import ErrorCounter

CASES = 400


def right(params, x, y):
    """The gradient that is judged: a fast one, so that its own time does not make the fraction small."""
    return loss_and_gradient(params, x, y)[1]


def added_fraction() -> float:
    """Return the time that collecting added to one check, over the check without it: 0.01 is one percent."""
    spent = 0
    add, histograms = ErrorCounter.add, ErrorCounter.histograms

    def timed(function):
        def measured(*arguments):
            nonlocal spent
            start = time.thread_time_ns()
            result = function(*arguments)
            spent += time.thread_time_ns() - start
            return result

        return measured

    with (
        mock.patch.object(ErrorCounter, "add", timed(add)),
        mock.patch.object(ErrorCounter, "histograms", timed(histograms)),
    ):
        start = time.process_time_ns()
        report = verify.check(right, cases=CASES, xla=0, certified=0, false_alarm=0)
        whole = time.process_time_ns() - start
    assert report.ok
    return spent / (whole - spent)


def main() -> int:
    """Print the median and the quartiles over the runs; 1 where the median exceeds 2 percent."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    added_fraction()
    found = np.array([added_fraction() for _ in range(runs)])
    low, middle, high = np.quantile(found, [0.25, 0.5, 0.75])
    print(f"{CASES} cases, {runs} runs: collecting adds {middle:.2%} (quartiles {low:.2%} to {high:.2%})")
    return int(middle > 0.02)


if __name__ == "__main__":
    sys.exit(main())
