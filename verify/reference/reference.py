"""A Reference: a function in JAX whose derivative judges a backward pass, and what it may be called with."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import numpy as np
import numpy.typing as npt

from verify.evaluate.array import Array
from verify.evaluate.backward_program import BackwardProgram, traced_backward
from verify.reference.shapes import Shape, Tree, parse_shapes, shape_leaves
from verify.reference.truth import Truth

Choice = str | int | Sequence[Any]
"""Values of an option to choose from, or the symbol that it is."""


@dataclass(frozen=True, eq=False)
class Reference:
    """A function in JAX, whose derivative judges a backward pass, and what it may be called with.

    Parameters
    ----------
    name
        What it is called in reports.
    function
        ``function(*inputs, **options)``, in JAX; returns an array or a structure of arrays.
    shapes
        For each input, in order: its shape, or a structure of shapes. See `verify.reference.shapes.Shape`.
    options
        For each keyword argument: a sequence of values to choose from, or an expression of the shapes' symbols.
    integers
        Inputs of integers from 0 to below this bound: an integer or an expression of symbols. They are not
        differentiated.
    choices
        Inputs whose entries are chosen from these numbers; not differentiated.
    constants
        Inputs of floats that are not differentiated.
    positive
        Inputs of positive numbers.
    shifts_cancel
        Whether the result does not depend on what goes through ``stop_gradient``: true of every softmax.
    """

    name: str
    function: Callable[..., Any]
    shapes: Mapping[str, Tree]
    options: Mapping[str, Choice] = field(default_factory=dict)
    integers: Mapping[str, int | str] = field(default_factory=dict)
    choices: Mapping[str, Sequence[float]] = field(default_factory=dict)
    constants: tuple[str, ...] = ()
    positive: tuple[str, ...] = ()
    shifts_cancel: bool = False

    @classmethod
    def of(
        cls,
        function: Callable[..., Any],
        shapes: Mapping[str, Any],
        options: Mapping[str, Choice] | None = None,
        integers: Mapping[str, int | str] | None = None,
        choices: Mapping[str, Sequence[float]] | None = None,
        constants: Sequence[str] = (),
        positive: Sequence[str] = (),
        name: str = "",
        shifts_cancel: bool = False,
    ) -> Reference:
        """A Reference of arguments as a person writes them.

        Raises
        ------
        TypeError, ValueError
            When one of them is not usable.
        """
        if not callable(function):
            raise TypeError(f"reference must be a JAX function or a name; got {type(function).__name__}")
        if not isinstance(shapes, Mapping) or not shapes:
            raise ValueError(f"shapes must map the name of each input to its shape; got {shapes!r}")
        trees = {key: parse_shapes(tree, f"shapes[{key!r}]") for key, tree in shapes.items()}
        for argument, value in (("constants", constants), ("positive", positive)):
            if isinstance(value, str):
                raise ValueError(f"{argument} must be a list of inputs' names; got {value!r}")
        given = {
            "integers": integers or {},
            "choices": choices or {},
            "constants": tuple(constants),
            "positive": tuple(positive),
        }
        for argument, names in given.items():
            for key in names:
                if key not in trees:
                    raise ValueError(
                        f"{argument} names {key!r}, which is no input: shapes has {', '.join(trees)}"
                    )
        made = cls(
            name or getattr(function, "__name__", repr(function)),
            function,
            trees,
            {key: _option(key, value) for key, value in (options or {}).items()},
            **given,  # type: ignore[arg-type]
            shifts_cancel=shifts_cancel,
        )
        if not made.differentiated:
            raise ValueError("no input is differentiated: every one is in integers, choices or constants")
        for where, text in made._expressions():
            if unknown := [
                symbol for symbol in Shape(str(text), where).symbols if symbol not in made.symbols
            ]:
                raise ValueError(f"{where} is {text!r}, but no shape has {unknown[0]!r}")
        return made

    def _expressions(self) -> list[tuple[str, int | str]]:
        return [(f"integers[{key!r}]", bound) for key, bound in self.integers.items()] + [
            (f"options[{key!r}]", value) for key, value in self.options.items() if isinstance(value, str)
        ]

    @functools.cached_property
    def symbols(self) -> tuple[str, ...]:
        """The symbols of the shapes, in the order in which they first occur."""
        found = [
            symbol
            for name, tree in self.shapes.items()
            for _, s in shape_leaves(tree, name)
            for symbol in s.symbols
        ]
        return tuple(dict.fromkeys(found))

    @property
    def differentiated(self) -> tuple[str, ...]:
        """The inputs that have a gradient."""
        given = {*self.integers, *self.choices, *self.constants}
        return tuple(name for name in self.shapes if name not in given)

    @functools.cached_property
    def options_taken(self) -> tuple[str, ...]:
        """The options that the function has a parameter for; the others are for the backward pass alone."""
        parameters = parameters_of_function(self.function)
        if not parameters or any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters):
            return tuple(self.options)
        return tuple(name for name in self.options if name in {p.name for p in parameters})

    @functools.cached_property
    def gradient_names(self) -> tuple[str, ...]:
        """The names of the tensors of the gradient: an input's, or a leaf's of an input that is a structure."""
        return tuple(
            leaf for name in self.differentiated for leaf, _ in shape_leaves(self.shapes[name], name)
        )

    def restricted(self, options: Mapping[str, Choice]) -> Reference:
        """The same with other options."""
        return replace(self, options={key: _option(key, value) for key, value in options.items()})

    def at(self, sizes: Mapping[str, int], options: Mapping[str, Any]) -> Setting:
        """The function at sizes and with options, traced.

        Raises
        ------
        ValueError, TypeError
            Where the function cannot be called like this.
        """
        key = tuple(sizes[symbol] for symbol in self.symbols), tuple(sorted(options.items()))
        return _setting(self, *key)


def _option(name: str, value: Any) -> Choice:
    if isinstance(value, str):
        return value
    if isinstance(value, Sequence) and value:
        return tuple(value)
    if isinstance(value, (bool, int, float)):
        return (value,)
    raise ValueError(
        f"options[{name!r}] must be a list of values to choose from, or an expression of symbols; got {value!r}"
    )


@functools.lru_cache(maxsize=4096)
def _setting(reference: Reference, sizes: tuple[int, ...], options: tuple[tuple[str, Any], ...]) -> Setting:
    return Setting(reference, dict(zip(reference.symbols, sizes, strict=True)), dict(options))


class Setting:
    """A Reference at certain sizes and with certain options."""

    def __init__(self, reference: Reference, sizes: Mapping[str, int], options: Mapping[str, Any]) -> None:
        self.reference, self.sizes, self.options = reference, dict(sizes), dict(options)
        self.shapes = {name: _sized(tree, self.sizes) for name, tree in reference.shapes.items()}
        taken = {name: value for name, value in self.options.items() if name in reference.options_taken}
        self.backward = self.traced(functools.partial(reference.function, **taken))

    def traced(self, function: Callable[..., Any]) -> BackwardProgram:
        """A function of the same inputs, traced with its vector-Jacobian product."""
        arguments = [
            jax.tree.map(
                functools.partial(_array, np.int64 if name in self.reference.integers else np.float64),
                tree,
                is_leaf=_is_shape,
            )
            for name, tree in self.shapes.items()
        ]
        backward = traced_backward(function, arguments)
        program = replace(backward.program, shifts_cancel=self.reference.shifts_cancel)
        return replace(backward, program=program)

    @property
    def outputs(self) -> list[tuple[int, ...]]:
        """The shapes of the leaves of the function's result."""
        return [tuple(leaf.shape) for leaf in self.backward.output_leaves]

    def cotangent(self, leaves: Sequence[Any]) -> Any:
        """The cotangents of the leaves of the function's result, in its structure."""
        return jax.tree.unflatten(self.backward.outputs, leaves)

    @functools.cached_property
    def judged(self) -> list[int]:
        """The places of the judged tensors among the gradients of the program."""
        names = [
            name
            for name, tree in self.shapes.items()
            if name not in self.reference.integers
            for _ in jax.tree.leaves(tree, is_leaf=_is_shape)
        ]
        return [i for i, name in enumerate(names) if name in self.reference.differentiated]

    def truth(self, inputs: list[Array], dtype: npt.DTypeLike) -> Truth:
        """The outputs and the gradient with bounds; ``inputs`` are the program's, in float64."""
        return Truth.evaluated(self.backward.program, inputs, dtype, judged=self.judged)


def _is_shape(tree: Any) -> bool:
    return isinstance(tree, tuple) and all(isinstance(size, int) for size in tree)


def _array(dtype: npt.DTypeLike, shape: tuple[int, ...]) -> Any:
    return jax.ShapeDtypeStruct(shape, dtype)  # type: ignore[no-untyped-call]


def _sized(tree: Tree, sizes: Mapping[str, int]) -> Any:
    """A tree of Shapes as a tree of shapes."""
    if isinstance(tree, Shape):
        return tree.at(sizes)
    if isinstance(tree, Mapping):
        return {key: _sized(item, sizes) for key, item in tree.items()}
    return type(tree)(_sized(item, sizes) for item in tree)


def parameters_of_function(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """The parameters of a function's signature; none where it has no signature."""
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return []
