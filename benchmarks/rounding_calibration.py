"""Calibrate the model of random rounding by what correct code does: ``python benchmarks/rounding_calibration.py PART``.

distribution  errors in units of sigma: mlp_ref, a textbook in NumPy, PyTorch and XLA, in every regime and precision
bands         how wide the bands are at sizes of practice, beside the worst case and the error that occurs
power         the smallest planted change of one entry that lies beyond its band, at 784-16-16-10
mistakes      how many mistakes of the catalogue are caught at 784-16-16-10 in float32 alone
one-sign      sums of terms of one sign, where rounding to nearest is biased
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from oracle_evidence import DEFAULT, drawn, peers

from verify.case.case import DTYPES, LABELS, PRACTICAL, REGIMES, Call, Case
from verify.case.practical import practical_cases
from verify.checks.further_calls import FURTHER_CALLS
from verify.checks.random_rounding import RandomRounding, examine_with_random_rounding
from verify.diagnosis.mistakes import CATALOGUE, Mistake, wrong_gradient
from verify.evaluate import rounding, xla
from verify.evaluate.bounds import Arithmetic
from verify.reference.derivative import loss_function, traced_derivative
from verify.reference.spec import Spec
from verify.reference.truth import tensors_of
from verify.subject import mlp_ref_targets
from verify.subject.answered_call import AnsweredCall
from verify.subject.failed import Failed
from verify.subject.target import Target

RUN = RandomRounding(cases=1000)
"""The bands of a run of 1000 cases, at the false-alarm probability that is the default."""

MNIST = (784, 16, 16, 10)

NETWORKS = (
    ("sigmoid", (64, 16, 16, 10), 32),
    ("sigmoid", MNIST, 1),
    ("sigmoid", MNIST, 32),
    ("relu", (784, 128, 10), 128),
    ("sigmoid", (784, 300, 100, 10), 64),
    ("sigmoid", (1024, 1024, 10), 32),
)


def in_sigmas(spec: Spec, case: Case, tensors: list[Any]) -> np.ndarray[Any, Any]:
    """The errors of all entries in units of sigma, 0 where nothing is known of them."""
    quantile, samples = RUN.quantile(sum(tensor.size for tensor in tensors))
    at = Arithmetic.judging(case.dtype, case.sizes)
    pairs = rounding.evaluate_under_rounding(
        traced_derivative(spec, case.sizes), case.inputs(), at, quantile, samples, either=False
    )
    with np.errstate(all="ignore"):
        errors = [
            np.where(np.isfinite(sigma), np.where(tensor == value, 0.0, abs(tensor - value) / sigma), 0.0)
            for tensor, (value, sigma) in zip(tensors, pairs, strict=True)
        ]
    return np.concatenate([error.ravel() for error in errors])


def through_xla(spec: Spec) -> Callable[..., Any]:
    """JAX itself."""
    return lambda params, x, y: xla.evaluate_by_xla(loss_function(spec), params, x, y)[1]


def distribution(arguments: argparse.Namespace) -> bool:
    """Print the largest error of a case, in units of sigma, for each implementation, regime and dtype."""
    found = [(name, spec, getattr(gradient, "gradient", gradient)) for name, spec, gradient in peers()]
    specs = list({spec: None for _, spec, _ in found})
    found += [("XLA", spec, through_xla(spec)) for spec in specs[: arguments.xla_specs]]
    worst: dict[tuple[str, str, str], list[float]] = {}
    counted: dict[str, list[int]] = {}
    beyond = 0
    for i, (name, spec, gradient) in enumerate(found):
        n = arguments.cases if name != "XLA" else arguments.xla_cases
        cases = drawn(spec, n, arguments.seed + i)
        cases += practical_cases(spec, arguments.seed + i, dtypes=DTYPES)[: 2 if name == "XLA" else None]
        for case in cases:
            with np.errstate(all="ignore"):
                tensors = [np.asarray(tensor) for tensor in tensors_of(gradient(*case.arrays()))]
            errors = in_sigmas(spec, case, tensors)
            # A unit at relu's kink may fall on either side: whether that is all is asked of the tier itself.
            if errors.max(initial=0.0) > RUN.quantile(errors.size)[0]:
                answer = AnsweredCall.of(Target(gradient), spec, gradient, Call(case))
                banded = RUN.beside(answer)
                if banded.verdict == "beyond":
                    beyond += 1
                    print(f"BEYOND: {name}: {case} {spec}: {banded.sigmas:.3g} sigma")
                else:
                    counted.setdefault("in doubt", [0])[0] += 1
                continue
            worst.setdefault((name, case.regime, case.dtype), []).append(float(errors.max(initial=0.0)))
            bars = counted.setdefault(name, [0] * 6)
            bars[0] += errors.size
            for bar, limit in enumerate((0.25, 0.5, 1.0, 2.0, 4.0), start=1):
                bars[bar] += int(np.count_nonzero(errors > limit))
    names = list(dict.fromkeys(name for name, _, _ in found))
    print("largest error in units of sigma, worst of all cases (median of the cases)\n")
    print(f"{'regime':16}{'dtype':9}" + "".join(f"{name:>18}" for name in names))
    for regime, dtype in dict.fromkeys((regime, dtype) for _, regime, dtype in worst):
        columns = [worst.get((name, regime, dtype), []) for name in names]
        row = [f"{max(c):.2f} ({np.median(c):.2f})" if c else "" for c in columns]
        print(f"{regime:16}{dtype:9}" + "".join(f"{figure:>18}" for figure in row))
    doubtful = counted.pop("in doubt", [0])[0]
    print(f"\n{'entries':16}{'all':>14}" + "".join(f"{f'> {x}':>12}" for x in (0.25, 0.5, 1, 2, 4)))
    for name, bars in counted.items():
        print(f"{name:16}{bars[0]:14,}" + "".join(f"{bar:12,}" for bar in bars[1:]))
    judged = sum(map(len, worst.values())) + doubtful + beyond
    print(
        f"\ndistribution: {judged} cases, {doubtful} with a unit in doubt at a kink, {beyond} beyond their bands"
    )
    return beyond == 0


def bands(arguments: argparse.Namespace) -> bool:
    """The widest band, the worst case and the error, each in units of its tensor's largest entry."""
    print(
        f"{'network, batch':32}{'dtype':9}{'worst case':>12}{'error':>10}{'band':>10}{'sigmas':>8}{'quantile':>10}"
    )
    ok = True
    for hidden, sizes, batch in NETWORKS:
        spec, target = mlp_ref_targets.SPECS[hidden, "cross_entropy"], mlp_ref_targets.mlp_ref_target(hidden)
        for dtype in DTYPES:
            case = Case(sizes, batch, dtype, PRACTICAL, seed=arguments.seed)
            answer = AnsweredCall.of(target, spec, target.gradient, Call(case))
            banded, truth = RUN.beside(answer), answer.truth
            scales = [abs(value).max() for value, _ in truth.tensors]
            allowed = max(
                bound.max() / scale for (_, bound), scale in zip(truth.tensors, scales, strict=True)
            )
            error = max(
                abs(tensor - value).max() / scale
                for tensor, (value, _), scale in zip(
                    tensors_of(answer.gradient), truth.tensors, scales, strict=True
                )
            )
            name = f"{hidden} {'-'.join(map(str, sizes))}, {batch}"
            width = max(banded.widths)
            print(
                f"{name:32}{dtype:9}{allowed:12.1e}{error:10.1e}{width:10.1e}{banded.sigmas:8.2f}{banded.quantile:10.1f}"
            )
            ok &= banded.verdict == "within" and (dtype == "float64" or width <= 2e-4)
    return ok


