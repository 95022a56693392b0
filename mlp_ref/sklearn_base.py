"""The base of the estimators of `mlp_ref.sklearn`: `MLP` behind scikit-learn's parameters and attributes."""

from __future__ import annotations

import warnings
from abc import ABCMeta, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import assert_all_finite, check_random_state
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from mlp_ref.checks import check_choice, check_number, check_positive
from mlp_ref.lbfgs import LBFGS
from mlp_ref.network import MLP
from mlp_ref.optimisers import SGD, Adam
from mlp_ref.schedules import InverseScaling
from mlp_ref.stopping import EarlyStopping

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike, NDArray

    from mlp_ref.history import History

__all__ = ["VerifiedMLP", "has_partial_fit"]

HIDDEN = {"identity": "identity", "logistic": "sigmoid", "tanh": "tanh", "relu": "relu"}
SCHEDULES = ("constant", "invscaling", "adaptive", "cosine")
SOLVERS = ("sgd", "adam", "lbfgs")
LARGEST_AUTOMATIC_BATCH = 200


def has_partial_fit(estimator: Any) -> bool:
    """Return True, or raise the AttributeError that says why there is no ``partial_fit``."""
    if estimator.solver == "lbfgs":
        raise AttributeError('partial_fit needs the solver "sgd" or "adam", got "lbfgs"')
    return True


