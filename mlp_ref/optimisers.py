"""Optimisers: how a gradient becomes a step. Each works in place on the flat vector of all parameters.

Shapes: flat, gradient: (parameters,)
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mlp_ref.checks import check_number
from mlp_ref.lbfgs import LBFGS

if TYPE_CHECKING:
    from mlp_ref.arrays import Floats

__all__ = ["OPTIMISERS", "SGD", "Adam", "Optimiser", "OptimiserMemory", "as_optimiser"]


class OptimiserMemory(NamedTuple):
    """The memory of an optimiser between steps.

    Attributes
    ----------
    steps : int
        How many it has taken.
    vectors : (moments, parameters) array, optional
        None before the first step.
    """

    steps: int
    vectors: Floats | None


class Optimiser:
    """The base of the optimisers: a memory that begins with the first step and may be saved and put back.

    An instance keeps its memory from one `MLP.fit` to the next; a name, such as ``"adam"``, begins anew.
    """

    moments = 0

    def __init__(self) -> None:
        self._steps = 0
        self._vectors: Floats | None = None

    def step(self, flat: Floats, gradient: Floats, rate: float) -> None:
        """Take one step of `flat` in place; `gradient` is used as room to work in, and overwritten.

        `flat` itself changes in one operation, the last one. After the first step nothing is allocated.

        Parameters
        ----------
        flat, gradient : (parameters,) arrays of one dtype
        rate : float
            The learning rate of this step.

        Raises
        ------
        ValueError
            Where the steps before were those of parameters of another number or dtype.
        """
        if self._vectors is None:
            self._vectors = np.zeros((self.moments, flat.size), flat.dtype)
        if self._vectors.shape[1] != flat.size or self._vectors.dtype != flat.dtype:
            raise ValueError(
                f"optimiser must be one of its own for each network: it has stepped {self._vectors.shape[1]} "
                f"parameters of {self._vectors.dtype}, and this network has {flat.size} of {flat.dtype}"
            )
        self._steps += 1
        flat -= self._step(self._vectors, gradient, rate)

    def _step(self, moments: Floats, gradient: Floats, rate: float) -> Floats:
        """Return what is to be subtracted, in the place of the gradient."""
        raise NotImplementedError

    def memory(self) -> OptimiserMemory:
        """Return a copy of what is remembered."""
        return OptimiserMemory(self._steps, None if self._vectors is None else self._vectors.copy())

    def remember(self, memory: OptimiserMemory) -> None:
        """Go back to what `memory` holds, which is copied."""
        self._steps = memory.steps
        if memory.vectors is None or self._vectors is None or self._vectors.shape != memory.vectors.shape:
            self._vectors = None if memory.vectors is None else memory.vectors.copy()
        else:
            self._vectors[:] = memory.vectors


class SGD(Optimiser):
    """Gradient descent on mini-batches, with momentum where it is not 0.

    With the gradient g, the velocity is ``v = momentum * v + g``, and the step is ``rate * v``; with `nesterov`,
    ``rate * (g + momentum * v)``. (Sutskever, Martens, Dahl and Hinton 2013, in the form of PyTorch and Optax, which
    keep the rate outside the velocity.)

    Parameters
    ----------
    momentum : float
        At least 0 and less than 1.
    nesterov : bool
    """

    def __init__(self, momentum: float = 0.0, *, nesterov: bool = False) -> None:
        super().__init__()
        self.momentum = check_number(momentum, "momentum", least=0, below=1)
        self.nesterov = bool(nesterov)
        self.moments = 1 if self.momentum else 0

    def __repr__(self) -> str:
        return f"SGD(momentum={self.momentum!r}, nesterov={self.nesterov})"

    def _step(self, moments: Floats, gradient: Floats, rate: float) -> Floats:
        if not self.momentum:
            gradient *= rate
            return gradient
        # momentum * v is kept, so that both forms need no other room than the gradient's.
        velocity = moments[0]
        velocity += gradient
        if not self.nesterov:
            step: Floats = np.multiply(velocity, rate, out=gradient)
            velocity *= self.momentum
            return step
        velocity *= self.momentum
        gradient += velocity
        gradient *= rate
        return gradient


class Adam(Optimiser):
    """Adam: steps along the mean gradient, in units of the root of its mean square.

    With the gradient g of step t, ``m = beta_1 * m + (1 - beta_1) * g`` and ``v = beta_2 * v + (1 - beta_2) * g**2``
    (both from 0), and the step is ``rate * (m / (1 - beta_1**t)) / (sqrt(v / (1 - beta_2**t)) + epsilon)``: Kingma
    and Ba 2015, algorithm 1, as in PyTorch and Optax.

    Parameters
    ----------
    beta_1, beta_2 : float
        At least 0 and less than 1.
    epsilon : float
        Positive.
    """

    moments = 2

    def __init__(self, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-8) -> None:
        super().__init__()
        self.beta_1 = check_number(beta_1, "beta_1", least=0, below=1)
        self.beta_2 = check_number(beta_2, "beta_2", least=0, below=1)
        self.epsilon = check_number(epsilon, "epsilon", above=0)

    def __repr__(self) -> str:
        return f"Adam(beta_1={self.beta_1!r}, beta_2={self.beta_2!r}, epsilon={self.epsilon!r})"

    def _step(self, moments: Floats, gradient: Floats, rate: float) -> Floats:
        # The moments are kept as m / (1 - beta_1) and v / (1 - beta_2): two products fewer, and no other room than
        # the gradient's. What they lack, and what the corrections divide by, goes into the two numbers of a step.
        m, v = moments
        m *= self.beta_1
        m += gradient
        gradient *= gradient
        v *= self.beta_2
        v += gradient
        weight_1, weight_2 = (
            _weight_of_mean(self.beta_1, self._steps),
            _weight_of_mean(self.beta_2, self._steps),
        )
        root = np.sqrt(v, out=gradient)
        root += self.epsilon / math.sqrt(weight_2)
        step: Floats = np.divide(m, root, out=gradient)
        step *= rate * weight_1 / math.sqrt(weight_2)
        return step


def _weight_of_mean(beta: float, steps: int) -> float:
    """Return (1 - beta) / (1 - beta**steps), of which the second difference would cancel for beta near 1."""
    return (1 - beta) / -math.expm1(steps * math.log(beta)) if beta else 1.0


OPTIMISERS: dict[str, type[Optimiser] | type[LBFGS]] = {"sgd": SGD, "adam": Adam, "lbfgs": LBFGS}


def as_optimiser(optimiser: object) -> Any:
    """Return an optimiser: `optimiser` itself, or a new one with the settings that are usual for a name."""
    if isinstance(optimiser, Optimiser | LBFGS):
        return optimiser
    if isinstance(optimiser, str) and optimiser in OPTIMISERS:
        return OPTIMISERS[optimiser]()
    names = ", ".join(map(repr, OPTIMISERS))
    raise ValueError(f"optimiser must be one of {names}, or an SGD, Adam or LBFGS, got {optimiser!r}")