def power(arguments: argparse.Namespace) -> bool:
    """Change one entry of a tensor by a fraction of its largest; how often that is beyond the band."""
    rng = np.random.default_rng(arguments.seed)
    fractions = (1e-4, 5e-5, 2e-5, 1e-5)
    target = mlp_ref_targets.mlp_ref_target()
    caught = dict.fromkeys(fractions, 0)
    for seed in range(arguments.power_cases // 200):
        case = Case(MNIST, 32, "float32", PRACTICAL, seed=seed)
        tensors = tensors_of(target.gradient(*case.arrays()))
        quantile, samples = RUN.quantile(sum(tensor.size for tensor in tensors))
        at = Arithmetic.judging(case.dtype, case.sizes)
        pairs = rounding.evaluate_under_rounding(
            traced_derivative(DEFAULT, case.sizes), case.inputs(), at, quantile, samples, either=True
        )
        for _ in range(200):
            i = int(rng.integers(len(tensors)))
            entry = tuple(int(rng.integers(n)) for n in tensors[i].shape)
            value, sigma = pairs[i]
            for fraction in fractions:
                changed = tensors[i][entry] + np.float32(fraction * abs(value).max())
                caught[fraction] += abs(float(changed) - value[entry]) > quantile * sigma[entry]
    n = arguments.power_cases // 200 * 200
    shares = ", ".join(f"{fraction:g}: {count / n:.2%}" for fraction, count in caught.items())
    print(f"power: {n} changes at 784-16-16-10 in float32, beyond the band of a relative change of {shares}")
    return caught[1e-4] / n >= 0.999


SHAPED = ("no_hidden", "width_1", "deep", "wide")
"""Regimes that are about the shape of a network, which is given here."""


def cases_at(sizes: tuple[int, ...], batch: int, spec: Spec) -> list[tuple[Case, str]]:
    """A network of one size in every regime that it can be in, float32, each with every further call in turn."""
    usual, soft = LABELS[spec.targets]
    cases = [Case(sizes, batch, "float32", PRACTICAL, usual)]
    for regime in REGIMES:
        if regime not in SHAPED:
            rows, labels = 1 if regime == "batch_1" else batch, soft if regime == "soft_labels" else usual
            cases.append(Case(sizes, rows, "float32", regime, labels))
    turns = ("gradient", *FURTHER_CALLS)
    return [(replace(case, seed=seed), turn) for seed, turn in enumerate(turns) for case in cases]


def same_bits(spec: Spec, mistake: Mistake, cases: list[Case]) -> bool:
    """Tell whether a gradient with a mistake in it equals the one without, to the bit, in each case, called twice."""
    wrong, right = wrong_gradient(spec, mistake), wrong_gradient(spec)
    with np.errstate(all="ignore"):
        return all(
            made.tobytes() == true.tobytes()
            for case in cases
            for _ in range(2)
            for made, true in zip(
                tensors_of(wrong(*case.arrays())), tensors_of(right(*case.arrays())), strict=True
            )
        )


def mistakes(arguments: argparse.Namespace) -> bool:
    """Each mistake of the catalogue at 784-16-16-10 in float32 alone: what catches it, in which regime."""
    by: Counter[str] = Counter()
    regimes: Counter[str] = Counter()
    missed, none = [], []
    for mistake in CATALOGUE:
        if arguments.only and mistake.name not in arguments.only:
            continue
        spec = next((spec for spec in mlp_ref_targets.SPECS.values() if mistake.counts(spec)), None)
        if spec is None:
            continue
        target = Target(wrong_gradient(spec, mistake))
        cases = cases_at(MNIST, 32, spec)
        for case, turn in cases:
            try:
                examine_with_random_rounding(RUN, target, spec, case, turn)
            except Failed as failure:
                by["random rounding alone" if failure.check == "rounding" else "the bound"] += 1
                regimes[case.regime] += 1
                break
        else:
            equal = same_bits(spec, mistake, list(dict.fromkeys(case for case, _ in cases)))
            (none if equal else missed).append(mistake.name)
    caught = by.total()
    n = caught + len(missed)
    print(
        f"mistakes: {caught} of {n} caught ({caught / n:.1%}): "
        + ", ".join(f"{k} {v}" for k, v in by.items())
    )
    print("caught in        " + ", ".join(f"{regime} {count}" for regime, count in regimes.items()))
    print(f"missed           {', '.join(missed) or 'none'}")
    print(f"no mistake here, the same bits as without it in every call: {', '.join(none) or 'none'}")
    return caught / n >= 0.95


def one_sign(_: argparse.Namespace) -> bool:
    """A running sum of equal terms in float32: roundings have one sign while the sum stays in one binade."""
    print(f"{'terms of 0.1':>14}{'error':>10}{'sigma':>10}{'sigmas':>8}")
    for n in (100, 1000, 10_000, 100_000, 1_000_000, 10_000_000):
        terms = np.full(n, 0.1, np.float32)
        total, exact = float(np.cumsum(terms)[-1]), n * float(terms[0])
        sigma = np.sqrt(n) * 2.0**-24 * exact  # n - 1 additions, terms of one sign
        print(f"{n:14,}{abs(total / exact - 1):10.1e}{sigma / exact:10.1e}{abs(total - exact) / sigma:8.2f}")
    return True


PARTS = {
    "distribution": distribution,
    "bands": bands,
    "power": power,
    "mistakes": mistakes,
    "one-sign": one_sign,
}


def main() -> int:
    """Run the parts asked for; 1 where a figure falls short of what is claimed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", choices=[*PARTS, "all"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--cases", type=int, default=60, help="distribution: cases of each gradient (default 60)"
    )
    parser.add_argument(
        "--xla-specs", type=int, default=12, help="distribution: specs through XLA (default 12)"
    )
    parser.add_argument("--xla-cases", type=int, default=5, help="distribution: cases of each (default 5)")
    parser.add_argument("--power-cases", type=int, default=4000, help="power: planted changes (default 4000)")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="mistakes: these alone")
    arguments = parser.parse_args()
    chosen = PARTS if arguments.part == "all" else {arguments.part: PARTS[arguments.part]}
    short = [name for name, part in chosen.items() if not part(arguments)]
    if short:
        print(f"SHORT OF THE CLAIM: {', '.join(short)}")
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())
