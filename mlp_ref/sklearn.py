"""Estimators for scikit-learn: `MLP`, with the parameters and attributes of scikit-learn's own networks.

Needs the extra ``sklearn``. Where they differ from ``MLPClassifier`` and ``MLPRegressor``: docs/scikit-learn.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils import column_or_1d
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets

from mlp_ref.network import MLP
from mlp_ref.sklearn_base import VerifiedMLP, has_partial_fit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

__all__ = ["VerifiedMLPClassifier", "VerifiedMLPRegressor"]


class VerifiedMLPClassifier(ClassifierMixin, VerifiedMLP):  # type: ignore[misc]  # scikit-learn has no types
    """A multilayer perceptron with a softmax output, trained on the cross-entropy.

    The parameters are those of ``sklearn.neural_network.MLPClassifier``, and `class_weight`.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int
    activation : {"relu", "logistic", "tanh", "identity"}
    solver : {"adam", "sgd", "lbfgs"}
    alpha : float
        Adds ``alpha / 2 * sum(weight**2)`` to the sum of a batch's losses, of which the mean is taken.
    batch_size : int or "auto"
        200 or all rows, where these are fewer.
    learning_rate : {"constant", "invscaling", "adaptive", "cosine"}
        The schedule; ``"invscaling"`` and ``"adaptive"`` are for sgd.
    learning_rate_init, power_t : float
    max_iter : int
        Epochs, or iterations of L-BFGS.
    shuffle : bool
    random_state : int, RandomState or None
    tol, n_iter_no_change : float, int
        Training ends where its loss, or with `early_stopping` the accuracy of the held-out rows, does not
        improve by `tol` for more than so many epochs.
    verbose, warm_start : bool
    momentum, nesterovs_momentum : float, bool
        For sgd.
    early_stopping, validation_fraction : bool, float
        Hold out this fraction of the rows, and keep the parameters that are best for them.
    beta_1, beta_2, epsilon : float
        For adam.
    max_fun : int
        Gradients that L-BFGS may compute.
    class_weight : mapping, "balanced" or None
        The weight of each class's rows, times `sample_weight`.

    Attributes
    ----------
    classes_ : (classes,) array
    coefs_, intercepts_ : list of arrays
        Views of the network's parameters.
    loss_, best_loss_, best_validation_score_ : float
    loss_curve_, validation_loss_curve_, validation_scores_ : list of float
        One of each for an epoch; the last two with `early_stopping` alone.
    n_iter_, t_, n_layers_, n_outputs_, n_features_in_ : int
    feature_names_in_ : (features,) array, where the rows had names
    out_activation_ : str
    """

    _loss = "cross_entropy"
    _loss_scale = 1.0
    classes_: Any

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
        class_weight: Any = None,
    ) -> None:
        super().__init__(
            hidden_layer_sizes,
            activation,
            solver=solver,
            alpha=alpha,
            batch_size=batch_size,
            learning_rate=learning_rate,
            learning_rate_init=learning_rate_init,
            power_t=power_t,
            max_iter=max_iter,
            shuffle=shuffle,
            random_state=random_state,
            tol=tol,
            verbose=verbose,
            warm_start=warm_start,
            momentum=momentum,
            nesterovs_momentum=nesterovs_momentum,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            beta_1=beta_1,
            beta_2=beta_2,
            epsilon=epsilon,
            n_iter_no_change=n_iter_no_change,
            max_fun=max_fun,
        )
        self.class_weight = class_weight

    @available_if(has_partial_fit)  # type: ignore[untyped-decorator]  # scikit-learn has no types
    def partial_fit(
        self,
        X: ArrayLike,  # noqa: N803
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        classes: ArrayLike | None = None,
    ) -> VerifiedMLPClassifier:
        """Train for one epoch on these rows, from where the network stands.

        Parameters
        ----------
        X : (rows, features) array
        y : (rows,) labels
        sample_weight : (rows,), optional
        classes : sequence
            All there will ever be; needed in the first call, and the same in every other one.

        Returns
        -------
        self
        """
        if classes is not None:
            given = np.unique(column_or_1d(classes))
            if hasattr(self, "_net") and not np.array_equal(given, self.classes_):
                raise ValueError(f"classes must be those of the first call, {self.classes_}, got {given}")
            self._classes_to_come = given
        elif not hasattr(self, "_net"):
            raise ValueError(
                "classes must be passed in the first call of partial_fit: all there will ever be"
            )
        try:
            return self._partial_fit(X, y, sample_weight)  # type: ignore[no-any-return]
        finally:
            if classes is not None:
                del self._classes_to_come

    def predict(self, X: ArrayLike) -> NDArray[Any]:  # noqa: N803
        """Return the most probable class of each row, (rows,)."""
        columns = self._answer(X, MLP.predict)
        return self.classes_[columns]  # type: ignore[no-any-return]

    def predict_proba(self, X: ArrayLike) -> NDArray[Any]:  # noqa: N803
        """Return the probability of each class, (rows, classes)."""
        return self._answer(X, MLP.predict_proba)  # type: ignore[no-any-return]

    def predict_log_proba(self, X: ArrayLike) -> NDArray[Any]:  # noqa: N803
        """Return the logarithm of the probability of each class, (rows, classes), of 0 minus infinity."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))  # type: ignore[no-any-return]

    def _targets(self, y: Any, dtype: Any, goes_on: bool) -> tuple[Any, int]:  # noqa: ARG002
        if y.ndim == 2 and y.shape[1] > 1:
            raise ValueError(
                f"y must hold one label a row, got shape {y.shape}: several labels a row are not supported"
            )
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        found = np.unique(y)
        classes: Any = getattr(self, "_classes_to_come", self.classes_ if goes_on else found)
        unknown = found[~np.isin(found, classes)]
        if len(unknown):
            raise ValueError(f"y must hold labels among {classes}, got {unknown} too")
        self.classes_ = classes
        return np.searchsorted(classes, y), len(classes)

    def _gradient_scale(self, outputs: int) -> float:  # noqa: ARG002
        return 1.0


