"""Compare test accuracy on the embedded digits with scikit-learn's ``MLPClassifier``, trained the same way.

    python benchmarks/digits_against_sklearn.py

Both do plain stochastic gradient descent on the cross-entropy of a sigmoid network: the same images, layers,
batch size, learning rate and number of epochs; no momentum, no penalty, no early stop. They draw their own
first weights and their own order of the images, so they are compared by their means over several seeds.

Exit status 1 if the means differ by more than one percentage point.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import warnings
from typing import Any

from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from mlp_ref import MLP, datasets

HIDDEN_SIZES = (16, 16)
LIMIT = 0.01


def score_of_ours(options: argparse.Namespace, seed: int, train: Any, test: Any) -> float:
    """Return the test accuracy of this package's network."""
    net = MLP([64, *HIDDEN_SIZES, 10], hidden="sigmoid", loss="cross_entropy", seed=seed)
    net.fit(*train, epochs=options.epochs, batch_size=options.batch_size, learning_rate=options.learning_rate)
    return float(net.score(*test))


def score_of_sklearn(options: argparse.Namespace, seed: int, train: Any, test: Any) -> float:
    """Return the test accuracy of scikit-learn's network, made to run every epoch."""
    net = MLPClassifier(
        HIDDEN_SIZES,
        activation="logistic",
        solver="sgd",
        momentum=0,
        nesterovs_momentum=False,
        alpha=0,
        batch_size=options.batch_size,
        learning_rate="constant",
        learning_rate_init=options.learning_rate,
        max_iter=options.epochs,
        tol=0,
        n_iter_no_change=options.epochs + 1,
        random_state=seed,
    )
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", ConvergenceWarning
        )  # it stops after the epochs it was given: as meant
        net.fit(*train)
    if net.n_iter_ != options.epochs:
        raise RuntimeError(f"expected scikit-learn to run {options.epochs} epochs, got {net.n_iter_}")
    return float(net.score(*test))


def main() -> int:
    """Train both with each seed, print the accuracies, and return the exit status."""
    parser = argparse.ArgumentParser(description="Test accuracy on digits, against scikit-learn.")
    parser.add_argument("--seeds", type=int, default=5, help="how many (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=50, help="(default: %(default)s)")
    parser.add_argument("--batch-size", type=int, default=32, help="(default: %(default)s)")
    parser.add_argument("--learning-rate", type=float, default=1.0, help="(default: %(default)s)")
    options = parser.parse_args()
    train, test = datasets.load_digits()
    print(
        f"digits, layers 64-{'-'.join(map(str, HIDDEN_SIZES))}-10, {options.epochs} epochs, "
        f"batches of {options.batch_size}, learning rate {options.learning_rate:g}\n\n"
        "  seed   mlp_ref   scikit-learn"
    )
    scores = []
    for seed in range(options.seeds):
        scores.append([score(options, seed, train, test) for score in (score_of_ours, score_of_sklearn)])
        print(f"{seed:6} {scores[-1][0]:9.2%} {scores[-1][1]:14.2%}", flush=True)
    ours, theirs = (statistics.fmean(column) for column in zip(*scores, strict=True))
    print(
        f"  mean {ours:9.2%} {theirs:14.2%}\n\ndifference of the means: {100 * (ours - theirs):+.2f} points"
    )
    return int(abs(ours - theirs) > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
