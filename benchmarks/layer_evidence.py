"""Measure the oracle of layers: false alarms, the chapter's mistakes, PyTorch, and seconds.

    python benchmarks/layer_evidence.py right [CASES]      # correct NumPy backward passes: false alarms
    python benchmarks/layer_evidence.py torch [CASES]      # torch.nn.functional through autograd
    python benchmarks/layer_evidence.py mistakes [CASES]   # caught, named, wrong names
    python benchmarks/layer_evidence.py seconds            # the verdict on a right and on a wrong convolution
    python benchmarks/layer_evidence.py throughput OTHER   # networks: cases a second against another checkout

It ends with status 1 where a claim does not hold. Names of references or mistakes may follow to select some.
"""

from __future__ import annotations

import concurrent.futures
import functools
import multiprocessing
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import verify  # noqa: E402
from tests.verify.reference.layers.right import RIGHT  # noqa: E402
from verify.diagnosis.layer_diagnosis import explain_layer  # noqa: E402
from verify.diagnosis.layer_mistake_program import layer_mistake_program  # noqa: E402
from verify.diagnosis.mistakes.layers import LAYER_CATALOGUE, LayerMistake  # noqa: E402
from verify.evaluate.bounds import Arithmetic, evaluate_with_bounds  # noqa: E402
from verify.reference.layers import NAMES, reference_in_table  # noqa: E402
from verify.reference.reference import Reference  # noqa: E402
from verify.subject.layers.target import LayerTarget, TargetReturned  # noqa: E402


def right(cases: int, names: list[str]) -> bool:
    """Judge a correct backward pass of every reference; every verdict but "verified" is a false alarm."""
    alarms = judged = vague = 0
    for name, report in _each(functools.partial(_right, cases), names or list(NAMES)):
        judged, vague = judged + sum(report.judged.values()), vague + sum(report.inconclusive.values())
        alarms += not report.ok
        beside = report.random_rounding.cases if report.random_rounding else 0
        print(
            f"{name:26} {report.verdict:13} {report.seconds:6.1f} s, {beside} beside their bands", flush=True
        )
        if not report.ok or report.left:
            print(report)
    print(f"false alarms: {alarms} of {len(names or NAMES)} references, {judged} cases, {vague} inconclusive")
    return alarms == 0


def _right(cases: int, name: str) -> verify.Report:
    return verify.check_backward(RIGHT[name], reference=name, cases=cases)


def _each(judge: Any, names: list[str]) -> Iterator[tuple[str, Any]]:
    """Yield what a function says of each name, as each is done, from two processes; the longest are begun first."""
    names = sorted(names, key=lambda name: not any(word in name for word in _LONG))
    with concurrent.futures.ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        of_name = {pool.submit(judge, name): name for name in names}
        for done in concurrent.futures.as_completed(of_name):
            yield of_name[done], done.result()


_LONG = ("conv", "lstm", "gru", "pool", "attention", "group")


EXPLAINED = {
    "gelu": "PyTorch's kernel of gelu's derivative, in float32 on CPUs, does not call its own erf, which is right to "
    "an ulp: its result is off by up to 2e-7, more than the roundings of the formula allow near 0. The same formula in "
    "PyTorch's own operations must be verified."
}
"""References at which PyTorch's own function is imprecise, and why."""


def torch(cases: int, names: list[str]) -> bool:
    """Judge PyTorch's derivative of every reference that it has."""
    from tests.verify.reference.layers.with_torch import COMPOSED, SHAPES, TORCH

    def verified(name: str, function: Any, told: str) -> bool:
        target = verify.torch_layer(function)
        report = verify.check_backward(target, reference=name, shapes=SHAPES.get(name), cases=cases)
        notes = "; ".join(report.notes[1:])
        print(f"{told:26} {report.verdict:13} {report.seconds:6.1f} s  {notes}", flush=True)
        if not report.ok:
            print(report)
        return report.ok or (name in EXPLAINED and function is TORCH[name] and report.verdict == "imprecise")

    failed = 0
    for name in names or TORCH:
        failed += not verified(name, TORCH[name], name)
        if name in EXPLAINED:
            print(f"{name}: {EXPLAINED[name]} Certified: {_errors_at_zero(TORCH[name], COMPOSED[name])}")
            failed += not verified(name, COMPOSED[name], f"{name}, composed")
    print(f"neither verified nor explained: {failed} of {len(names or TORCH)}")
    return failed == 0


def _errors_at_zero(*functions: Any) -> str:
    """Return in words how far gradients of gelu lie from certified balls, in float32 near 0, where they are a half."""
    import flint
    import torch as pytorch

    x = np.linspace(-0.01, 0.01, 4096, dtype=np.float32)
    told = []
    for function in functions:
        tensor = pytorch.from_numpy(x).requires_grad_()
        function(tensor).sum().backward()
        with flint.ctx.workprec(200):
            worst = max(
                abs(float(got) - _gelu_slope(flint.arb(float(z)))).abs_upper()
                for got, z in zip(tensor.grad.numpy(), x, strict=True)
            )
        told.append(f"{float(worst) / np.finfo(np.float32).eps * 2:.2f} u")
    return " and, composed, ".join(told)


def _gelu_slope(x: Any) -> Any:
    import flint

    return (1 + (x / flint.arb(2).sqrt()).erf()) / 2 + x * (-x * x / 2).exp() / (2 * flint.arb.pi()).sqrt()


