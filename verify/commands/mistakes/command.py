"""``python -m verify mistakes``: what the oracle sees of a catalogue of mistakes, and what others see of it."""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from mlp_ref.plots import require_plot_file
from verify.case.case import REGIMES, Case
from verify.diagnosis.mistakes import CATALOGUE, Mistake, compatible, wrong_gradient
from verify.reference.spec import Spec

SMALL = 150
"""Most parameters of a case that other criteria are given: a finite difference calls the loss twice for each."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``python -m verify mistakes``."""
    parser.add_argument(
        "--cases", type=_positive, default=1000, help="most cases to try on each mistake (1000)"
    )
    parser.add_argument("--seed", type=int, default=0, help="the same seed draws the same cases (0)")
    parser.add_argument(
        "--pairs", type=int, default=0, metavar="N", help="also N random pairs of two families"
    )
    parser.add_argument(
        "--moved",
        type=int,
        default=0,
        metavar="N",
        help="instead: N mistakes moved to a layer, to rows or to a number drawn at random",
    )
    parser.add_argument(
        "--reports", type=int, default=0, metavar="N", help="instead: how long N whole reports take"
    )
    parser.add_argument("--only", metavar="NAME", nargs="+", help="these mistakes or families alone")
    parser.add_argument(
        "--configurations", type=_positive, metavar="N", help="the first N configurations alone (all five)"
    )
    parser.add_argument(
        "--others",
        action="store_true",
        help="the same mistakes judged by allclose, a finite difference, JAX's check_vjp and PyTorch's gradcheck",
    )
    parser.add_argument(
        "--page", type=Path, metavar="FILE", help="write the catalogue and the figures as a page in Markdown"
    )
    parser.add_argument(
        "--plot", type=Path, metavar="FILE", help="draw the score by family: .png, .svg or .pdf"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure to a file")


def run(args: argparse.Namespace) -> int:
    """Run ``verify mistakes``: print the tables; 0 where every mistake was caught and none misnamed, else 1;
    2 for unusable options.
    """
    from verify.commands.mistakes.score import CONFIGURATIONS

    chosen = [m for m in CATALOGUE if not args.only or {m.name, m.family} & set(args.only)]
    unknown = set(args.only or ()) - {m.name for m in CATALOGUE} - {m.family for m in CATALOGUE}
    if unknown:
        families = ", ".join(dict.fromkeys(m.family for m in CATALOGUE))
        print(
            f"--only takes names of mistakes, or of families ({families}); got {', '.join(sorted(unknown))}",
            file=sys.stderr,
        )
        return 2
    for option, path in (("--json", args.json), ("--page", args.page), ("--plot", args.plot)):
        if path and (path.is_dir() or not path.parent.is_dir()):
            print(f"{option} must be a file in a folder that exists; got {path}", file=sys.stderr)
            return 2
    if args.plot:
        try:
            require_plot_file(args.plot)
        except (ImportError, ValueError) as error:
            print(f"--plot: {error}", file=sys.stderr)
            return 2
    if args.moved or args.reports:
        return max(_moved(args) if args.moved else 0, _reports(args) if args.reports else 0)
    specs = CONFIGURATIONS[: args.configurations]
    results: dict[str, Any] = {"cases": args.cases, "seed": args.seed, "catalogue": len(CATALOGUE)}
    try:
        results["singles"] = _singles(chosen, specs, args)
        if args.pairs:
            results["pairs"] = _pairs(chosen, specs, args)
        results["right"] = _right(specs)
        if args.others:
            results["others"] = _others(chosen, specs[0], args)
    except KeyboardInterrupt:
        print("\ninterrupted: what stands above is what was found until then", file=sys.stderr)
    print()
    failures = _summary(results)
    if args.json:
        args.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    if args.page:
        from verify.commands.mistakes.page import mistakes_page

        args.page.write_text(mistakes_page(results), encoding="utf-8")
    if args.plot and any(not row["equivalent"] for row in results.get("singles", [])):
        from verify.commands.mistakes import plot

        plot.plot_mistakes(results, args.plot)
    return 1 if failures or "right" not in results else 0


def _moved(args: argparse.Namespace) -> int:
    """Print what becomes of moved mistakes; 1 where one was missed or misnamed, else 0."""
    from verify.commands.mistakes.moved_mistakes import moved_mistakes, score_moved_mistake

    print(f"  {'mistake':33}{'moved to':34}{'caught after':>12}  diagnosed as")
    found = []
    for spec, mistake, kind in moved_mistakes(args.moved, args.seed):
        move = score_moved_mistake(spec, mistake, kind, cases=args.cases, seed=args.seed)
        found.append(move)
        said = f"{move.diagnosed or '-'}{'   NOT THERE' if move.misnamed else ''}"
        print(f"  {move.name:33}{move.to:34}{move.after or 'never':>12}  {said}", flush=True)
    wrong = [move for move in found if move.after or move.diagnosed]
    print(
        f"\n{len(found) - len(wrong)} of {len(found)} were never seen to be wrong: there the mistake is none"
    )
    for kind in ("layer", "rows", "constant", ""):
        some = [move for move in wrong if kind in ("", move.kind)]
        caught, named = sum(move.after > 0 for move in some), sum(move.named for move in some)
        share = f" ({named / len(some):.1%})" if some else ""
        print(f"{kind or 'all':9} caught {caught} of {len(some)}, named {named}{share}")
    misnamed = sum(move.misnamed for move in found)
    seconds = np.percentile([move.seconds for move in found], [50, 95, 100])
    print(f"named but not there: {misnamed}")
    print("seconds to diagnose: median {:.2f}, 95 % {:.2f}, most {:.2f}".format(*seconds))
    return 1 if misnamed or any(not move.after for move in wrong) else 0


def _reports(args: argparse.Namespace) -> int:
    """Print how long whole reports take; 1 where a mistake was verified, else 0."""
    from verify.commands.mistakes.report_times import report_times

    rows = []
    for row in report_times(args.reports, args.seed, args.cases):
        rows.append(row)
        print(
            f"  {row.seconds:6.2f} s ({row.processor:5.2f} s of the processor)  {row.verdict:12} "
            f"{row.mistake} ({row.spec})",
            flush=True,
        )
    for what, seconds in (
        ("seconds a report", [row.seconds for row in rows]),
        ("of the processor", [row.processor for row in rows]),
    ):
        print(
            "{}: median {:.2f}, 95 % {:.2f}, most {:.2f}".format(what, *np.percentile(seconds, [50, 95, 100]))
        )
    return int(any(row.verdict == "verified" for row in rows))


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or larger; got {text}")
    return value


def _singles(
    chosen: list[Mistake], specs: tuple[Spec, ...], args: argparse.Namespace
) -> list[dict[str, Any]]:
    from verify.commands.mistakes.certified_equal import certified_equal, small_cases
    from verify.commands.mistakes.score import score_mistake

    rows = []
    for spec in specs:
        print(f"\n{spec}")
        print(f"  {'mistake':33}{'caught after':>12}  {'regime':16}{'check':14}diagnosed as")
        equal = []
        cases = small_cases(spec)
        for mistake in chosen:
            if not mistake.counts(spec):
                if certified_equal(spec, [mistake], cases):
                    equal.append(mistake.name)
                continue
            score = score_mistake(spec, mistake, cases=args.cases, seed=args.seed)
            named = " and ".join(score.diagnosed) or "-"
            also = "".join(f", or {' and '.join(names)}" for names in score.alternatives)
            after = str(score.after) if score.caught else "never"
            print(
                f"  {mistake.name:33}{after:>12}  {score.regime:16}{score.check:14}{named}{also}", flush=True
            )
            certain = None if score.caught else certified_equal(spec, [mistake], cases)
            if certain:
                print("  " + " " * 33 + "the right gradient, in certified balls")
            rows.append(_row(score) | {"family": mistake.family, "equivalent": bool(certain)})
        if equal:
            print(f"  the right gradient here, by certified balls on {len(cases)} cases: {', '.join(equal)}")
        rows += [{"mistakes": [name], "spec": str(spec), "equivalent": True} for name in equal]
    return rows


def _row(score: Any) -> dict[str, Any]:
    return asdict(score) | {"caught": score.caught, "named": score.named, "misnamed": score.misnamed}


def _pairs(chosen: list[Mistake], specs: tuple[Spec, ...], args: argparse.Namespace) -> list[dict[str, Any]]:
    from verify.commands.mistakes.score import score_mistake

    print("\npairs of two families, of which one or none is named")
    rows = []
    for number, (spec, first, second) in enumerate(
        _drawn_pairs(chosen, specs, args.pairs, args.seed), start=1
    ):
        score = score_mistake(spec, first, second, cases=args.cases, seed=args.seed)
        rows.append(_row(score))
        if not score.named:
            found = " and ".join(score.diagnosed) or "-"
            print(f"  {first.name} and {second.name} ({spec}): {found}", flush=True)
        if sys.stderr.isatty():
            print(f"\r{number} of {args.pairs} pairs", end="", file=sys.stderr, flush=True)
    return rows


def _drawn_pairs(
    chosen: list[Mistake], specs: tuple[Spec, ...], n: int, seed: int
) -> Iterator[tuple[Spec, Mistake, Mistake]]:
    rng = np.random.default_rng(seed)
    possible = {
        spec: [
            (a, b)
            for i, a in enumerate(chosen)
            for b in chosen[i + 1 :]
            if a.family != b.family and compatible(a, b) and a.counts(spec) and b.counts(spec)
        ]
        for spec in specs
    }
    usable = [spec for spec in specs if possible[spec]]
    for _ in range(n if usable else 0):
        spec = usable[rng.integers(len(usable))]
        yield (spec, *possible[spec][rng.integers(len(possible[spec]))])


def _right(specs: tuple[Spec, ...]) -> list[dict[str, Any]]:
    """The right gradient in each configuration: none may be diagnosed."""
    from verify.diagnosis.diagnose import explain

    rows = []
    for spec in specs:
        found = explain(wrong_gradient(spec), spec)
        rows.append({"spec": str(spec), "diagnosed": list(found.mistakes), "text": found.text})
    return rows


def _others(chosen: list[Mistake], spec: Spec, args: argparse.Namespace) -> list[dict[str, Any]]:
    from verify.commands.mistakes.criteria import criterion_rejects, installed_criteria

    cases = _small_cases(spec, args.seed)
    criteria = installed_criteria()
    print(f"\nother criteria on {len(cases)} cases that the oracle draws, float64: {spec}")
    print(f"  {'mistake':33}" + "".join(f"{name:>20}" for name in criteria))
    rows = []
    for mistake in [None, *(m for m in chosen if m.counts(spec))]:
        made = () if mistake is None else (mistake,)
        seen = {
            name: criterion_rejects(c, wrong_gradient(spec, *made), spec, cases)
            for name, c in criteria.items()
        }
        words = ("accepted", "rejected") if mistake is None else ("missed", "caught")
        title = mistake.name if mistake else "(the right gradient)"
        print(f"  {title:33}" + "".join(f"{words[seen[name]]:>20}" for name in criteria), flush=True)
        rows.append({"mistake": mistake.name if mistake else "", **seen})
    return rows


def _small_cases(spec: Spec, seed: int) -> list[Case]:
    """Twenty small cases of the oracle's own distribution, without the extremes where any difference quotient fails."""
    from verify.case.cases import cases
    from verify.case.runner import drawn_cases

    regimes = [
        name for name in REGIMES if name not in ("saturated", "extreme_logits", "ties", "wide", "deep")
    ]
    strategy = cases(spec, dtypes=["float64"], layouts=["C"], regimes=regimes)
    small = [case for case in drawn_cases(strategy, 400, seed) if _parameters(case) <= SMALL]
    return list(dict.fromkeys(small))[:20]


def _parameters(case: Case) -> int:
    """The number of parameters of the network of a case."""
    return sum((n_in + 1) * n_out for n_in, n_out in itertools.pairwise(case.layer_sizes))


def _summary(results: dict[str, Any]) -> int:
    """Print the figures; returns how many mistakes were missed or misnamed."""
    judged = [row for row in results.get("singles", []) if not row["equivalent"]]
    failures = 0
    for title, rows in (("singles", judged), ("pairs", results.get("pairs", []))):
        if not rows:
            continue
        n = len(rows)
        caught = [row["after"] for row in rows if row["caught"]]
        seconds = sorted(row["seconds"] for row in rows)
        named = sum(row["named"] for row in rows)
        alone = sum(row["named"] and not row["alternatives"] for row in rows)
        misnamed = sum(row["misnamed"] for row in rows)
        synonyms = sum(row["same"] and set(row["diagnosed"]) != set(row["mistakes"]) for row in rows)
        failures += n - len(caught) + misnamed
        within, slow = sum(after <= 50 for after in caught), seconds[int(0.95 * (n - 1))]
        print(
            f"{title:9} caught {len(caught)} of {n}, {within} within 50 cases; most needed {max(caught, default=0)}"
        )
        print(
            f"          named {named} of {n} ({named / n:.1%}), alone {alone}; named but not there: {misnamed}"
        )
        if synonyms:
            print(f"          of these {synonyms} by another name for the same gradient, by certified balls")
        print(
            f"          seconds to diagnose: median {np.median(seconds):.2f}, 95 % {slow:.2f}, most {seconds[-1]:.2f}"
        )
    right = results.get("right", [])
    diagnosed = sum(bool(row["diagnosed"] or row["text"]) for row in right)
    if right:
        print(f"right     diagnosed {diagnosed} of {len(right)} right gradients")
    wrong = [row for row in results.get("others", []) if row["mistake"]]
    for name in [name for name in wrong[0] if name != "mistake"] if wrong else ():
        print(f"{name:18} caught {sum(row[name] for row in wrong)} of {len(wrong)}")
    return failures + diagnosed


if __name__ == "__main__":
    _parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(_parser)
    sys.exit(run(_parser.parse_args()))
