"""The command line: ``python -m mlp_ref train`` and ``python -m mlp_ref evaluate FILE``.

Exit status: 0 done, 1 stdout was closed, 2 the arguments or a file could not be used, 130 interrupted with
Ctrl-C (after which what was trained is judged, and saved where asked to).
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from mlp_ref import blas, datasets
from mlp_ref.command_line import CLASSES, FRACTION_HELD_OUT, PIXELS, read_command_line
from mlp_ref.losses import LOSSES
from mlp_ref.network import MLP
from mlp_ref.optimisers import SGD
from mlp_ref.products import is_large_product

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import DTypeLike, NDArray

__all__ = ["main"]

CLOSED, UNUSABLE, INTERRUPTED = 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    Parameters
    ----------
    arguments
        The words after ``python -m mlp_ref``; by default, those of this process.
    """
    options = read_command_line(arguments)
    try:
        return _train(options) if options.command == "train" else _evaluate(options)
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Stdout was closed, as `head` does when it has enough. What Python still flushes goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLOSED
    except (OSError, ImportError, ValueError, ArithmeticError, MemoryError) as error:
        print(f"python -m mlp_ref {options.command}: error: {error}", file=sys.stderr)
        return UNUSABLE


def _train(options: argparse.Namespace) -> int:
    """Train a network, say how well it does on the test images, and save it where asked to."""
    if options.save is not None:
        _require_place_for(options.save, "--save")
    _require_plot(options)
    _require_ends(options.layers, options.data, "--layers")
    (x, y), (x_test, y_test) = _load(options, np.float32)
    net = MLP(options.layers, hidden=options.hidden, loss=options.loss, seed=options.seed)
    print(
        f"{options.data}: {len(x)} images to train on, {options.batch_size} a step; "
        f"network {_describe(net)}; learning rate {options.learning_rate:g}"
    )
    _say_where_kernels_cost(options)
    history = net.fit(
        x,
        _targets(net, y),
        epochs=options.epochs,
        batch_size=options.batch_size,
        learning_rate=options.learning_rate,
        l2=options.l2,
        optimiser=_optimiser(options),
        schedule=options.schedule,
        validation=_validation(options, net, x_test, y_test),
        stopping=options.early_stopping,
        checkpoint=options.checkpoint,
        resume=options.resume,
        progress=True,
    )
    if history.interrupted:
        print(f"interrupted after {len(history.loss)} of {options.epochs} epochs; the network as it is now:")
    if options.early_stopping:
        ended = (
            f"stopped after {len(history.loss)} epochs; " if history.stopped_by == "early stopping" else ""
        )
        print(f"{ended}the parameters are those of epoch {history.best_epoch}, the best one")
    loss, answers = _judge(net, x_test, y_test)
    print(_summary(options.data, loss, answers, y_test))
    if options.plot is not None and history.loss:
        from mlp_ref.plots import training

        names = ("training", "held out" if options.early_stopping else "test")
        training(history, names=names).savefig(options.plot, dpi=150)
        print(f"drawn in {options.plot}")
    if options.save is not None:
        net.save(options.save)
        print(f"saved in {options.save}")
    return INTERRUPTED if history.interrupted else 0


def _say_where_kernels_cost(options: argparse.Namespace) -> None:
    """Print a line where OpenBLAS leaves AVX-512 unused, in a network whose products are large enough to feel it."""
    if blas.blas_runs_below_processor() and is_large_product(options.layers, options.batch_size):
        print(
            f"note: OpenBLAS runs its {blas.blas_kernel()} kernels on a processor with AVX-512, so that large products "
            f"take up to twice as long; OPENBLAS_CORETYPE is {os.environ.get('OPENBLAS_CORETYPE') or 'not set'}"
        )


def _evaluate(options: argparse.Namespace) -> int:
    """Say how well a saved network does on the test images, and which digits it takes for which."""
    _require_plot(options)
    net = MLP.load(options.file)
    _require_ends(net.layer_sizes, options.data, str(options.file))
    _, (x, y) = _load(options, net.dtype)
    loss, answers = _judge(net, x, y)
    print(f"{options.file}: network {_describe(net)}")
    print(_summary(options.data, loss, answers, y))
    print(f"\n{_confusion_table(answers, y)}")
    if options.plot is not None:
        from mlp_ref.plots import evaluation

        evaluation(net, x, y).savefig(options.plot, dpi=150)
        print(f"\ndrawn in {options.plot}")
    return 0