def mutant(mistake: LayerMistake, reference: Reference) -> LayerTarget:
    """A target that makes a mistake: its values in float64, rounded to the dtype that is asked for."""

    def run(inputs: Any, options: Any, cotangents: list[Any]) -> TargetReturned:
        setting = reference.at(_sizes(reference, inputs, options), options)
        program = layer_mistake_program(mistake, setting)
        given = setting.backward.inputs(tuple(inputs.values()), setting.cotangent(cotangents))
        dtype = np.asarray(cotangents[0]).dtype
        pairs = evaluate_with_bounds(program, given, Arithmetic.judging("float64", {}))
        return TargetReturned(None, tuple(value.astype(dtype) for value, _ in pairs))

    return LayerTarget(run, mistake.name)


def _sizes(reference: Reference, inputs: Any, options: Any) -> dict[str, int]:
    """The sizes of the symbols, from the shapes of the inputs: an axis is a symbol, or a product with known ones."""
    sizes = {value: options[key] for key, value in reference.options.items() if isinstance(value, str)}
    axes = [
        (axis, length)
        for name, shape in reference.shapes.items()
        for axis, length in zip(shape.text.split(), inputs[name].shape, strict=True)
    ]
    for axis, length in sorted(axes, key=lambda pair: "*" in pair[0]):
        *known, last = sorted(axis.split("*"), key=lambda part: part not in sizes and not part.isdigit())
        factor = 1
        for part in known:
            factor *= int(part) if part.isdigit() else sizes[part]
        if not last.isdigit():
            sizes.setdefault(last, length // factor)
    return sizes


def mistakes(cases: int, names: list[str]) -> bool:
    """Judge every mistake as a target: caught, and named by itself or by what gives the same numbers."""
    tried = caught = by_name = alone = wrong_names = 0
    chosen = [m.name for m in LAYER_CATALOGUE if not names or m.name in names or _layer_of(m) in names]
    for name, (verdict, found, names_found, place) in _each(functools.partial(_mistaken, cases), chosen):
        tried, caught = tried + 1, caught + found
        by_name += name in names_found
        alone += names_found == (name,)
        wrong_names += bool(names_found) and name not in names_found
        print(f"{name:40} {verdict:9} {', '.join(names_found)}  ({place})", flush=True)
    print(
        f"caught {caught} of {tried}, named {by_name} ({by_name / max(tried, 1):.1%}), "
        f"alone {alone}, wrong names {wrong_names}"
    )
    return caught == tried and wrong_names == 0


def _layer_of(mistake: LayerMistake) -> str:
    return (mistake.layers or ("affine",))[0]


def _mistaken(cases: int, name: str) -> tuple[str, bool, tuple[str, ...], str]:
    """The verdict on a mistake, whether the gradient was caught, what it was named, and on which case."""
    [mistake] = [m for m in LAYER_CATALOGUE if m.name == name]
    layer = _layer_of(mistake)
    reference = reference_in_table(layer)
    target = mutant(mistake, reference)
    report = verify.check_backward(
        target, reference=layer, cases=cases, xla=0, certified=0, diagnose=False, false_alarm=0
    )
    found = [finding for finding in report.findings if finding.check == "gradient"]
    names = explain_layer(target, reference, found[0].case).mistakes if found else ()
    return report.verdict, bool(found), names, f"{layer}, {found[0].case.described()}" if found else layer


def seconds(cases: int, _: list[str]) -> bool:
    """The verdict on a right convolution, and on a wrong one."""

    def wrong(dout: Any, x: Any, w: Any, b: Any, *, stride: int, pad: int) -> Any:
        dx, dw, db = RIGHT["conv2d"](dout, x, w, b, stride=stride, pad=pad)
        return dx, dw, db / dout.dtype.type(x.shape[0])

    for name, backward in (("right", RIGHT["conv2d"]), ("wrong", wrong)):
        start = time.perf_counter()
        report = verify.check_backward(backward, reference="conv2d", cases=cases)
        wall, found = time.perf_counter() - start, report.findings
        print(
            f"{name}: {report.verdict} after {wall:.1f} s {', '.join(found[0].mistakes) if found else ''}",
            flush=True,
        )
    return True


_NETWORKS = """
import time, verify
from mlp_ref import loss_and_gradient
def gradient(params, x, y):
    return loss_and_gradient(params, x, y)[1]
verify.check(gradient, cases=50)
start = time.perf_counter()
verify.check(gradient, cases=1000, xla=0, certified=0)
print(1000 / (time.perf_counter() - start))
"""


def throughput(other: str) -> bool:
    """Cases a second of networks, here and in another checkout, taken in turns; the median ratio of five."""
    ratios = []
    for _ in range(5):
        rates = [
            float(
                subprocess.run(
                    [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(place)!r})\n{_NETWORKS}"],
                    capture_output=True,
                    text=True,
                    check=True,
                    cwd=place,
                ).stdout
            )
            for place in (ROOT, Path(other))
        ]
        ratios.append(rates[0] / rates[1])
        print(f"here {rates[0]:.0f}, there {rates[1]:.0f} cases a second", flush=True)
    print(f"ratio {sorted(ratios)[2]:.2f}")
    return True


if __name__ == "__main__":
    part, *rest = sys.argv[1:] or [""]
    parts = {
        "right": (right, 1000),
        "torch": (torch, 300),
        "mistakes": (mistakes, 150),
        "seconds": (seconds, 300),
    }
    if part == "throughput" and rest:
        sys.exit(not throughput(rest[0]))
    if part not in parts:
        sys.exit(__doc__)
    measure, usual = parts[part]
    count = int(rest.pop(0)) if rest and rest[0].isdigit() else usual
    sys.exit(not measure(count, rest))
