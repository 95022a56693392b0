"""Six correct implementations against both tiers of the verdict: ``python benchmarks/false_alarms.py``.

Each case has one truth, one bound and one band, and all six are judged by them: mlp_ref's function and its network, a
textbook in NumPy, the same row after row, PyTorch's autograd and XLA. Shapes, regimes, dtypes and layouts are those
that `verify.check` draws; each shape is filled several times, so that XLA compiles it once. Some cases of practical
size, up to 1024 units wide, are added. Ends with status 1 where one is called wrong.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from oracle_evidence import drawn, textbook

from mlp_ref import MLP, Layer, loss_and_gradient
from verify.case.case import DTYPES, Case
from verify.case.practical import practical_cases
from verify.checks.random_rounding import RandomRounding
from verify.evaluate import rounding, xla
from verify.evaluate.bounds import Arithmetic
from verify.reference.derivative import loss_function, traced_derivative
from verify.reference.judge import judge
from verify.reference.spec import Spec
from verify.reference.truth import Truth, tensors_of
from verify.subject import mlp_ref_targets

SPECS = list(mlp_ref_targets.SPECS.items())

FILLED = 32
"""Seeds for each shape."""


@dataclass
class Count:
    """The outcome of one implementation.

    ``cases`` and ``entries`` were judged; ``wrong`` cases lie outside their bounds, ``beyond`` outside their bands, and
    ``doubtful`` within the band that holds both sides of a kink alone. ``ratio`` and ``sigmas`` are the largest errors,
    in units of the bound and of sigma (the doubtful ones left out).
    """

    cases: int = 0
    entries: int = 0
    wrong: int = 0
    beyond: int = 0
    doubtful: int = 0
    ratio: float = 0.0
    sigmas: float = 0.0

    def add(self, other: Count) -> None:
        """Add another's."""
        for name in ("cases", "entries", "wrong", "beyond", "doubtful"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.ratio, self.sigmas = max(self.ratio, other.ratio), max(self.sigmas, other.sigmas)


def row_after_row(spec: Spec) -> Callable[..., list[Layer]]:
    """The textbook's gradient of one row at a time, in a running sum, divided by the rows in the end."""
    of_rows = textbook(spec)

    def gradient(params: list[Layer], x: Any, y: Any) -> list[Layer]:
        total = [[np.zeros_like(tensor) for tensor in layer] for layer in params]
        for i in range(len(x)):
            for layer, added in zip(total, of_rows(params, x[i : i + 1], y[i : i + 1]), strict=True):
                for tensor, part in zip(layer, added, strict=True):
                    tensor += part
        return [Layer(*(tensor / x.dtype.type(len(x)) for tensor in layer)) for layer in total]

    return gradient


def of_network(hidden: str, loss: str) -> Callable[..., list[Layer]]:
    """The gradient of an `mlp_ref.MLP`, which works in arrays of its own."""

    def gradient(params: list[Layer], x: Any, y: Any) -> list[Layer]:
        sizes = [len(params[0].weight), *(len(layer.bias) for layer in params)]
        net = MLP(sizes, hidden=hidden, loss=loss, dtype=x.dtype)
        for mine, given in zip(net.params, params, strict=True):
            mine.weight[...], mine.bias[...] = given
        return net.loss_and_gradient(x, y)[1]

    return gradient


def implementations(hidden: str, loss: str, spec: Spec) -> dict[str, Callable[..., Any]]:
    """Six gradients of one Spec, by name."""
    import torch

    from verify.commands import torch_gradient

    torch.set_num_threads(1)
    return {
        "mlp_ref's function": lambda *arrays: loss_and_gradient(*arrays, hidden, loss)[1],
        "mlp_ref's network": of_network(hidden, loss),
        "textbook NumPy": textbook(spec),
        "row after row": row_after_row(spec),
        "PyTorch": torch_gradient.torch_gradient(spec),
        "XLA": lambda *arrays: xla.evaluate_by_xla(loss_function(spec), *arrays)[1],
    }


class Band:
    """The band of one case; that which holds both sides of a kink is made where it is asked for."""

    def __init__(self, spec: Spec, case: Case, inputs: list[Any], tier: RandomRounding) -> None:
        parameters = sum(array.size for array in inputs[:-2])
        self.quantile, self._samples = tier.quantile(parameters)
        self._of = traced_derivative(spec, case.sizes), inputs, Arithmetic.judging(case.dtype, case.sizes)
        self.pairs = self._made(either=False)

    def _made(self, either: bool) -> list[Any]:
        return rounding.evaluate_under_rounding(*self._of, self.quantile, self._samples, either)

    def sigmas(self, tensors: list[Any], either: bool = False) -> float:
        """Return the largest error of some results in units of sigma."""
        worst = 0.0
        for tensor, (value, sigma) in zip(tensors, self._made(True) if either else self.pairs, strict=True):
            with np.errstate(all="ignore"):
                error = np.where(tensor == value, 0.0, abs(tensor - value) / sigma)
            error = np.where(np.isfinite(sigma), np.where(np.isnan(error), np.inf, error), 0.0)
            worst = max(worst, float(error.max(initial=0.0)))
        return worst


def cases_of(i: int, part: int, arguments: argparse.Namespace) -> Iterator[Case]:
    """Yield the cases of one part of the i-th Spec: each shape filled several times, then those of practical size."""
    spec, seed = SPECS[i][1], arguments.seed + 1000 * i + part
    for shape in drawn(spec, arguments.shapes, seed):
        for k in range(FILLED):
            yield replace(shape, seed=shape.seed + k)
    for k in range(arguments.practical):
        yield from practical_cases(spec, 100 * seed + k, dtypes=DTYPES)


def judged(i: int, part: int, arguments: argparse.Namespace) -> dict[str, Count]:
    """Judge the six on one part of the i-th Spec's cases."""
    (hidden, loss), spec = SPECS[i]
    six = implementations(hidden, loss, spec)
    counts = {name: Count() for name in six}
    tier = RandomRounding(cases=100_000)
    for case in cases_of(i, part, arguments):
        inputs = case.inputs()
        truth = Truth.of(spec, inputs, case.dtype)
        band = Band(spec, case, truth.inputs, tier)
        for name, gradient in six.items():
            with np.errstate(all="ignore"):
                tensors = [np.asarray(tensor) for tensor in tensors_of(gradient(*case.arrays()))]
            found, sigmas = judge(truth.tensors, tensors, case.dtype), band.sigmas(tensors)
            count = counts[name]
            count.cases += 1
            count.entries += sum(tensor.size for tensor in tensors)
            count.ratio = max(count.ratio, found.ratio)
            if found.verdict == "wrong":
                count.wrong += 1
                print(f"WRONG: {name}: {case} {spec}: {found}", flush=True)
            if sigmas <= band.quantile:
                count.sigmas = max(count.sigmas, sigmas)
            elif (sigmas := band.sigmas(tensors, either=True)) <= band.quantile:
                count.doubtful += 1
            else:
                count.beyond += 1
                print(f"BEYOND: {name}: {case} {spec}: {sigmas:.3g} sigma", flush=True)
    return counts


def main() -> int:
    """Judge; 1 where a correct implementation is called wrong, or lies beyond its band."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--shapes", type=int, default=11, help=f"a part of a Spec, each filled {FILLED} times (default 11)"
    )
    parser.add_argument("--parts", type=int, default=4, help="of each of the 12 Specs (default 4)")
    parser.add_argument(
        "--practical", type=int, default=1, help="times four cases of practical size a part (default 1)"
    )
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: one a core)"
    )
    arguments = parser.parse_args()
    start = time.perf_counter()
    totals: dict[str, Count] = {}
    # Processes that are started anew: JAX's threads do not survive a fork.
    with ProcessPoolExecutor(arguments.jobs, multiprocessing.get_context("spawn")) as pool:
        parts = [
            pool.submit(judged, i, part, arguments)
            for part in range(arguments.parts)
            for i in range(len(SPECS))
        ]
        for done, future in enumerate(parts, start=1):
            for name, count in future.result().items():
                totals.setdefault(name, Count()).add(count)
            print(f"\r{done} of {len(parts)} parts", end="", file=sys.stderr, flush=True)
    print(
        f"\n{'':20}{'cases':>9}{'entries':>13}{'wrong':>7}{'beyond':>8}{'in doubt':>10}{'bounds':>8}{'sigmas':>8}"
    )
    for name, count in totals.items():
        print(
            f"{name:20}{count.cases:9,}{count.entries:13,}{count.wrong:7}{count.beyond:8}{count.doubtful:10}"
            f"{count.ratio:8.2f}{count.sigmas:8.2f}"
        )
    judgements = sum(count.cases for count in totals.values())
    alarms = sum(count.wrong + count.beyond for count in totals.values())
    seconds = time.perf_counter() - start
    print(f"false alarms: {alarms} in {judgements:,} judgements by both tiers, in {seconds:.0f} s")
    return 1 if alarms else 0


if __name__ == "__main__":
    sys.exit(main())