def _optimiser(options: argparse.Namespace) -> str | SGD:
    return (
        SGD(options.momentum, nesterov=options.nesterov) if options.solver == "sgd" else str(options.solver)
    )


def _load(options: argparse.Namespace, dtype: DTypeLike) -> tuple[datasets.Split, datasets.Split]:
    if options.data == "digits":
        return datasets.load_digits(dtype)
    return datasets.load_mnist(options.data_dir, dtype)


def _validation(
    options: argparse.Namespace, net: MLP, x_test: NDArray[Any], y_test: NDArray[np.int64]
) -> float | tuple[NDArray[Any], NDArray[Any]] | None:
    """Return what each epoch is judged on: rows held out for the early stopping, the test images for a figure."""
    if options.early_stopping:
        return FRACTION_HELD_OUT
    return (x_test, _targets(net, y_test)) if options.plot is not None else None


def _require_plot(options: argparse.Namespace) -> None:
    """Refuse a figure that cannot be drawn or written before the work, not after it."""
    if options.plot is not None:
        from mlp_ref.plots import require_plot_file

        _require_place_for(options.plot, "--plot")
        require_plot_file(options.plot)


def _require_place_for(path: Path, option: str) -> None:
    """Refuse a path that cannot be written to before the work, not after it."""
    if path.is_dir():
        raise ValueError(f"{option} must name a file, but {str(path)!r} is a directory")
    if not path.parent.is_dir():
        raise ValueError(
            f"{option} must name a file in a directory that exists, but {str(path.parent)!r} does not"
        )
    if not os.access(path.parent, os.W_OK):
        raise ValueError(
            f"{option} must name a file that can be written, but {str(path.parent)!r} is read-only"
        )


def _require_ends(layer_sizes: Sequence[int], data: str, what: str) -> None:
    """Refuse layers that do not take the images or do not give one output a class."""
    if (layer_sizes[0], layer_sizes[-1]) != (PIXELS[data], CLASSES):
        raise ValueError(
            f"{what}: expected layers from {PIXELS[data]} (pixels) to {CLASSES} (classes), as --data {data} has, "
            f"got {','.join(map(str, layer_sizes))}"
        )


def _targets(net: MLP, y: NDArray[np.int64]) -> NDArray[Any]:
    """Return labels as the network's loss takes them: the mean squared error has no classes, only outputs."""
    return np.eye(CLASSES, dtype=net.dtype)[y] if not LOSSES[net.loss].of_classes else y


def _judge(net: MLP, x: NDArray[Any], y: NDArray[np.int64]) -> tuple[float, NDArray[np.intp]]:
    """Return the loss, and the class with the largest output of each row."""
    loss, _ = net.loss_and_gradient(x, _targets(net, y))
    return loss, net.forward(x).argmax(axis=1)


def _describe(net: MLP) -> str:
    return f"{'-'.join(map(str, net.layer_sizes))}, {net.hidden}, {net.loss}"


def _summary(data: str, loss: float, answers: NDArray[np.intp], y: NDArray[np.int64]) -> str:
    correct = int(np.sum(answers == y))
    return f"{data}: test loss {loss:.4f}, test accuracy {correct / len(y):.2%} ({correct} of {len(y)})"


def _confusion_table(answers: NDArray[np.intp], y: NDArray[np.int64]) -> str:
    """Return a row for each true digit, with how often each digit was answered."""
    counts = np.zeros((CLASSES, CLASSES), int)
    np.add.at(counts, (y, answers), 1)
    width = max(4, len(str(counts.max())) + 1)
    lines = ["answer:" + "".join(f"{digit:{width}}" for digit in range(CLASSES)) + "     right"]
    for digit, row in enumerate(counts):
        cells = "".join(f"{count or '.':>{width}}" for count in row)
        fraction = f"{row[digit] / row.sum():.1%}" if row.any() else "none"
        lines.append(f"{digit:>6}:{cells} {fraction:>9}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