class VerifiedMLPRegressor(RegressorMixin, VerifiedMLP):  # type: ignore[misc]  # scikit-learn has no types
    """A multilayer perceptron with outputs as they are, trained on the squared error.

    The parameters and attributes are those of `VerifiedMLPClassifier`, but for `class_weight` and `classes_`. With
    `early_stopping`, the mean squared error of the held-out rows is what has to improve, by as much as makes their R²
    rise by `tol`.
    """

    _loss = "mse"
    _loss_scale = 2.0

    @available_if(has_partial_fit)  # type: ignore[untyped-decorator]  # scikit-learn has no types
    def partial_fit(
        self,
        X: ArrayLike,  # noqa: N803
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
    ) -> VerifiedMLPRegressor:
        """Train for one epoch on these rows, from where the network stands.

        Parameters
        ----------
        X : (rows, features) array
        y : (rows,) or (rows, outputs) numbers
        sample_weight : (rows,), optional

        Returns
        -------
        self
        """
        return self._partial_fit(X, y, sample_weight)  # type: ignore[no-any-return]

    def predict(self, X: ArrayLike) -> NDArray[Any]:  # noqa: N803
        """Return the outputs for each row: (rows,), or (rows, outputs) where there are more than one."""
        outputs = self._answer(X, MLP.predict)
        return outputs[:, 0] if outputs.shape[1] == 1 else outputs  # type: ignore[no-any-return]

    def _targets(self, y: Any, dtype: Any, goes_on: bool) -> tuple[Any, int]:
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        targets = np.ascontiguousarray(y.reshape(len(y), -1), dtype)
        if goes_on and targets.shape[1] != self._net.layer_sizes[-1]:
            raise ValueError(
                f"y must have {self._net.layer_sizes[-1]} outputs as before, got {targets.shape[1]}"
            )
        return targets, targets.shape[1]

    def _gradient_scale(self, outputs: int) -> float:
        return 2 / outputs

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's description of the estimator."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
