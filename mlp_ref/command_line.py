"""The command line of ``python -m mlp_ref``: its options, their types and their defaults."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING

from mlp_ref.activations import ACTIVATIONS
from mlp_ref.losses import LOSSES
from mlp_ref.schedules import SCHEDULES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["CLASSES", "FRACTION_HELD_OUT", "PIXELS", "read_command_line"]

PIXELS = {"digits": 64, "mnist": 784}
CLASSES = 10
HIDDEN_SIZES = (16, 16)
# Each reaches 95 % on the digits in 20 epochs. At 1, relu's units die and identity diverges.
LEARNING_RATES = {"sigmoid": 1.0, "tanh": 1.0, "relu": 0.3, "identity": 0.1}
SAFE_RATE = 0.1  # of an activation that nobody has tried yet
ADAM_RATE = 0.01
EPOCHS = {"sgd": 20, "adam": 20, "lbfgs": 200}
FRACTION_HELD_OUT = 0.1


def read_command_line(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options, complete with defaults; print what is wrong with them and exit with status 2 otherwise.

    Parameters
    ----------
    arguments
        The words after ``python -m mlp_ref``; by default, those of this process.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.data == "mnist" and options.data_dir is None:
        parser.error("--data mnist needs --data-dir DIR, where its four files are")
    if options.data != "mnist" and options.data_dir is not None:
        parser.error("--data-dir is for --data mnist alone")
    if options.command == "train":
        options.layers = options.layers or [PIXELS[options.data], *HIDDEN_SIZES, CLASSES]
        if options.solver != "sgd" and (options.momentum or options.nesterov):
            parser.error("--momentum and --nesterov are for --solver sgd alone")
        if options.nesterov and not options.momentum:
            parser.error("--nesterov needs --momentum, such as --momentum 0.9")
        if options.resume and options.checkpoint is None:
            parser.error("--resume needs --checkpoint DIR, the directory of the training to go on with")
        if options.checkpoint is not None and options.solver == "lbfgs":
            parser.error("--checkpoint is for --solver sgd and adam")
        options.epochs = options.epochs or EPOCHS[options.solver]
        options.learning_rate = options.learning_rate or _default_rate(options)
    return options


def _default_rate(options: argparse.Namespace) -> float:
    if options.solver == "adam":
        return ADAM_RATE
    # Where a gradient stays the same, momentum makes the steps 1 / (1 - momentum) times as long.
    return LEARNING_RATES.get(options.hidden, SAFE_RATE) * (1.0 - float(options.momentum))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m mlp_ref",
        description="Train a multilayer perceptron on images of digits, or judge one.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="train | evaluate")
    for name, purpose, add_options, drawn in (
        (
            "train",
            "train a network, judge it on the test images, save it",
            _add_training_options,
            "loss and accuracy of both sets over the epochs",
        ),
        (
            "evaluate",
            "judge a saved network on the test images, digit by digit",
            _add_evaluation_options,
            "the answers, the worst mistakes and the first layer's weights",
        ),
    ):
        command = commands.add_parser(name, help=purpose, description=purpose.capitalize() + ".")
        add_options(command)
        command.add_argument(
            "--data", choices=list(PIXELS), default="digits", help="the images (default: %(default)s)"
        )
        command.add_argument(
            "--plot",
            type=Path,
            metavar="FILE",
            help=f"draw {drawn} there, as .png, .svg or .pdf (needs matplotlib)",
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
        metavar="N",
        help=f"passes over the images (default: {EPOCHS['sgd']}; {EPOCHS['lbfgs']} for lbfgs)",
    )
    add("--batch-size", type=_whole(1), default=32, metavar="N", help="images a step (default: %(default)s)")
    rates = ", ".join(f"{rate:g} for {hidden}" for hidden, rate in LEARNING_RATES.items())
    add(
        "--learning-rate",
        type=_rate,
        metavar="RATE",
        help=f"times the mean gradient of a batch (default: {rates}, less with momentum; {ADAM_RATE:g} for adam)",
    )
    add("--solver", choices=list(EPOCHS), default="sgd", help="how to train (default: %(default)s)")
    add(
        "--momentum",
        type=_fraction,
        default=0.0,
        metavar="FRACTION",
        help="of the step before that is kept in the next, for sgd (default: %(default)s)",
    )
    add(
        "--l2",
        type=_penalty,
        default=0.0,
        metavar="L2",
        help="adds L2 / 2 * sum(weight**2) to the loss (default: %(default)s)",
    )
    add("--nesterov", action="store_true", help="take the momentum in Nesterov's form")
    add("--schedule", choices=list(SCHEDULES), default="constant", help="of the rate (default: %(default)s)")
    add(
        "--early-stopping",
        action="store_true",
        help=f"hold out {FRACTION_HELD_OUT:.0%}% of the images, end when their loss stops falling, and keep the best",
    )
    add(
        "--checkpoint",
        type=Path,
        metavar="DIR",
        help="write the state of the training there after every epoch",
    )
    add("--resume", action="store_true", help="go on from the checkpoint in DIR, if there is one")
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


def _fraction(text: str) -> float:
    try:
        fraction = float(text)
    except ValueError:
        fraction = math.nan
    if not 0 <= fraction < 1:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to less than 1, got {text!r}")
    return fraction


def _penalty(text: str) -> float:
    try:
        l2 = float(text)
    except ValueError:
        l2 = math.nan
    if not 0 <= l2 < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number, 0 or more, got {text!r}")
    return l2
