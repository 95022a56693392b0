"""The main job: `mlp_ref` judged on random networks of every kind, and on the digits before and after training."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from verify.commands.integers import integer
from verify.commands.judged_training import judge_training
from verify.commands.progress_bar import progress_bar
from verify.oracle.check import check
from verify.oracle.report import Report
from verify.subject import mlp_ref_targets


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``python -m verify`` without a command: the self-check."""
    parser.add_argument(
        "--cases", type=integer, default=250, help="cases for each activation and loss (default 250)"
    )
    parser.add_argument("--seed", type=int, default=0, help="the same seed draws the same cases (default 0)")
    parser.add_argument(
        "--xla", type=int, default=2, help="cases that XLA runs too, of each activation and loss (default 2)"
    )
    parser.add_argument("--epochs", type=int, default=20, help="training on the digits (default 20)")
    parser.add_argument("--json", metavar="FILE", help="write every report to this file as well")


def run(arguments: argparse.Namespace) -> int:
    """Run the self-check: judge `mlp_ref`, print, and return 0 where all is verified, else 1."""
    for name, least in (("cases", 1), ("seed", 0), ("xla", 0), ("epochs", 1)):
        if getattr(arguments, name) < least:
            raise ValueError(f"--{name} must be {least} or larger, got {getattr(arguments, name)}")
    if arguments.json and not Path(arguments.json).resolve().parent.is_dir():
        raise ValueError(f"--json must name a file in a directory that exists, got {arguments.json}")
    print("mlp_ref against JAX: every entry of every gradient within its derived bound\n")
    print(f"{'random networks':32}{'cases':>7}{'inconclusive':>14}{'closest to bound':>18}   verdict")
    reports = []
    for target, spec in mlp_ref_targets.all_mlp_ref_targets():
        with progress_bar(target.name) as progress:
            report = check(
                target, spec, cases=arguments.cases, seed=arguments.seed, xla=arguments.xla, progress=progress
            )
        reports.append(report)
        print(_row(report), flush=True)
        if report.interrupted:
            break
    for report in reports:
        if not report.ok:
            print(f"\n{report}")
    interrupted = any(report.interrupted for report in reports)
    ok = all(report.ok for report in reports) and not interrupted
    if not interrupted:
        ok = judge_training(arguments.seed, arguments.epochs) and ok
    _totals(reports)
    if arguments.json:
        data = [json.loads(report.to_json()) for report in reports]
        Path(arguments.json).write_text(json.dumps(data, indent=2), encoding="utf-8")
    print(f"\n{'INTERRUPTED' if interrupted else 'VERIFIED' if ok else 'NOT VERIFIED'}")
    return 0 if ok else 1


def _row(report: Report) -> str:
    judged, vague = sum(report.judged.values()), sum(report.inconclusive.values())
    closest = max(report.closest.values(), default=0.0)
    return f"{report.target:32}{judged:7}{vague:14}{closest:18.2f}   {report.verdict}"


def _totals(reports: list[Report]) -> None:
    evaluators = {
        name: sum(report.evaluators.get(name, 0) for report in reports) for name in reports[0].evaluators
    }
    kinds = sorted({kind for report in reports for kind in report.closest})
    print("\nevaluated by     " + ", ".join(f"{name} {n}" for name, n in evaluators.items()))
    worst = (f"{kind} {max(report.closest.get(kind, 0.0) for report in reports):.2f}" for kind in kinds)
    print("closest to bound " + ", ".join(worst) + "  (1 would be the bound itself)")
    under = [report.random_rounding for report in reports if report.random_rounding is not None]
    if under:
        unexplained = sum(one.unexplained for one in under)
        print(
            f"random rounding  {sum(one.cases for one in under)} cases within their bands, "
            f"{sum(one.in_doubt for one in under)} in doubt, {unexplained} unexplained; at most "
            f"{max(one.sigmas for one in under):.2g} of {max(one.quantile for one in under):.3g} sigma (a model)"
        )
    by_regime: dict[str, list[int]] = {}
    for report in reports:
        for regime, n in report.judged.items():
            counts = by_regime.setdefault(regime, [0, 0])
            counts[0] += n
            counts[1] += report.inconclusive.get(regime, 0)
    vague = [f"{regime} {bad}/{n}" for regime, (n, bad) in by_regime.items() if bad]
    print("inconclusive     " + (", ".join(vague) if vague else "none"))
