"""The evidence for the oracle's claims: ``python benchmarks/oracle_evidence.py PART``, or ``all``.

jax           mlp_ref against jax.value_and_grad executed by JAX itself, 500 cases in each dtype
throughput    verify.check on the network that ships, against a plain loop of jax.jit on the same shapes
false-alarms  correct implementations written differently, none of which may be called wrong
containment   the error of JAX's formula, certified, against the bound
tightness     the bound in units of the tensor's largest entry
power         the smallest planted change of one entry that is caught
"""

from __future__ import annotations

import argparse
import importlib.util
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import jax
import numpy as np

import verify
from mlp_ref import Layer, loss_and_gradient
from verify.case.case import DTYPES, REGIMES, Case
from verify.case.cases import case_chooser
from verify.case.runner import drawn_cases
from verify.checks.cross_check import worst_xla_error
from verify.evaluate import balls, bounds, xla
from verify.reference.derivative import loss_function, traced_derivative
from verify.reference.judge import judge, judged_ratios, vacuous
from verify.reference.spec import HIDDEN, OUTPUT_LOSSES, REDUCTIONS, Spec
from verify.reference.truth import Truth, tensors_of
from verify.subject import mlp_ref_targets

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # the evaluator at working precision belongs to the tests
from tests.verify.evaluate import working  # noqa: E402

ORDINARY = ("ordinary", "batch_1", "width_1", "no_hidden", "soft_labels", "missing_class", "wide")
"""The regimes in which nothing is extreme: moderate parameters, moderate depth."""

DEFAULT = mlp_ref_targets.SPECS["sigmoid", "cross_entropy"]


def drawn(spec: Spec, n: int, seed: int, **options: Any) -> list[Case]:
    """The first n cases that ``verify.check`` would draw."""
    return drawn_cases(case_chooser(spec, **options), n, seed)


def all_specs() -> list[Spec]:
    """Every activation with every output and loss; the reductions and a penalty taken in turn."""
    pairs = [(hidden, *output) for hidden in HIDDEN for output in OUTPUT_LOSSES]
    return [
        Spec(*names, REDUCTIONS[i % len(REDUCTIONS)], 0.01 * (i % 4 == 3)) for i, names in enumerate(pairs)
    ]


def by_jax_itself(arguments: argparse.Namespace) -> bool:
    """The gradients and losses of mlp_ref and of XLA on the same cases, every entry within both bounds."""
    ok = True
    for dtype in DTYPES:
        worst, failed, done = 0.0, 0, 0
        for i, ((hidden, loss), spec) in enumerate(mlp_ref_targets.SPECS.items()):
            n = arguments.jax_total * (i + 1) // 12 - arguments.jax_total * i // 12
            for case in drawn(spec, n, arguments.seed + i, dtypes=[dtype]):
                params, x, y = case.arrays()
                value, gradient = loss_and_gradient(params, x, y, hidden, loss)
                jax_value, jax_gradient = xla.evaluate_by_xla(loss_function(spec), params, x, y)
                truth = Truth.of(spec, case.inputs(), dtype)
                pairs = [truth.loss, *truth.tensors]
                ours, theirs = (
                    [np.asarray(value), *tensors_of(gradient)],
                    [jax_value, *tensors_of(jax_gradient)],
                )
                done += 1
                for a, b, (_, bound) in zip(ours, theirs, pairs, strict=True):
                    with np.errstate(invalid="ignore"):
                        apart = np.where(a == b, 0.0, abs(a.astype(float) - b.astype(float)))
                    ratio = float(np.max(judged_ratios(apart, 2 * bound), initial=0.0))
                    worst = max(worst, ratio)
                    if ratio > 1 or a.shape != b.shape or not np.all(np.isfinite(a) | ~np.isfinite(b)):
                        failed += 1
                        print(f"FAILED: {case} {spec}")
        print(
            f"jax: {dtype}: {done} cases executed by JAX itself, {failed} failed; "
            f"the two differ by at most {worst:.2f} of both bounds"
        )
        ok &= failed == 0
    return ok


