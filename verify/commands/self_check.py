"""The main job: `mlp_ref` judged on random networks of every kind, and on the digits before and after training."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mlp_ref import MLP, datasets
from verify.checks.cross_check import require_xla_agrees
from verify.commands.progress import progress_bar
from verify.oracle.check import check
from verify.oracle.report import Report
from verify.reference.judge import VERDICTS, Judgement, judge
from verify.reference.truth import Truth, flat
from verify.subject import mlp_ref_targets

Array = npt.NDArray[Any]


DIGITS_LAYERS = [64, 16, 16, 10]


BATCH = 32


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``python -m verify``."""
    parser.add_argument(
        "--cases", type=int, default=250, help="cases for each activation and loss (default 250)"
    )
    parser.add_argument("--seed", type=int, default=0, help="the same seed draws the same cases (default 0)")
    parser.add_argument(
        "--xla", type=int, default=2, help="cases that XLA runs too, of each activation and loss (default 2)"
    )
    parser.add_argument("--epochs", type=int, default=20, help="training on the digits (default 20)")
    parser.add_argument("--json", metavar="FILE", help="write every report to this file as well")


def run(arguments: argparse.Namespace) -> int:
    """Judge, print, and return 0 where all is verified, else 1."""
    for name, least in (("cases", 1), ("seed", 0), ("xla", 0), ("epochs", 1)):
        if getattr(arguments, name) < least:
            raise ValueError(f"--{name} must be {least} or larger, got {getattr(arguments, name)}")
    if arguments.json and not Path(arguments.json).resolve().parent.is_dir():
        raise ValueError(f"--json must name a file in a directory that exists, got {arguments.json}")
    print("mlp_ref against JAX: every entry of every gradient within its derived bound\n")
    print(f"{'random networks':32}{'cases':>7}{'inconclusive':>14}{'closest to bound':>18}   verdict")
    reports = []
    for target, spec in mlp_ref_targets.targets():
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
        digits_ok = _digits(arguments)
        ok = ok and digits_ok
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
    by_regime: dict[str, list[int]] = {}
    for report in reports:
        for regime, n in report.judged.items():
            counts = by_regime.setdefault(regime, [0, 0])
            counts[0] += n
            counts[1] += report.inconclusive.get(regime, 0)
    vague = [f"{regime} {bad}/{n}" for regime, (n, bad) in by_regime.items() if bad]
    print("inconclusive     " + (", ".join(vague) if vague else "none"))


def _digits(arguments: argparse.Namespace) -> bool:
    """Judge the digits network on every mini-batch of its training set, before and after training."""
    name = f"digits {'-'.join(map(str, DIGITS_LAYERS))}, batches of {BATCH}"
    print(
        f"\n{name:32}{'cases':>7}{'inconclusive':>14}{'closest to bound':>18}{'farthest off':>14}   verdict"
    )
    ok, conclusive = True, False
    for dtype in (np.float64, np.float32):
        (x, y), (x_test, y_test) = datasets.load_digits()
        x, x_test = x.astype(dtype), x_test.astype(dtype)
        net = MLP(DIGITS_LAYERS, dtype=dtype, seed=arguments.seed)
        for moment in ("before", "after"):
            if moment == "after":
                with progress_bar("training") as progress:
                    for epoch in range(arguments.epochs):
                        net.fit(x, y, epochs=1, batch_size=BATCH, learning_rate=0.5, progress=False)
                        progress(epoch + 1, arguments.epochs)
            judgements, farthest = judged_batches(net, x, y)
            verdicts = [judgement.verdict for judgement in judgements]
            verdict = max(set(verdicts) - {"inconclusive"}, key=VERDICTS.index, default="inconclusive")
            closest = max(judgement.ratio for judgement in judgements)
            ok = ok and verdict in ("verified", "inconclusive")
            conclusive = conclusive or verdict == "verified"
            accuracy = f"test accuracy {net.score(x_test, y_test):.1%}"
            print(
                f"{f'{moment} training, {np.dtype(dtype)}':32}{len(judgements):7}"
                f"{verdicts.count('inconclusive'):14}{closest:18.2f}{farthest:14.1e}   {verdict} ({accuracy})"
            )
            for judgement in judgements:
                if judgement.verdict == "wrong":
                    print(f"  {judgement}")
                    break
    print(
        "(farthest off: in units of the tensor's largest entry. Inconclusive: every entry is within its bound, but\n"
        "that bound, the worst that float32 can do to such a network, is too large to prove anything)"
    )
    return ok and conclusive


def judged_batches(net: MLP, x: Array, y: Array) -> tuple[list[Judgement], float]:
    """The network's gradient over each full mini-batch, judged against JAX's; XLA must agree on the first.

    Also returns the largest difference from JAX's, in units of the largest entry of its tensor.
    """
    spec = mlp_ref_targets.SPECS[net.hidden, net.loss]
    one_hot = np.eye(net.layer_sizes[-1], dtype=x.dtype)[y]
    judgements, farthest = [], 0.0
    for start in range(0, len(x) - BATCH + 1, BATCH):
        rows = slice(start, start + BATCH)
        inputs = [
            np.asarray(array, dtype=np.float64) for array in (*flat(net.params), x[rows], one_hot[rows])
        ]
        truth = Truth.of(spec, inputs, x.dtype)
        if start == 0:
            require_xla_agrees(spec, net.params, x[rows], one_hot[rows], truth)
        _, gradient = net.loss_and_gradient(x[rows], y[rows])
        judgements.append(judge(truth.tensors, flat(gradient), x.dtype))
        for tensor, (value, _) in zip(flat(gradient), truth.tensors, strict=True):
            farthest = max(farthest, float(abs(tensor - value).max() / abs(value).max()))
    return judgements, farthest
