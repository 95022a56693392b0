"""``python -m verify accuracy``: the error of each implementation, against certified enclosures of the truth.

Two tables. The first gives, for each regime and dtype, the error in units of the bound, which is what JAX's formula
may lose at that precision: the worst over all cases, and the mean of the cases' worst. The worst of a few hundred
roundings is luck, so two means are called different only where they are so by two standard errors of the cases'
differences. The second gives the relative error of the output delta (the last bias gradient at batch 1) in units of
the unit roundoff u, for logits that are exact, so that nothing but the formula is measured.
"""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from mlp_ref.params import Layer
from verify.case.case import DTYPES, REGIMES, Case
from verify.evaluate import balls, bounds, xla
from verify.evaluate.array import Array
from verify.reference.derivative import loss_function, traced_derivative
from verify.reference.judge import judged_ratios
from verify.reference.spec import Spec
from verify.reference.truth import sizes_of_inputs, tensors_of
from verify.subject import mlp_ref_targets

Implementation = Callable[[list[Layer], Array, Array], list[Layer]]

# XLA compiles for each new shape: every regime keeps to one.
_SIZES: dict[str, tuple[int, ...]] = {
    "width_1": (5, 1, 3),
    "no_hidden": (5, 3),
    "deep": (4, 4, 4, 4, 4, 3),
    "wide": (5, 40, 3),
}


def implementations(hidden: str, loss: str) -> dict[str, Implementation]:
    """The implementations whose accuracy is compared: mlp_ref, JAX through XLA, and PyTorch where it is installed."""
    spec = mlp_ref_targets.SPECS[hidden, loss]
    found: dict[str, Implementation] = {
        "mlp_ref": mlp_ref_targets.mlp_ref_target(hidden, loss).gradient,
        "JAX": lambda params, x, y: xla.evaluate_by_xla(loss_function(spec), params, x, y)[1],
    }
    if importlib.util.find_spec("torch"):
        from verify.commands import torch_gradient

        found["PyTorch"] = torch_gradient.torch_gradient(spec)
    return found


def errors_in_bounds(spec: Spec, case: Case, found: dict[str, Implementation]) -> dict[str, float]:
    """The worst error of each implementation at a case, in units of the bound for its dtype alone."""
    program, inputs = traced_derivative(spec, case.sizes), case.inputs()
    at = bounds.Arithmetic.alone(case.dtype, case.sizes)
    _, *pairs = bounds.evaluate_with_bounds(program, inputs, at)
    _, *truth = balls.evaluate_certified(program, inputs, case.sizes, case.dtype)
    worst = {}
    for name, gradient in found.items():
        results = tensors_of(gradient(*case.arrays()))
        worst[name] = max(
            float(np.max(judged_ratios(balls.ball_distance(ball, result), bound), initial=0.0))
            for ball, result, (_, bound) in zip(truth, results, pairs, strict=True)
        )
    return worst


def confident_row_for_accuracy(dtype: str, seed: int) -> tuple[list[Layer], Array, Array]:
    """One row and one layer whose logits are exact and far apart, and whose target is the largest.

    The logits are multiples of 1/8 between 0 and 80 (float32) or 600 (float64): the smallest probabilities are
    still normal numbers. The largest leads by so much that one minus its probability has no digit left.
    """
    rng = np.random.default_rng(seed)
    classes = 5
    span, lead = (80, 18) if dtype == "float32" else (600, 38)  # the lead: exp(-lead) < u / 2
    logits = rng.integers(0, 8 * (span - lead), size=classes) / 8
    target = int(rng.integers(classes))
    logits[target] = rng.integers(8 * (np.delete(logits, target).max() + lead), 8 * span + 1) / 8
    weight = (logits[np.newaxis, :] - 1).astype(dtype)
    y = np.eye(classes, dtype=dtype)[[target]]
    return [Layer(weight, np.ones(classes, dtype=dtype))], np.ones((1, 1), dtype=dtype), y


def delta_errors(spec: Spec, dtype: str, seed: int, found: dict[str, Implementation]) -> dict[str, float]:
    """The largest relative error of each implementation's output delta, in units of u.

    Entries below the smallest normal number are left out: there the format itself has fewer digits.
    """
    params, x, y = confident_row_for_accuracy(dtype, seed)
    inputs = [np.asarray(array, dtype=np.float64) for array in (*tensors_of(params), x, y)]
    sizes = sizes_of_inputs(inputs)
    truth = balls.evaluate_certified(traced_derivative(spec, sizes), inputs, sizes, dtype)[-1]
    info = np.finfo(np.dtype(dtype).type)
    magnitude = abs(balls.ball_middle(truth))
    normal = magnitude >= float(info.tiny)
    return {
        name: float(
            np.max(
                balls.ball_distance(truth, gradient(params, x, y)[-1][1])[normal] / magnitude[normal],
                initial=0.0,
            )
            / (float(info.eps) / 2)
        )
        for name, gradient in found.items()
    }


