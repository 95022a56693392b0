"""Judge the weighted, penalised gradients of `mlp_ref` on very many cases, and count false alarms.

    python benchmarks/weighted_evidence.py [--cases 100000]

Every combination of activation and loss, each with and without an L2 penalty, gets an equal part of the cases: random
networks of every regime in float64 and float32, with a weight for each row, a quarter of them 0. Any case that is not
verified or inconclusive is a false alarm, since the gradients are right. Then two mistakes are judged, which must be
found: weights that are ignored, and weights that are divided by their sum.

Exit status 1 if there is a false alarm, or a mistake is not found.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from typing import Any

import mlp_ref
import verify
from verify.subject import mlp_ref_targets


def ignored(params: Any, x: Any, y: Any, sample_weight: Any) -> Any:  # noqa: ARG001
    """Return the gradient without the weights."""
    return mlp_ref.loss_and_gradient(params, x, y)[1]


def normalised(params: Any, x: Any, y: Any, sample_weight: Any) -> Any:
    """Return the gradient of the mean that is divided by the sum of the weights."""
    shares = sample_weight * x.dtype.type(len(x) / sample_weight.sum())
    return mlp_ref.loss_and_gradient(params, x, y, sample_weight=shares)[1]


def main() -> int:
    """Judge, print, and return the exit status."""
    parser = argparse.ArgumentParser(description="False alarms of the oracle on weighted gradients.")
    parser.add_argument("--cases", type=int, default=100_000, help="(default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="(default: %(default)s)")
    options = parser.parse_args()
    networks = [(*network, l2) for network in mlp_ref_targets.SPECS for l2 in (0.0, 0.3)]
    judged: Counter[str] = Counter()
    alarms, vague, closest, started = 0, 0, 0.0, time.perf_counter()
    for i, (hidden, loss, l2) in enumerate(networks):
        share = options.cases * (i + 1) // len(networks) - options.cases * i // len(networks)
        target, spec = mlp_ref_targets.weighted_target(hidden, loss, l2)
        report = verify.check(target, spec, cases=share, seed=options.seed, diagnose=False)
        judged.update(report.judged)
        alarms += len(report.findings)
        vague += sum(report.inconclusive.values())
        closest = max(closest, *report.closest.values())
        print(f"{target.name:52}{sum(report.judged.values()):8} cases   {report.verdict}", flush=True)
        if not report.ok:
            print(report)
    seconds = time.perf_counter() - started
    print(
        f"\n{judged.total()} cases in {seconds:.0f} s: {alarms} false alarms, {vague} inconclusive, ", end=""
    )
    print(f"closest to its bound {closest:.2f}")
    print("regimes: " + ", ".join(f"{regime} {n}" for regime, n in judged.items()))
    found = [not verify.check(f, verify.Spec(weights="rows"), cases=100).ok for f in (ignored, normalised)]
    print(f"mistakes found: {sum(found)} of {len(found)}")
    return int(alarms > 0 or not all(found) or judged.total() < options.cases)


if __name__ == "__main__":
    raise SystemExit(main())
