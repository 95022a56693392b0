"""Compare the estimators with scikit-learn's own: accuracy over seeds, the time of ``fit`` and of ``predict``.

    python benchmarks/against_sklearn.py [accuracy] [fit] [predict] [products]

The last table says how much of either ``fit`` is products of matrices, and so how much faster any network in NumPy
could be.

Both get the same rows, layers, solver, batch size, learning rate and number of epochs, and no early stop; they draw
their own first weights and their own order of the rows. Times are taken in turns, ours and theirs in one process, and
are given as the median ratio of theirs to ours. NumPy's BLAS should be the one it chooses by itself: where
OPENBLAS_CORETYPE is set, this starts itself again without it, and says so.

Exit status 1 if ours is behind by more than one point of accuracy on any data set. (The R² of a regressor on the 111
held-out rows of diabetes varies by far more than a point from seed to seed.)
"""

from __future__ import annotations

import argparse
import cProfile
import os
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler

from mlp_ref.sklearn import VerifiedMLPClassifier, VerifiedMLPRegressor

DATA = {
    "digits": (load_digits, "classifier"),
    "wine": (load_wine, "classifier"),
    "breast cancer": (load_breast_cancer, "classifier"),
    "diabetes": (load_diabetes, "regressor"),
}
KINDS = {
    "classifier": (VerifiedMLPClassifier, MLPClassifier),
    "regressor": (VerifiedMLPRegressor, MLPRegressor),
}
SOLVERS: dict[str, dict[str, Any]] = {
    "sgd": {"solver": "sgd", "learning_rate_init": 0.05},
    "adam": {"solver": "adam", "learning_rate_init": 0.003},
    "lbfgs": {"solver": "lbfgs"},
}
EPOCHS = 60
LIMIT = 0.01


def quiet_fit(estimator: Any, x: Any, y: Any) -> Any:
    """Fit without the warning that not all epochs were enough: they are as many as were asked for."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return estimator.fit(x, y)


def made(kind: str, side: int, **options: Any) -> Any:
    """Return our estimator (0) or scikit-learn's (1), told to run every epoch."""
    return KINDS[kind][side](tol=0.0, n_iter_no_change=10**6, **options)


def accuracies(seeds: int) -> bool:
    """Print the mean scores on held-out rows; return whether ours is nowhere behind by more than the limit."""
    print(
        f"mean score of {seeds} seeds, {EPOCHS} epochs (accuracy; R² for diabetes), layers of 32 and 16, relu\n"
    )
    print(f"{'data':16}{'solver':8}{'ours':>9}{'sklearn':>10}{'difference':>12}")
    good, differences = True, []
    for name, (load, kind) in DATA.items():
        x, y = load(return_X_y=True)
        if kind == "regressor":
            y = (y - y.mean()) / y.std()
        for solver, options in SOLVERS.items():
            scores: list[list[float]] = []
            for seed in range(seeds):
                parts = train_test_split(
                    x, y, random_state=seed, stratify=y if kind == "classifier" else None
                )
                scaler = StandardScaler().fit(parts[0])
                train, test = scaler.transform(parts[0]), scaler.transform(parts[1])
                own = {"alpha": 1.0} if kind == "regressor" else {}  # without it, both learn the noise
                if own and solver == "sgd":
                    own["learning_rate_init"] = 0.01
                setting = {"hidden_layer_sizes": (32, 16), "max_iter": EPOCHS, "random_state": seed}
                models = [made(kind, side, **{**setting, **options, **own}) for side in (0, 1)]
                scores.append([quiet_fit(model, train, parts[2]).score(test, parts[3]) for model in models])
            ours, theirs = (statistics.fmean(column) for column in zip(*scores, strict=True))
            differences.append(ours - theirs)
            good = good and (kind == "regressor" or ours - theirs > -LIMIT)
            print(f"{name:16}{solver:8}{ours:9.2%}{theirs:10.2%}{100 * (ours - theirs):+11.2f}", flush=True)
    print(f"{'mean':42}{100 * statistics.fmean(differences):+12.2f}\n")
    return good


def ratios(
    ours: Callable[[], object], theirs: Callable[[], object], rounds: int
) -> tuple[float, float, float]:
    """Return our median time, theirs, and the median ratio, of calls in turns."""
    times: list[tuple[float, float]] = []
    for turn in range(rounds):
        pair = []
        # Who goes first changes, so that neither has always the warmer machine.
        for call in (ours, theirs) if turn % 2 else (theirs, ours):
            begin = time.perf_counter()
            call()
            pair.append(time.perf_counter() - begin)
        times.append((pair[0], pair[1]) if turn % 2 else (pair[1], pair[0]))
    mine, other = zip(*times, strict=True)
    return statistics.median(mine), statistics.median(other), statistics.median(b / a for a, b in times)


def rows_like_mnist(rows: int, dtype: Any) -> tuple[Any, Any]:
    """Return so many rows of 784 numbers from 0 to 1, most of them 0, and their labels."""
    rng = np.random.default_rng(0)
    x = rng.random((rows, 784), np.float32)
    x *= x > 0.8
    return x.astype(dtype), rng.integers(0, 10, rows)


