"""MLP: the network a user holds."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from mlp_ref.arrays import DTYPES, Floats, Integers
from mlp_ref.backprop import forward, loss_and_gradient
from mlp_ref.checks import check_hidden, check_layer_sizes, check_loss
from mlp_ref.initialisation import default_initialisation, initial_parameters
from mlp_ref.params import Layer, as_layers
from mlp_ref.softmax import softmax


class MLP:
    """A multilayer perceptron."""

    def __init__(
        self,
        layer_sizes: Sequence[int],
        hidden: str = "sigmoid",
        loss: str = "cross_entropy",
        *,
        init: str | None = None,
        dtype: DTypeLike = np.float32,
        seed: int | None = None,
    ) -> None:
        self.layer_sizes = check_layer_sizes(layer_sizes)
        check_hidden(hidden)
        check_loss(loss)
        self.hidden = hidden
        self.loss = loss
        self.init = init or default_initialisation(hidden)
        self.rng = np.random.default_rng(seed)
        self.flat = initial_parameters(self.layer_sizes, self.init, np.dtype(dtype), self.rng)

    @property
    def params(self) -> list[Layer]:
        """The layers, as views of `flat`: what is written to them is written to the network."""
        return as_layers(self.flat, self.layer_sizes)

    def forward(self, x: ArrayLike) -> Floats:
        """Return the logits."""
        return forward(self.params, x, self.hidden)

    def loss_and_gradient(self, x: ArrayLike, y: ArrayLike) -> tuple[float, list[Layer]]:
        """Return the loss of a batch and its gradient."""
        return loss_and_gradient(self.params, x, y, self.hidden, self.loss)

    def predict_proba(self, x: ArrayLike) -> Floats:
        """Return the probability of each class."""
        return softmax(self.forward(x))

    def predict(self, x: ArrayLike) -> Floats | Integers:
        """Return the likeliest class of each row, or for ``loss="mse"`` the outputs."""
        outputs = self.forward(x)
        return outputs if self.loss == "mse" else outputs.argmax(axis=1)