@dataclass(frozen=True)
class AccuracyRow:
    """The errors of one regime and dtype: for each implementation, the worst error of each case."""

    regime: str
    dtype: str
    errors: dict[str, Array]

    def excess(self, name: str, other: str) -> float:
        """The excess of the mean of ``name`` over that of ``other``, case by case, in standard errors."""
        apart = self.errors[name] - self.errors[other]
        spread = float(np.std(apart, ddof=1) / np.sqrt(len(apart))) if len(apart) > 1 else 0.0
        return float(np.mean(apart)) / spread if spread else 0.0


def _rows(hidden: str, loss: str, cases: int) -> Iterator[AccuracyRow]:
    """Every implementation's errors in units of the bound, over seeded cases of each dtype and regime."""
    spec = mlp_ref_targets.SPECS[hidden, loss]
    found = implementations(hidden, loss)
    usual = {"distribution": "one_hot", "real": "real"}[spec.targets]
    for dtype in DTYPES:
        for regime in REGIMES:
            labels = "soft" if regime == "soft_labels" and usual == "one_hot" else usual
            batch = 1 if regime == "batch_1" else 4
            errors: dict[str, list[float]] = {name: [] for name in found}
            for seed in range(cases):
                case = Case(_SIZES.get(regime, (5, 4, 3)), batch, dtype, regime, labels, "C", seed)
                for name, error in errors_in_bounds(spec, case, found).items():
                    errors[name].append(error)
            yield AccuracyRow(regime, dtype, {name: np.array(values) for name, values in errors.items()})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``python -m verify accuracy``."""
    parser.add_argument("--cases", type=int, default=20, help="cases for each regime and dtype (default 20)")
    parser.add_argument(
        "--hidden", default="sigmoid", choices=sorted({hidden for hidden, _ in mlp_ref_targets.SPECS})
    )
    parser.add_argument(
        "--loss", default="cross_entropy", choices=sorted({loss for _, loss in mlp_ref_targets.SPECS})
    )


def run(arguments: argparse.Namespace) -> int:
    """Run ``verify accuracy``: print both tables, and where mlp_ref's error is larger than JAX's, or smaller; 0."""
    names = list(implementations(arguments.hidden, arguments.loss))
    print(f"Error in units of the bound, {arguments.cases} cases a row")
    print(f"({arguments.hidden} hidden, {arguments.loss}; certified by interval arithmetic)\n")
    width = 10 * len(names)
    print(f"{'':25}{'worst of all cases':>{width}}{'mean of their worst':>{width}}")
    print(f"{'regime':16}{'dtype':9}" + "".join(f"{name:>10}" for name in 2 * names))
    measured = []
    for row in _rows(arguments.hidden, arguments.loss, arguments.cases):
        figures = [statistic(row.errors[name]) for statistic in (np.max, np.mean) for name in names]
        print(f"{row.regime:16}{row.dtype:9}" + "".join(f"{figure:10.3f}" for figure in figures), flush=True)
        measured.append(row)
    print()
    for line in compare_accuracy(measured):
        print(line)
    if arguments.loss != "mse":
        print(
            "\nRelative error of the output delta in saturation, in units of u (1/u means no digit is right)\n"
        )
        print(f"{'loss':16}{'dtype':9}" + "".join(f"{name:>10}" for name in names) + f"{'1/u':>10}")
        for loss in ("cross_entropy", "softmax_mse"):
            found = implementations(arguments.hidden, loss)
            for dtype in DTYPES:
                worst = dict.fromkeys(names, 0.0)
                for seed in range(arguments.cases):
                    for name, error in delta_errors(
                        mlp_ref_targets.SPECS[arguments.hidden, loss], dtype, seed, found
                    ).items():
                        worst[name] = max(worst[name], error)
                inverse = 2 / float(np.finfo(np.dtype(dtype).type).eps)
                columns = "".join(f"{worst[name]:10.3g}" for name in names)
                print(f"{loss:16}{dtype:9}{columns}{inverse:10.2g}")
    return 0


def compare_accuracy(measured: list[AccuracyRow]) -> list[str]:
    """Return where mlp_ref's error is larger than JAX's, and where smaller, in words."""

    def named(chosen: Callable[[AccuracyRow], bool], figure: Callable[[Array], float]) -> str:
        listed = [
            f"{row.regime} {row.dtype} ({figure(row.errors['mlp_ref']) / figure(row.errors['JAX']):.2f} times)"
            for row in measured
            if chosen(row)
        ]
        return f"{len(listed)} of {len(measured)}" + (f": {', '.join(listed)}" if listed else "")

    def worst(errors: Array) -> float:
        return float(np.max(errors))

    def mean(errors: Array) -> float:
        return float(np.mean(errors))

    return [
        "mlp_ref's worst error is larger than JAX's in "
        + named(lambda row: worst(row.errors["mlp_ref"]) > worst(row.errors["JAX"]), worst),
        "its mean error is larger, by more than two standard errors, in "
        + named(lambda row: row.excess("mlp_ref", "JAX") > 2, mean),
        "its mean error is smaller, by more than two standard errors, in "
        + named(lambda row: row.excess("mlp_ref", "JAX") < -2, mean),
    ]
