"""What a mistake is: a wrong formula beside the right one, its story, and the change that makes it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mlp_ref.params import Layer
from verify.diagnosis.mistakes.backprop import RIGHT, Pieces, gradient
from verify.reference.spec import Spec

GradientOf = Callable[[list[Layer], Any, Any], list[Layer]]
"""A gradient function of whatever arrays it is given."""

State = Callable[[GradientOf, Spec], GradientOf]
"""Puts a memory, or bad manners, around a gradient function: a fresh one each time."""


@dataclass(frozen=True)
class Mistake:
    """One way to get a gradient wrong.

    Attributes
    ----------
    name, family
        What it is called, and what part of a backpropagation it belongs to.
    wrong, right
        The formulas side by side.
    story
        How people come to write it.
    hides
        Where it cannot be seen.
    pieces
        The pieces of `verify.diagnosis.mistakes.backprop.Pieces` that it replaces. A piece may be a tuple of variants:
        the same mistake with another constant.
    state
        The memory that it puts around the gradient function.
    applies
        Whether it is a mistake for a Spec.
    first_call_right
        Whether what it puts around the gradient function leaves the first call's result as it is.
    draws
        Makes, for a mistake that draws at random, every gradient that a call can return.
    """

    name: str
    family: str
    wrong: str
    right: str
    story: str
    hides: str
    pieces: Mapping[str, Any] = field(default_factory=dict)
    state: State | None = None
    applies: Callable[[Spec], bool] = lambda spec: True
    first_call_right: bool = True
    draws: Callable[[GradientOf, list[Layer], Any, Any], Iterable[list[Layer]]] | None = None

    def counts(self, spec: Spec) -> bool:
        """Whether it is a mistake for a Spec: it is declared to be one, and is not about biases that are not there."""
        return self.applies(spec) and (spec.biases or not ("bias" in self.pieces or "bias" in self.name))

    @functools.cached_property
    def variants(self) -> list[Mistake]:
        """The same mistake with each of its constants, the same objects each time; usually itself alone."""
        counts = {len(piece) for piece in self.pieces.values() if isinstance(piece, tuple)}
        if not counts:
            return [self]
        (count,) = counts
        return [
            replace(
                self,
                pieces={
                    k: piece[i] if isinstance(piece, tuple) else piece for k, piece in self.pieces.items()
                },
            )
            for i in range(count)
        ]

    @property
    def touched(self) -> frozenset[str]:
        """The names of what it replaces; mistakes that touch different things can be made together."""
        return frozenset(self.pieces) | ({"state"} if self.state else set())


def composed(mistakes: Iterable[Mistake]) -> Pieces:
    """A backpropagation with the first variant of each mistake in it."""
    pieces = RIGHT
    for mistake in mistakes:
        pieces = replace(pieces, **mistake.variants[0].pieces)
    return pieces


def compatible(*mistakes: Mistake) -> bool:
    """Whether no two of them replace the same piece."""
    return sum(len(mistake.touched) for mistake in mistakes) == len(
        frozenset().union(*(mistake.touched for mistake in mistakes))
    )


def wrong_gradient(spec: Spec, *mistakes: Mistake) -> GradientOf:
    """A gradient function that makes these mistakes, with a memory of its own where they have one.

    Parameters
    ----------
    spec
        What it should have been the gradient of.
    mistakes
        What it does instead; none gives the right gradient.

    Returns
    -------
    function
        ``gradient(params, x, y) -> [Layer(dweight, dbias), ...]``, of floats, bounded floats or balls.

    Raises
    ------
    ValueError
        When two mistakes replace the same piece.
    """
    if not compatible(*mistakes):
        names = ", ".join(mistake.name for mistake in mistakes)
        raise ValueError(f"mistakes must replace different pieces to be made together; got {names}")
    pieces = composed(mistakes)

    def made(params: list[Layer], x: Any, y: Any) -> list[Layer]:
        layers = gradient(pieces, spec, params, x, y)
        return [Layer(*(_in_dtype(tensor, x) for tensor in layer)) for layer in layers]

    function: GradientOf = made
    for mistake in mistakes:
        if mistake.state:
            function = mistake.state(function, spec)
    function.__name__ = "_and_".join(mistake.name for mistake in mistakes) or "right"
    return function


def _in_dtype(tensor: Any, x: Any) -> Any:
    """A constant among the operands may have widened a tensor: that is not the mistake in question."""
    return tensor if tensor.dtype == x.dtype or tensor.dtype == np.dtype(object) else tensor.astype(x.dtype)