class VerifiedMLP(BaseEstimator, metaclass=ABCMeta):  # type: ignore[misc]  # scikit-learn has no types
    """A network with the parameters of scikit-learn's; a subclass has a loss, and says what its targets are."""

    _loss: str
    _net: MLP
    _optimiser: Any
    t_: int
    loss_curve_: list[float]
    _loss_scale: float
    """The network's loss in units of what scikit-learn's network reports."""

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (100,),
        activation: str = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: int = 10,
        max_fun: int = 15000,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun

    @property
    def coefs_(self) -> list[NDArray[Any]]:
        """The weights of each layer, (n_in, n_out), as views of the network's parameters."""
        return [layer.weight for layer in self._net.params]

    @property
    def intercepts_(self) -> list[NDArray[Any]]:
        """The biases of each layer, (n_out,), as views of the network's parameters."""
        return [layer.bias for layer in self._net.params]

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Any:  # noqa: N803
        """Train a new network, or with `warm_start` the one there is.

        Parameters
        ----------
        X : (rows, features) array of float32 or float64, or what becomes one
        y : (rows,) labels; for the regressor (rows,) or (rows, outputs) numbers
        sample_weight : (rows,), optional
            A row of weight 2 counts as two rows do, and one of weight 0 is left out.

        Returns
        -------
        self
        """
        return self._fit(X, y, sample_weight, goes_on=self.warm_start and hasattr(self, "_net"))

    def _partial_fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None) -> Any:  # noqa: N803
        if self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True: it sees its rows once")
        return self._fit(X, y, sample_weight, goes_on=hasattr(self, "_net"), once=True)

    def _fit(self, X: Any, y: Any, sample_weight: Any, *, goes_on: bool, once: bool = False) -> Any:  # noqa: N803
        self._check_parameters()
        # The network looks for NaN and infinity itself. Rows that weigh nothing do not get there.
        weighted = sample_weight is not None or getattr(self, "class_weight", None) is not None
        X, y = validate_data(  # noqa: N806
            self,
            X,
            y,
            multi_output=True,
            y_numeric=self._loss == "mse",
            dtype=self._net.dtype if goes_on else (np.float64, np.float32),
            order="C",
            ensure_all_finite=weighted,
            reset=not goes_on,
        )
        targets, outputs = self._targets(y, X.dtype, goes_on)
        weights = self._weights(sample_weight, X, y)
        if weights is not None:
            kept = weights > 0
            X, targets, weights = X[kept], targets[kept], weights[kept]  # noqa: N806
        random = check_random_state(self.random_state)
        seed = int(random.randint(np.iinfo(np.int32).max))
        if goes_on:
            net, optimiser = self._net, self._optimiser if once else None
        else:
            hidden = np.ravel(np.asarray(self.hidden_layer_sizes, object)).tolist()
            sizes = [X.shape[1], *(check_positive(size, "hidden_layer_sizes") for size in hidden), outputs]
            net = MLP(sizes, HIDDEN[self.activation], self._loss, dtype=X.dtype, seed=seed)
            optimiser = None
        parts = self._split(X, targets, weights, random) if self.early_stopping else None
        if parts:
            X, targets, weights = parts[:3]  # noqa: N806
        if optimiser is None:
            optimiser = self._new_optimiser(outputs)
        try:
            history, scores = self._train(
                net, optimiser, X, targets, weights, parts and parts[3:5], once, goes_on
            )
        except ValueError:
            assert_all_finite(
                X, estimator_name=type(self).__name__, input_name="X"
            )  # in scikit-learn's words
            raise
        self._net, self._optimiser = net, optimiser
        self._note(history, scores, len(X), goes_on)
        if history.interrupted:
            warnings.warn("Training interrupted by user.", stacklevel=3)
        elif not once and not history.stopped_by:
            warnings.warn(
                f"training took max_iter={self.max_iter} iterations and had not converged yet: "
                "increase max_iter, or scale the data",
                ConvergenceWarning,
                stacklevel=3,
            )
        return self

    def _check_parameters(self) -> None:
        check_choice(self.activation, "activation", HIDDEN)
        check_choice(self.solver, "solver", SOLVERS)
        check_choice(self.learning_rate, "learning_rate", SCHEDULES)
        check_number(self.alpha, "alpha", least=0)
        check_number(self.learning_rate_init, "learning_rate_init", above=0)
        check_number(self.power_t, "power_t", least=0)
        check_number(self.tol, "tol", least=0)
        check_number(self.validation_fraction, "validation_fraction", above=0, below=1)
        check_positive(self.max_iter, "max_iter")
        check_positive(self.n_iter_no_change, "n_iter_no_change")
        if self.batch_size != "auto":
            check_positive(self.batch_size, "batch_size")

    def _weights(self, sample_weight: Any, X: Any, y: Any) -> Any:  # noqa: N803
        """Return the weight of each row, or None where all are 1."""
        weights = None
        if sample_weight is not None:
            weights = _check_sample_weight(sample_weight, X, dtype=X.dtype, ensure_non_negative=True)
        if getattr(self, "class_weight", None) is not None:
            of_classes = compute_sample_weight(self.class_weight, y).astype(X.dtype)
            weights = of_classes if weights is None else weights * of_classes
        if weights is not None and not weights.any():
            raise ValueError(
                "sample_weight must hold a weight that is not zero: with all zero there is no row left"
            )
        return weights

    def _split(self, X: Any, targets: Any, weights: Any, random: Any) -> tuple[Any, ...]:  # noqa: N803
        """Return rows, targets and weights to train on, then those that are held out."""
        arrays = (X, targets) if weights is None else (X, targets, weights)
        stratify = targets if targets.ndim == 1 and self._loss != "mse" else None
        parts = train_test_split(
            *arrays, random_state=random, test_size=self.validation_fraction, stratify=stratify
        )
        kept, apart = parts[::2], parts[1::2]
        if weights is None:
            kept, apart = [*kept, None], [*apart, None]
        if len(apart[0]) < 2:
            raise ValueError(
                f"validation_fraction must hold out two rows or more, but {self.validation_fraction:g} of {len(X)} "
                f"rows are {len(apart[0])}: increase it, or give more rows"
            )
        return *kept, *apart

    def _new_optimiser(self, outputs: int) -> SGD | Adam | LBFGS:
        if self.solver == "sgd":
            momentum = check_number(self.momentum, "momentum", least=0, below=1)
            return SGD(momentum, nesterov=self.nesterovs_momentum)
        if self.solver == "adam":
            return Adam(self.beta_1, self.beta_2, self.epsilon)
        return LBFGS(self.tol * self._gradient_scale(outputs), self.max_fun)

    def _train(
        self,
        net: MLP,
        optimiser: Any,
        X: Any,  # noqa: N803
        targets: Any,
        weights: Any,
        apart: Any,
        once: bool,
        goes_on: bool,
    ) -> tuple[History, list[float]]:
        scale, gradient_scale = self._loss_scale, self._gradient_scale(net.layer_sizes[-1])
        automatic = self.batch_size == "auto"
        batch_size = LARGEST_AUTOMATIC_BATCH if automatic else int(self.batch_size)
        if batch_size > len(X) and not automatic:
            warnings.warn(
                f"batch_size={self.batch_size} is more than the {len(X)} rows: all are one batch",
                stacklevel=4,
            )
        batch_size = min(batch_size, len(X))
        rows_in_batch = len(X) if self.solver == "lbfgs" else batch_size
        mean_weight = 1.0 if weights is None else float(np.mean(weights, dtype=np.float64))
        rate = self.learning_rate_init / (gradient_scale if self.solver == "sgd" else 1)
        schedule: Any = {"invscaling": InverseScaling(self.power_t)}.get(
            self.learning_rate, self.learning_rate
        )
        if self.solver != "sgd" and schedule != "cosine":
            schedule = "constant"  # as in scikit-learn, where the other schedules are for sgd alone
        if once:
            if isinstance(schedule, InverseScaling):
                rate /= (1 + (self.t_ if goes_on else 0)) ** self.power_t
            schedule = "constant"
        stopping, tolerance = None, self.tol * scale
        if apart is not None:
            figure = "validation_loss" if self._loss == "mse" else "validation_accuracy"
            if self._loss == "mse":  # R² rises by tol where the loss falls by tol times the variance
                tolerance = self.tol * float(np.var(apart[1], axis=0, dtype=np.float64).mean())
            stopping = EarlyStopping(figure, self.n_iter_no_change, tolerance)
        elif self.solver != "lbfgs" and not once:
            stopping = EarlyStopping("loss", self.n_iter_no_change, tolerance, keep_best=False)
        scores: list[float] = []
        history = net.fit(
            X,
            targets,
            sample_weight=weights,
            l2=self.alpha * gradient_scale / (rows_in_batch * mean_weight),
            epochs=1 if once else self.max_iter,
            batch_size=batch_size,
            learning_rate=rate,
            optimiser=optimiser,
            schedule=schedule,
            validation=apart,
            stopping=stopping,
            shuffle=self.shuffle,
            callbacks=self._callbacks(scores, apart, scale),
        )
        for losses in (history.loss, history.validation_loss):
            losses[:] = [loss / scale for loss in losses]
        return history, scores

    def _callbacks(self, scores: list[float], apart: Any, scale: float) -> list[Any]:
        """Return what is done after each epoch: a score of the held-out rows, and a line where verbose."""

        def score(net: MLP, history: History) -> None:
            scores.append(
                net.score(apart[0], apart[1]) if self._loss == "mse" else history.validation_accuracy[-1]
            )

        def say(_: MLP, history: History) -> None:
            print(f"Iteration {len(history.loss)}, loss = {history.loss[-1] / scale:.8f}")
            if scores:
                print(f"Validation score: {scores[-1]:f}")

        return [score] * (apart is not None) + [say] * bool(self.verbose)

    def _note(self, history: History, scores: list[float], rows: int, goes_on: bool) -> None:
        """Set the attributes that say how the training went."""
        self.n_iter_ = len(history.loss)
        self.t_ = self.n_iter_ * rows + (self.t_ if goes_on else 0)
        self.loss_curve_ = (self.loss_curve_ if goes_on else []) + history.loss
        self.loss_ = self.loss_curve_[-1] if self.loss_curve_ else np.inf
        self.validation_loss_curve_ = history.validation_loss if self.early_stopping else None
        self.validation_scores_ = scores if self.early_stopping else None
        self.best_validation_score_ = max(scores, default=None) if self.early_stopping else None
        self.best_loss_ = None if self.early_stopping else min(self.loss_curve_, default=np.inf)
        self.n_outputs_ = self._net.layer_sizes[-1]
        self.n_layers_ = len(self._net.layer_sizes)
        self.out_activation_ = "identity" if self._loss == "mse" else "softmax"

    def _rows(self, X: Any) -> Any:  # noqa: N803
        """Return `X` as rows that the network takes."""
        try:
            net = self._net
        except AttributeError:
            check_is_fitted(self)
            raise
        # A plain array that fits needs none of what takes scikit-learn longer than a small network's answer.
        if (
            type(X) is np.ndarray
            and X.dtype == net.dtype
            and X.ndim == 2
            and X.shape[1] == net.layer_sizes[0]
            and len(X)
            and not hasattr(self, "feature_names_in_")
        ):
            return X
        return validate_data(self, X, dtype=net.dtype, reset=False)

    def _answer(self, X: Any, method: Callable[[MLP, Any], Any]) -> Any:  # noqa: N803
        """Return what a method of the network says to the rows `X`."""
        rows = self._rows(X)
        try:
            return method(self._net, rows)
        except ValueError:
            validate_data(self, X, dtype=self._net.dtype, reset=False)  # says it in scikit-learn's words
            raise

    @abstractmethod
    def _targets(self, y: Any, dtype: Any, goes_on: bool) -> tuple[Any, int]:
        """Return `y` as the network takes it, and the number of its outputs."""

    @abstractmethod
    def _gradient_scale(self, outputs: int) -> float:
        """Return the gradient of the network in units of that of scikit-learn's network."""
