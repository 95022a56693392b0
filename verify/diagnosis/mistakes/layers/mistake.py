"""A mistake in a layer's backward pass: a wrong backward beside the right one, and its story."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax

from verify.reference.reference import Reference

Wrong = Callable[..., Any]
"""``wrong(right, dout, *inputs, **options)``, in JAX: the gradients of the differentiated inputs, in order.

``right(dout)`` gives the right ones, as a tuple.
"""


@dataclass(frozen=True)
class LayerMistake:
    """One way to get a layer's backward pass wrong.

    Attributes
    ----------
    name
        What it is called.
    layers
        The names of the references in which it is made; empty where it can be made in any.
    wrong, right
        The formulas side by side.
    story
        How people come to write it, or where it hides.
    backward
        Makes the wrong gradients: see `Wrong`.
    """

    name: str
    layers: tuple[str, ...]
    wrong: str
    right: str
    story: str
    backward: Wrong

    def counts(self, reference: Reference) -> bool:
        """Tell if it can be made in the backward pass of a reference."""
        return not self.layers or reference.name in self.layers

    def of(
        self, reference: Reference, dout: Any, inputs: tuple[Any, ...], options: dict[str, Any]
    ) -> tuple[Any, ...]:
        """The wrong gradients, in JAX, one for each differentiated input."""
        return tuple(
            self.backward(functools.partial(_right, reference, inputs, options), dout, *inputs, **options)
        )


def _right(
    reference: Reference, inputs: tuple[Any, ...], options: dict[str, Any], dout: Any
) -> tuple[Any, ...]:
    """The right gradients of the differentiated inputs."""
    return _pulled(functools.partial(reference.function, **options), reference, inputs, dout)


def _pulled(
    function: Callable[..., Any], reference: Reference, inputs: tuple[Any, ...], dout: Any
) -> tuple[Any, ...]:
    """The vector-Jacobian product of a function of a reference's inputs, for those that are differentiated."""
    places = [i for i, name in enumerate(reference.shapes) if name in reference.differentiated]

    def of_some(*some: Any) -> Any:
        whole = list(inputs)
        for i, value in zip(places, some, strict=True):
            whole[i] = value
        return function(*whole)

    _, pullback = jax.vjp(of_some, *(inputs[i] for i in places))
    return tuple(pullback(dout))


def mistake_of_forward(function: Callable[..., Any]) -> Wrong:
    """The mistake of a wrong forward formula: JAX's gradients of ``function(*inputs, **options)``."""

    def wrong(_: Any, dout: Any, *inputs: Any, **options: Any) -> Any:
        floats = [
            i for i, value in enumerate(inputs) if jax.numpy.issubdtype(value.dtype, jax.numpy.floating)
        ]

        def of_floats(*some: Any) -> Any:
            whole = list(inputs)
            for i, value in zip(floats, some, strict=True):
                whole[i] = value
            return function(*whole, **options)

        _, pullback = jax.vjp(of_floats, *(inputs[i] for i in floats))
        return pullback(dout)

    return wrong


def mistake_of_change(place: int, change: Callable[..., Any]) -> Wrong:
    """The mistake that changes one right gradient: ``change(gradient, dout, *inputs, **options)``."""

    def wrong(right: Any, dout: Any, *inputs: Any, **options: Any) -> Any:
        gradients = list(right(dout))
        gradients[place] = change(gradients[place], dout, *inputs, **options)
        return gradients

    return wrong


def with_mistaken_rule(function: Callable[..., Any], rule: Callable[..., Any]) -> Callable[..., Any]:
    """A function of one array with a wrong rule: ``rule(value, x, dout)`` is taken for its gradient."""
    made = jax.custom_vjp(function)
    made.defvjp(lambda x: (function(x), x), lambda x, dout: (rule(function(x), x, dout),))
    return made
