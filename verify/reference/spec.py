"""The Spec: a network's forward pass and its loss, by the names of their parts."""

from __future__ import annotations

import math
from dataclasses import dataclass

HIDDEN = ("sigmoid", "tanh", "relu", "leaky_relu", "identity")
"""Activations of the hidden layers."""

OUTPUT_LOSSES = {
    ("softmax", "cross_entropy"): "-sum_k y_k log p_k",
    ("softmax", "squared_error"): "sum_k (p_k - y_k)^2",
    ("sigmoid", "binary_cross_entropy"): "-sum_k y_k log p_k + (1 - y_k) log(1 - p_k)",
    ("sigmoid", "squared_error"): "sum_k (p_k - y_k)^2",
    ("tanh", "squared_error"): "sum_k (p_k - y_k)^2",
    ("identity", "squared_error"): "sum_k (p_k - y_k)^2",
}
"""Output activation and loss that belong together, with the loss of one row (p: outputs, y: targets)."""

OUTPUTS = tuple(dict.fromkeys(output for output, _ in OUTPUT_LOSSES))
LOSSES = tuple(dict.fromkeys(loss for _, loss in OUTPUT_LOSSES))

REDUCTIONS = ("mean", "mean_all", "sum", "half_mean", "half_mean_all", "half_sum")
"""From the rows' losses to one number: the mean over the batch (``mean``), over the batch and the outputs
(``mean_all``), the plain sum, and half of each."""

WEIGHTS = {
    "none": "every row counts as one",
    "rows": "each row's loss is multiplied by its weight; a mean is still over the number of rows",
    "normalised": "the same, with weights that are divided by their mean: a mean is then divided by their sum",
}
"""How much each row counts in the loss."""


@dataclass(frozen=True)
class Spec:
    """A network's forward pass and its loss, by name.

    Parameters
    ----------
    hidden
        Activation of every hidden layer: one of ``HIDDEN``. ``leaky_relu`` has the slope 0.01 below zero;
        the slope at 0 is that of ``jax.nn``: 0 for ``relu``, 1 for ``leaky_relu``.
    output, loss
        Activation of the output layer and the loss of one row: one of the pairs in ``OUTPUT_LOSSES``.
    reduction
        How the rows' losses become one number: one of ``REDUCTIONS``.
    l2
        Adds ``0.5 * l2 * sum(weight**2)`` over all layers; biases are not penalised.
    weights
        How much each row counts: one of ``WEIGHTS``. Other than with ``none``, the gradient is called as
        ``gradient(params, x, y, sample_weight)``, with one weight a row, 0 or larger.
    biases
        Whether layers have biases. Without, those that a case holds are not used, and their gradients are 0.

    Raises
    ------
    ValueError
        When a name is unknown (the message lists the known ones), when output and loss do not belong
        together, or when ``l2`` is negative or not finite.
    """

    hidden: str = "sigmoid"
    output: str = "softmax"
    loss: str = "cross_entropy"
    reduction: str = "mean"
    l2: float = 0.0
    biases: bool = True
    weights: str = "none"

    def __post_init__(self) -> None:
        for name, known in (
            ("hidden", HIDDEN),
            ("output", OUTPUTS),
            ("loss", LOSSES),
            ("reduction", REDUCTIONS),
            ("weights", tuple(WEIGHTS)),
        ):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}; got {getattr(self, name)!r}")
        if (self.output, self.loss) not in OUTPUT_LOSSES:
            pairs = "; ".join(f"{output} with {loss}" for output, loss in OUTPUT_LOSSES)
            raise ValueError(
                f"output and loss must belong together: {pairs}; got {self.output} with {self.loss}"
            )
        if not (isinstance(self.l2, (int, float)) and math.isfinite(self.l2) and self.l2 >= 0):
            raise ValueError(f"l2 must be a finite number, 0 or larger; got {self.l2!r}")

    @property
    def targets(self) -> str:
        """Return what a row of ``y`` is: ``distribution``, ``probability`` (each entry in [0, 1]) or ``real``."""
        return {"softmax": "distribution", "sigmoid": "probability"}.get(self.output, "real")

    @property
    def weighted(self) -> bool:
        """Tell whether the gradient is given a weight for each row."""
        return self.weights != "none"

    def __str__(self) -> str:
        """One line for reports: ``sigmoid hidden, softmax with cross_entropy, mean``."""
        penalty = f", l2 {self.l2:g}" if self.l2 else ""
        biases = "" if self.biases else ", no biases"
        weights = {"none": "", "rows": ", weighted rows", "normalised": ", normalised weights of rows"}[
            self.weights
        ]
        return f"{self.hidden} hidden, {self.output} with {self.loss}, {self.reduction}{weights}{penalty}{biases}"