def fits() -> Iterator[tuple[str, list[Callable[[], object]]]]:
    """Give the trainings that are compared: what each is, and the calls that do it, ours first."""
    x, y = load_digits(return_X_y=True)
    for name, rows, epochs in (("digits, 1,797 x 64", 1_797, 20), ("60,000 x 784", 60_000, 1)):
        for dtype in ("float32", "float64"):
            digits = name.startswith("digits")
            data, labels = ((x / 16).astype(dtype), y) if digits else rows_like_mnist(rows, dtype)
            for solver in ("sgd", "adam"):
                setting = {
                    "hidden_layer_sizes": (100,),
                    "max_iter": epochs,
                    "random_state": 0,
                    "solver": solver,
                }
                calls: list[Callable[[], object]] = [
                    partial(_fit, side, setting, data, labels) for side in (0, 1)
                ]
                yield f"{name:30}{dtype:9}{solver:8}", calls


def _fit(side: int, setting: dict[str, Any], data: Any, labels: Any) -> None:
    quiet_fit(made("classifier", side, **setting), data, labels)


def fit_times(rounds: int) -> None:
    """Print how much longer scikit-learn takes for the same epochs."""
    print("fit: median times in seconds, and scikit-learn's in units of ours\n")
    print(f"{'rows':30}{'dtype':9}{'solver':8}{'ours':>9}{'sklearn':>10}{'ratio':>8}")
    for title, calls in fits():
        mine, other, ratio = ratios(calls[0], calls[1], rounds)
        print(f"{title}{mine:9.3f}{other:10.3f}{ratio:8.2f}", flush=True)
    print()


def product_shares(rounds: int) -> None:
    """Print what the products of matrices take of each ``fit``, in the processor's time.

    The last column is the ratio that there would be if ours took no time but that of its products.
    """
    print("fit: the processor's time in seconds, the least of the rounds; what the products take of it\n")
    print(
        f"{'rows':30}{'dtype':9}{'solver':8}{'ours':>9}{'products':>10}{'sklearn':>9}{'products':>10}{'limit':>8}"
    )
    for title, calls in fits():
        whole, products = [], []
        for call in calls:
            call()
            times = []
            for _ in range(rounds):
                begin = time.process_time()
                call()
                times.append(time.process_time() - begin)
            whole.append(min(times))
            products.append(min(_seconds_of_products(call) for _ in range(rounds)))
        print(
            f"{title}{whole[0]:9.3f}{products[0]:10.3f}{whole[1]:9.3f}{products[1]:10.3f}"
            f"{whole[1] / products[0]:8.2f}",
            flush=True,
        )
    print()


def _seconds_of_products(call: Callable[[], object]) -> float:
    profile = cProfile.Profile(time.process_time)
    profile.runcall(call)
    names = ("<method 'dot' of 'numpy.ndarray' objects>", "safe_sparse_dot")
    return sum(
        entry.inlinetime
        for entry in profile.getstats()
        if (entry.code if isinstance(entry.code, str) else entry.code.co_name) in names
    )


def predict_times(rounds: int) -> None:
    """Print how much longer scikit-learn takes to predict."""
    print("predict: median times in milliseconds, and scikit-learn's in units of ours\n")
    print(f"{'rows':30}{'dtype':9}{'ours':>10}{'sklearn':>10}{'ratio':>8}")
    for dtype in ("float32", "float64"):
        x, y = rows_like_mnist(60_000, dtype)
        setting = {"hidden_layer_sizes": (100,), "max_iter": 1, "random_state": 0}
        models = [quiet_fit(made("classifier", side, **setting), x[:2000], y[:2000]) for side in (0, 1)]
        for rows, repeats in ((1, 200), (60_000, 1)):
            calls = [
                lambda model=model, rows=rows, repeats=repeats, x=x: [
                    model.predict(x[:rows]) for _ in range(repeats)
                ]
                for model in models
            ]
            for call in calls:
                call()
            mine, other, ratio = ratios(*calls, rounds)
            unit = 1000 / repeats
            print(
                f"{f'{rows:,} x 784':30}{dtype:9}{mine * unit:10.4f}{other * unit:10.4f}{ratio:8.2f}",
                flush=True,
            )


def main() -> int:
    """Print the tables that are asked for, and return the exit status."""
    parser = argparse.ArgumentParser(description="The estimators against scikit-learn's own.")
    parser.add_argument(
        "tables",
        nargs="*",
        choices=["accuracy", "fit", "predict", "products", []],
        help="(default: all but the last)",
    )
    parser.add_argument("--seeds", type=int, default=5, help="(default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=7, help="of times (default: %(default)s)")
    options = parser.parse_args()
    if os.environ.pop("OPENBLAS_CORETYPE", None):
        print("OPENBLAS_CORETYPE was set, and slows NumPy down: started again without it\n", flush=True)
        os.execv(sys.executable, [sys.executable, *sys.argv])
    tables = options.tables or ["accuracy", "fit", "predict"]
    good = accuracies(options.seeds) if "accuracy" in tables else True
    if "fit" in tables:
        fit_times(options.rounds)
    if "predict" in tables:
        predict_times(options.rounds)
    if "products" in tables:
        product_shares(options.rounds)
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
