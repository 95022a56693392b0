"""What may follow ``python -m mlp_ref``: its options, their types and their defaults."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING

from mlp_ref.activations import ACTIVATIONS
from mlp_ref.losses import LOSSES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["CLASSES", "PIXELS", "read_arguments"]

PIXELS = {"digits": 64, "mnist": 784}
CLASSES = 10
HIDDEN_SIZES = (16, 16)
# Each reaches 95 % on the digits in 20 epochs. At 1, relu's units die and identity diverges.
LEARNING_RATES = {"sigmoid": 1.0, "tanh": 1.0, "relu": 0.3, "identity": 0.1}


def read_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options, complete with defaults; print what is wrong with them and exit with status 2 otherwise.

    Parameters
    ----------
    arguments
        What follows ``python -m mlp_ref``; by default, that of this process.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.data == "mnist" and options.data_dir is None:
        parser.error("--data mnist needs --data-dir DIR, where its four files are")
    if options.data != "mnist" and options.data_dir is not None:
        parser.error("--data-dir is for --data mnist alone")
    if options.command == "train":
        options.layers = options.layers or [PIXELS[options.data], *HIDDEN_SIZES, CLASSES]
        options.learning_rate = options.learning_rate or LEARNING_RATES[options.hidden]
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m mlp_ref",
        description="Train a multilayer perceptron on images of digits, or judge one.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="train | evaluate")
    for name, purpose, add_options in (
        ("train", "train a network, judge it on the test images, save it", _add_training_options),
        ("evaluate", "judge a saved network on the test images, digit by digit", _add_evaluation_options),
    ):
        command = commands.add_parser(name, help=purpose, description=purpose.capitalize() + ".")
        add_options(command)
        command.add_argument(
            "--data", choices=list(PIXELS), default="digits", help="the images (default: %(default)s)"
        )
        command.add_argument("--data-dir", type=Path, metavar="DIR", help="where MNIST's four IDX files are")
    return parser


def _add_training_options(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    middle = ",".join(map(str, HIDDEN_SIZES))
    add(
        "--layers",
        type=_sizes,
        metavar="N,N,...",
        help=f"sizes, inputs first (default: PIXELS,{middle},{CLASSES})",
    )
    add(
        "--epochs",
        type=_whole(1),
        default=20,
        metavar="N",
        help="passes over the images (default: %(default)s)",
    )
    add("--batch-size", type=_whole(1), default=32, metavar="N", help="images a step (default: %(default)s)")
    rates = ", ".join(f"{rate:g} for {hidden}" for hidden, rate in LEARNING_RATES.items())
    add(
        "--learning-rate",
        type=_rate,
        metavar="RATE",
        help=f"times the mean gradient of a batch (default: {rates})",
    )
    add(
        "--hidden", choices=list(ACTIVATIONS), default="sigmoid", help="the activation (default: %(default)s)"
    )
    add("--loss", choices=list(LOSSES), default="cross_entropy", help="(default: %(default)s)")
    add(
        "--seed",
        type=_whole(0),
        default=0,
        metavar="N",
        help="same seed, same network (default: %(default)s)",
    )
    add("--save", type=Path, metavar="FILE", help="write the network there")


def _add_evaluation_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", type=Path, metavar="FILE", help="what train --save or MLP.save has written")


def _sizes(text: str) -> list[int]:
    sizes = [int(part) if part.strip().isdecimal() else 0 for part in text.split(",")]
    if len(sizes) < 2 or min(sizes) < 1:
        raise argparse.ArgumentTypeError(
            f"expected positive sizes and commas, such as 64,16,10, got {text!r}"
        )
    return sizes


def _whole(least: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"expected a whole number, {least} or more, got {text!r}")
        return int(text)

    return parse


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = math.nan
    if not 0 < rate < math.inf:
        raise argparse.ArgumentTypeError(f"expected a positive number, got {text!r}")
    return rate
