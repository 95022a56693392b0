"""A mistake: a wrong formula beside the right one, its story, and the change that makes it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mlp_ref.params import Layer
from verify.diagnosis.mistakes.right_backprop import RIGHT, BackpropPieces, backprop_gradient
from verify.reference.spec import Spec

GradientOf = Callable[[list[Layer], Any, Any], list[Layer]]
"""A gradient function of whatever arrays it is given."""

State = Callable[[GradientOf, Spec], GradientOf]
"""Puts a memory, or side effects, around a gradient function: a fresh one each time."""


class MistakeConstant:
    """A piece, or a memory, with a number in it: what makes it of the number, and the usual numbers."""

    def __init__(self, make: Callable[[float], Any], *usual: float) -> None:
        self.make, self.usual = make, usual


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
        The pieces of `verify.diagnosis.mistakes.right_backprop.BackpropPieces` that it replaces. A piece
        may be a `MistakeConstant`.
    state
        The memory that it puts around the gradient function; may be a `MistakeConstant`.
    applies
        Whether it is a mistake for a Spec.
    first_call_right
        Whether what it puts around the gradient function leaves the first call's result as it is.
    draws
        Makes, for a mistake that draws at random, every gradient that a call can return.
    constant
        The number in it, where that has been chosen.
    where
        In which layers, or in which rows, where not in all.
    of_rows
        For a mistake that is one in some rows alone: its pieces, from a function that says of n rows which they are.
    """

    name: str
    family: str
    wrong: str
    right: str
    story: str
    hides: str
    pieces: Mapping[str, Any] = field(default_factory=dict)
    state: State | MistakeConstant | None = None
    applies: Callable[[Spec], bool] = lambda spec: True
    first_call_right: bool = True
    draws: Callable[[GradientOf, list[Layer], Any, Any], Iterable[list[Layer]]] | None = None
    constant: float | None = None
    where: str = ""
    of_rows: Callable[[Callable[[int], Any]], Mapping[str, Any]] | None = None

    def counts(self, spec: Spec) -> bool:
        """Tell whether it is a mistake for a Spec: it is declared to be one, and is not about biases that are
        not there.
        """
        return self.applies(spec) and (spec.biases or not ("bias" in self.pieces or "bias" in self.name))

    @functools.cached_property
    def usual(self) -> tuple[float, ...]:
        """The usual numbers for its constant; empty where it has none, or has one that is chosen."""
        for part in (*self.pieces.values(), self.state):
            if isinstance(part, MistakeConstant):
                return part.usual
        return ()

    def with_constant(self, number: float) -> Mistake:
        """The same mistake with a number for its constant."""

        def made(part: Any) -> Any:
            return part.make(number) if isinstance(part, MistakeConstant) else part

        pieces = {name: made(piece) for name, piece in self.pieces.items()}
        return replace(self, pieces=pieces, state=made(self.state), constant=number)

    @functools.cached_property
    def variants(self) -> list[Mistake]:
        """The same mistake with each of its usual constants, the same objects each time; usually itself alone."""
        return [self.with_constant(number) for number in self.usual] or [self]

    @property
    def touched(self) -> frozenset[str]:
        """The names of what it replaces; mistakes that touch different things can be made together."""
        return frozenset(self.pieces) | ({"state"} if self.state else set())


def compose_mistakes(mistakes: Iterable[Mistake]) -> BackpropPieces:
    """Compose mistakes: a backpropagation with the first variant of each mistake in it."""
    pieces = RIGHT
    for mistake in mistakes:
        pieces = replace(pieces, **mistake.variants[0].pieces)
    return pieces


def compatible(*mistakes: Mistake) -> bool:
    """Tell whether no two of these mistakes replace the same piece."""
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
    pieces = compose_mistakes(mistakes)

    def made(params: list[Layer], x: Any, y: Any) -> list[Layer]:
        layers = backprop_gradient(pieces, spec, params, x, y)
        return [Layer(*(_in_dtype(tensor, x) for tensor in layer)) for layer in layers]

    function: GradientOf = made
    for mistake in mistakes:
        state = mistake.variants[0].state
        if state:
            assert not isinstance(state, MistakeConstant)
            function = state(function, spec)
    function.__name__ = "_and_".join(mistake.name for mistake in mistakes) or "right"
    return function


def _in_dtype(tensor: Any, x: Any) -> Any:
    """A constant among the operands may have widened a tensor: that is not the mistake in question."""
    return tensor if tensor.dtype == x.dtype or tensor.dtype == np.dtype(object) else tensor.astype(x.dtype)