def throughput(arguments: argparse.Namespace) -> bool:
    """Time per case of verify.check, everything included, against jit of value_and_grad for each new shape."""
    shapes = 48
    target = mlp_ref_targets.mlp_ref_target()
    narrow = [regime for regime in REGIMES if regime != "wide"]  # widths and batches up to 32
    cases = drawn(DEFAULT, shapes, arguments.seed + 1, regimes=narrow)
    ours: list[float] = []
    theirs: list[float] = []
    rounds = 4
    for part in range(rounds):
        start = time.perf_counter()
        verify.check(target, DEFAULT, cases=arguments.cases, seed=arguments.seed + part, regimes=narrow)
        ours.append((time.perf_counter() - start) / arguments.cases)
        for case in cases[part * shapes // rounds : (part + 1) * shapes // rounds]:
            arrays = case.arrays()
            start = time.perf_counter()
            with jax.enable_x64(True):
                # A loss made anew, as in a plain loop: nothing compiled before serves again.
                call = jax.jit(jax.value_and_grad(lambda *args: loss_function(DEFAULT)(*args)))
                jax.block_until_ready(call(*arrays))
            theirs.append(time.perf_counter() - start)
        print(
            f"  round {part + 1}: check {1e3 * ours[-1]:.2f} ms a case, "
            f"jit loop {1e3 * np.mean(theirs[part * shapes // rounds :]):.0f} ms a case",
            flush=True,
        )
    ratio = float(np.mean(theirs) / np.mean(ours))
    print(
        f"throughput: {arguments.cases} cases x {rounds} rounds, {1e3 * np.mean(ours):.2f} ms a case; "
        f"jit loop {1e3 * np.mean(theirs):.0f} ms a case over {shapes} shapes; {ratio:.0f} times as fast"
    )
    return ratio >= 50


def textbook(spec: Spec) -> Callable[..., list[tuple[Any, Any]]]:
    """Backpropagation as textbooks print it: 1/(1+exp(-z)), a*(1-a), 1-a**2, p - y."""
    value = {
        "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
        "tanh": np.tanh,
        "relu": lambda z: z * (z > 0),
        "leaky_relu": lambda z: np.where(z > 0, z, z.dtype.type(0.01) * z),
        "identity": lambda z: z,
    }
    slope = {
        "sigmoid": lambda _, a: a * (1 - a),
        "tanh": lambda _, a: 1 - a**2,
        "relu": lambda z, _: (z > 0).astype(z.dtype),
        "leaky_relu": lambda z, _: np.where(z > 0, z.dtype.type(1), z.dtype.type(0.01)),
        "identity": lambda z, _: np.ones_like(z),
    }

    def softmax(z: Any) -> Any:
        e = np.exp(z - z.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    def delta(z: Any, y: Any) -> Any:
        if spec.loss == "cross_entropy":
            return softmax(z) - y
        if spec.loss == "binary_cross_entropy":
            return value["sigmoid"](z) - y
        if spec.output == "softmax":
            p = softmax(z)
            dp = 2 * (p - y)
            return p * (dp - (dp * p).sum(axis=1, keepdims=True))
        p = value[spec.output](z)
        return 2 * (p - y) * slope[spec.output](z, p)

    def gradient(params: list[Layer], x: Any, y: Any) -> list[tuple[Any, Any]]:
        activations, zs = [x], []
        for weight, bias in params:
            zs.append(activations[-1] @ weight + bias)
            activations.append(value[spec.hidden](zs[-1]))
        scale = 0.5 if spec.reduction.startswith("half_") else 1.0
        if spec.reduction.endswith("mean"):
            scale /= len(x)
        elif spec.reduction.endswith("mean_all"):
            scale /= y.size
        dz = delta(zs[-1], y) * x.dtype.type(scale)
        grads: list[tuple[Any, Any]] = []
        for i in range(len(params) - 1, -1, -1):
            weight = params[i].weight
            dweight = activations[i].T @ dz + weight * x.dtype.type(spec.l2)
            grads.append((dweight, dz.sum(axis=0)))
            if i:
                dz = (dz @ weight.T) * slope[spec.hidden](zs[i - 1], activations[i])
        return grads[::-1]

    return gradient


def peers() -> list[tuple[str, Spec, Any]]:
    """Correct implementations written differently: a name, what it is judged as, and the gradient."""
    # A textbook's exp(-z) overflows for the largest pre-activations; what it then gives is still right.
    found: list[tuple[str, Spec, Any]] = [
        ("mlp_ref", spec, target) for target, spec in mlp_ref_targets.all_mlp_ref_targets()
    ]
    found += [("textbook NumPy", spec, textbook(spec)) for spec in all_specs()]
    if importlib.util.find_spec("torch"):
        import torch

        from verify.commands import torch_gradient

        torch.set_num_threads(1)
        found += [("PyTorch", spec, torch_gradient.torch_gradient(spec)) for spec in all_specs()]
    return found


def judged(i: int, cases: int, seed: int) -> tuple[int, int, list[str]]:
    """Judge the i-th peer: how many cases, how many of them inconclusive, and what was found."""
    _, spec, gradient = peers()[i]
    report = verify.check(gradient, spec, cases=cases, seed=seed, xla=0, certified=0)
    findings = [str(report)] if report.findings else []
    return sum(report.judged.values()), sum(report.inconclusive.values()), findings


def through_xla(i: int, cases: int, seed: int) -> int:
    """Let XLA carry out cases of the i-th spec; how many. Raises Disagreement at the first outside its bound."""
    spec = all_specs()[i]
    found = drawn(spec, cases, seed + i)
    for case in found:
        worst_xla_error(spec, case)
    return len(found)


def false_alarms(arguments: argparse.Namespace) -> bool:
    """Judge correct implementations; none may be called anything but verified."""
    names = [name for name, _, _ in peers()]
    share = max(1, arguments.total // len(set(names)))
    specs = len(all_specs())
    counts = dict.fromkeys(names, (0, 0, 0))
    ok = True
    # Processes that are started anew: JAX's threads do not survive a fork.
    with ProcessPoolExecutor(arguments.jobs, multiprocessing.get_context("spawn")) as pool:
        of_xla = [
            pool.submit(through_xla, i, -(-arguments.xla_total // specs), arguments.seed)
            for i in range(specs)
        ]
        of_peers = [
            pool.submit(judged, i, -(-share // names.count(name)), arguments.seed)
            for i, name in enumerate(names)
        ]
        for name, future in zip(names, of_peers, strict=True):
            cases, vague, findings = future.result()
            before = counts[name]
            counts[name] = (before[0] + cases, before[1] + vague, before[2] + len(findings))
            for finding in findings:
                ok = False
                print(f"{name}: {finding}")
        executed = sum(future.result() for future in of_xla)
    for name, (cases, vague, found) in counts.items():
        print(f"false alarms: {name}: {found} in {cases} cases ({vague} inconclusive)")
    print(f"false alarms: JAX through XLA: 0 in {executed} cases")
    print(f"false alarms: {sum(cases for cases, _, _ in counts.values()) + executed} judged cases in all")
    return ok


def containment(arguments: argparse.Namespace) -> bool:
    """Certify the bound: JAX's formula in working precision, and the float64 reference, against the truth."""
    specs = all_specs()
    n = -(-arguments.contained // len(specs))
    worst: dict[str, float] = {}
    cases = 0
    for i, spec in enumerate(specs):
        for case in drawn(spec, n, arguments.seed + i):
            cases += 1
            program, inputs = traced_derivative(spec, case.sizes), case.inputs()
            alone = bounds.Arithmetic.alone(case.dtype, case.sizes)
            truth = balls.evaluate_certified(program, inputs, case.sizes, case.dtype)
            results = working.evaluate(program, inputs, alone)
            reference = Truth.of(spec, inputs, case.dtype)
            own = bounds.evaluate_with_bounds(program, inputs, alone)
            for ball, result, (value, bound), (_, narrow) in zip(
                truth, results, [reference.loss, *reference.tensors], own, strict=True
            ):
                for name, distance, allowed in (
                    ("JAX's formula in working precision, within its own bound", result, narrow),
                    ("the float64 reference, within the judging bound", value, bound),
                ):
                    error = balls.ball_distance(ball, distance)
                    ratio = float(np.max(judged_ratios(error, allowed), initial=0.0))
                    worst[name] = max(worst.get(name, 0.0), ratio)
                    if ratio > 1:
                        print(f"OUTSIDE ({ratio:.3g}): {name}: {case} {spec}")
    for name, ratio in worst.items():
        print(f"containment: {name}: worst {ratio:.3f} of the bound over {cases} cases")
    return max(worst.values()) <= 1


def _pairs(specs: list[Spec], n: int, seed: int, dtype: str) -> Iterator[tuple[Spec, Case, Truth]]:
    for i, spec in enumerate(specs):
        for case in drawn(spec, -(-n // len(specs)), seed + i, regimes=ORDINARY, dtypes=[dtype]):
            yield spec, case, Truth.of(spec, case.inputs(), dtype)


def tightness(arguments: argparse.Namespace) -> bool:
    """The bound over the tensor's largest entry, and the fraction of inconclusive cases, in ordinary regimes."""
    ok = True
    for name, specs in (
        ("the default network", [DEFAULT]),
        ("all that ships", list(mlp_ref_targets.SPECS.values())),
        ("all specs", all_specs()),
    ):
        for dtype in DTYPES:
            relative: list[float] = []
            vague = judged = 0
            for _, _, truth in _pairs(specs, arguments.power_cases, arguments.seed, dtype):
                judged += 1
                vague += any(vacuous(value, bound, dtype) for value, bound in truth.tensors)
                relative += [
                    float(bound.max() / abs(value).max()) for value, bound in truth.tensors if value.any()
                ]
            median = float(np.median(relative))
            print(
                f"tightness: {name}, {dtype}: median {median:.1e}, 99% below {np.quantile(relative, 0.99):.1e}; "
                f"inconclusive {vague} of {judged} ({vague / judged:.2%})"
            )
            if name == "the default network":
                ok &= vague / judged < 1e-3 and (dtype == "float32" or median <= 1e-13)
    return ok


def power(arguments: argparse.Namespace) -> bool:
    """Change one entry of one tensor by a fraction of that tensor's largest entry; how often it is caught."""
    rng = np.random.default_rng(arguments.seed)
    ok = True
    for dtype, fractions in (("float64", (1e-9, 1e-11, 1e-12)), ("float32", (1e-3, 1e-4, 1e-5))):
        caught = dict.fromkeys(fractions, 0)
        judged = 0
        for (hidden, loss), spec in mlp_ref_targets.SPECS.items():
            target = mlp_ref_targets.mlp_ref_target(hidden, loss)
            for _, case, truth in _pairs([spec], arguments.power_cases // 12, arguments.seed, dtype):
                tensors = [np.array(tensor) for tensor in tensors_of(target.gradient(*case.arrays()))]
                live = [i for i, (value, _) in enumerate(truth.tensors) if value.any()]
                i = int(rng.choice(live))
                entry = tuple(int(rng.integers(n)) for n in tensors[i].shape)
                judged += 1
                for fraction in fractions:
                    changed = [tensor.copy() for tensor in tensors]
                    changed[i][entry] += changed[i].dtype.type(fraction * abs(truth.tensors[i][0]).max())
                    caught[fraction] += judge(truth.tensors, changed, dtype).verdict == "wrong"
        shares = ", ".join(f"{fraction:g}: {n / judged:.2%}" for fraction, n in caught.items())
        print(f"power: {dtype}, {judged} cases, caught of a relative change of {shares}")
        ok &= caught[fractions[0]] / judged >= 0.999
    return ok


PARTS = {
    "jax": by_jax_itself,
    "throughput": throughput,
    "false-alarms": false_alarms,
    "containment": containment,
    "tightness": tightness,
    "power": power,
}


def main() -> int:
    """Run the parts asked for; 1 where a figure falls short of what is claimed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", choices=[*PARTS, "all"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jax-total", type=int, default=500, help="jax: cases in each dtype (default 500)")
    parser.add_argument("--cases", type=int, default=1000, help="throughput: cases a round (default 1000)")
    parser.add_argument("--total", type=int, default=99_000, help="false alarms: NumPy and PyTorch cases")
    parser.add_argument("--xla-total", type=int, default=1000, help="false alarms: cases through XLA")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, help="false alarms: processes (default: one a core)"
    )
    parser.add_argument("--contained", type=int, default=2000, help="containment: cases")
    parser.add_argument("--power-cases", type=int, default=6000, help="tightness and power: cases a row")
    arguments = parser.parse_args()
    chosen = PARTS if arguments.part == "all" else {arguments.part: PARTS[arguments.part]}
    short = [name for name, part in chosen.items() if not part(arguments)]
    if short:
        print(f"SHORT OF THE CLAIM: {', '.join(short)}")
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())
