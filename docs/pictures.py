"""Draw the pictures of the documentation: ``python docs/pictures.py``, with the extras report, plot and verify.

The pages of the two reports are photographed where Chromium and its driver are installed, and else left as they are.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import verify
from mlp_ref import MLP, datasets, loss_and_gradient, plots
from verify.checks.figure_axes import OUTSIDE, WITHIN, figure_of_axes, new_axes
from verify.commands.mistakes import command
from verify.diagnosis.mistakes import CATALOGUE, wrong_gradient
from verify.evaluate import balls, bounds
from verify.evaluate.moves import MOVES
from verify.reference.derivative import traced_derivative

HERE = Path(__file__).parent / "pictures"


def main() -> None:
    """Write every picture."""
    HERE.mkdir(exist_ok=True)
    (x, y), test = datasets.load_digits()
    net = MLP([64, 32, 10], seed=0)
    history = net.fit(x, y, epochs=20, learning_rate=1.0, validation=test)
    plots.training(history, names=("training", "test")).savefig(HERE / "training.png", dpi=100)
    plots.evaluation(net, *test).savefig(HERE / "evaluation.png", dpi=80)
    mistake = next(mistake for mistake in CATALOGUE if mistake.name == "bias_none")
    reports = {
        "verified": verify.check(lambda *arrays: loss_and_gradient(*arrays)[1], cases=300),
        "failing": verify.check(wrong_gradient(verify.Spec(), mistake), cases=300),
    }
    reports["verified"].plot().savefig(HERE / "errors.png", dpi=100)
    reports["failing"].findings[0].plot().savefig(HERE / "finding.png", dpi=100)
    bound_on_its_way(verify.Case((784, 16, 16, 10), 8)).savefig(HERE / "bound.png", dpi=100)
    score_by_family(HERE / "families.png")
    photograph({f"report-{name}": report.to_html() for name, report in reports.items()})
    mistake = next(mistake for mistake in CATALOGUE if mistake.name == "rows_left_out")
    report = verify.check(wrong_gradient(verify.Spec(), mistake), cases=60, diagnose=False)
    photograph({"rows": report.to_html()}, width=800, part="section:has(> div > figure > svg.rows)")


def bound_on_its_way(case: verify.Case, bits: int = 192) -> Any:
    """Draw the bound and the true error of each intermediate of JAX's derivative, in the order of the operations.

    The bound is on the distance between the exact value and any evaluation in float64; the error is that of NumPy's
    evaluation, from certified balls. Both are the largest of an array, in units of the array's largest entry.
    Operations that only move numbers are left out.
    """
    spec, inputs, sizes = verify.Spec(), case.inputs(), case.sizes
    program = traced_derivative(spec, sizes)
    operations = [operation for operation in program.operations if operation.name not in MOVES]
    everything = replace(program, outputs=tuple(operation.results[0] for operation in operations))
    pairs = bounds.evaluate_with_bounds(everything, inputs, bounds.Arithmetic.alone("float64", sizes))
    exact = balls.evaluate_at_precision(everything, inputs, sizes, bits)
    steps, products = [], []
    weights = {inputs[i].shape for i in range(0, 2 * len(case.layer_sizes) - 2, 2)}
    for operation, (value, bound), ball in zip(operations, pairs, exact, strict=True):
        largest = abs(value).max() if value.dtype == float and value.size else 0.0
        if not largest or not bound.any():
            continue
        if operation.name == "dot_general":
            products.append((len(steps), value.shape in weights or value.T.shape in weights))
        steps.append(
            (operation.name, bound.max() / largest, balls.ball_distance(ball, value).max() / largest)
        )
    return _travelled(steps, products, len(case.layer_sizes) - 1)


def _travelled(steps: list[tuple[str, float, float]], products: list[tuple[int, bool]], depth: int) -> Any:
    """Draw (name, bound, error) of each operation; the matrix products are named, those of weight gradients true."""
    (axis,) = new_axes(size=(8.8, 4.8))
    names = [name for name, _, _ in steps]
    bound, error = np.array([numbers for _, *numbers in steps]).T
    places = np.arange(len(steps))
    axis.semilogy(
        places, bound, "-", marker="s", ms=3.5, color=OUTSIDE, lw=1, label="bound, for any float64 code"
    )
    seen = error > 0
    axis.semilogy(
        places[seen], error[seen], "o", ms=4, color=WITHIN, mfc="none", label="error of NumPy's float64"
    )
    axis.axhline(2.0**-53, color="grey", ls=":", lw=1, label="u, one rounding")
    layer, words = depth, []
    for i, (place, of_weight) in enumerate(products):
        if i < depth:
            words.append((place, f"z{i + 1} = a{i} W{i + 1}"))
        else:
            words.append((place, f"dW{layer}" if of_weight else f"da{layer - 1} = dz{layer} W{layer}ᵀ"))
            layer -= 0 if of_weight else 1
    for place, text in words:
        axis.axvline(place, color="grey", lw=0.8, alpha=0.5)
        axis.text(place, 1.02, text, rotation=60, fontsize=8, transform=axis.get_xaxis_transform())
    axis.set_xticks(places, names, rotation=90, fontsize=7)
    axis.set_xlim(-1, len(steps) + 0.5)
    axis.set_xlabel("operations of JAX's derivative, in their order: forward to the loss, and back")
    axis.set_ylabel("of the array's largest entry")
    axis.grid(alpha=0.3, axis="y")
    figure_of_axes(axis).legend(frameon=False, loc="outside lower center", ncols=3, fontsize=9)
    return figure_of_axes(axis)


def score_by_family(path: Path) -> None:
    """Let the command draw it: all of the catalogue in the first configuration, judged by other criteria too."""
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    command.run(
        parser.parse_args(["--others", "--configurations", "1", "--cases", "200", "--plot", str(path)])
    )


def photograph(pages: dict[str, str], width: int = 1200, part: str = "") -> None:
    """Write a picture of the top of each page, or of a part of it by its CSS selector, where a browser is installed."""
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if browser is None or driver is None:
        print("chromium and chromedriver are not installed: the pictures of the pages stay as they are")
        return
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"):
        options.add_argument(argument)
    chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    screen = {"width": width, "height": 1250, "deviceScaleFactor": 1, "mobile": False}
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    with tempfile.TemporaryDirectory() as folder:
        for name, page in pages.items():
            file = Path(folder) / f"{name}.html"
            file.write_text(page, encoding="utf-8")
            chrome.get(file.as_uri())
            place = str(HERE / f"{name}.png")
            if part:
                chrome.find_element("css selector", part).screenshot(place)
            else:
                chrome.save_screenshot(place)
    chrome.quit()


if __name__ == "__main__":
    main()
