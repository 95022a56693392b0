"""The reference and the target, from what a person passes to `verify.check_backward`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax

from verify.case.layers.cases import layer_case_refusal
from verify.reference.derivative import CALLS_NUMPY
from verify.reference.layers import reference_in_table
from verify.reference.reference import Reference, Setting
from verify.reference.shapes import Shape
from verify.subject.layers.frameworks import JaxLayer, TorchLayer, jax_layer, torch_layer
from verify.subject.layers.functions import target_of_functions
from verify.subject.layers.objects import LayerObject, layer_object
from verify.subject.layers.target import LayerTarget


def as_reference(
    reference: Any = None,
    backward: Any = None,
    shapes: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
    integers: Mapping[str, int | str] | None = None,
    choices: Mapping[str, Sequence[float]] | None = None,
    constants: Sequence[str] = (),
    positive: Sequence[str] = (),
) -> Reference:
    """The Reference of the arguments of `verify.check_backward`.

    Raises
    ------
    TypeError, ValueError
        When an argument is not usable.
    """
    if reference is None and isinstance(backward, jax.custom_vjp):
        reference = backward.fun
    if reference is None:
        raise ValueError(
            "reference must be a JAX function or a name from verify.reference.layers.NAMES; got None"
        )
    if isinstance(reference, str):
        reference = reference_in_table(reference)
    if not isinstance(reference, Reference):
        if shapes is None:
            raise ValueError(
                'shapes must say the shape of each input of the reference, as {"x": "n d"}; got None'
            )
        return Reference.of(reference, shapes, options, integers, choices, constants, positive)
    if shapes is None and not (integers or choices or constants or positive):
        return reference if options is None else reference.restricted({**reference.options, **options})
    return Reference.of(
        _in_order(reference, shapes),
        reference.shapes if shapes is None else shapes,
        {**reference.options, **(options or {})},
        reference.integers if integers is None else integers,
        reference.choices if choices is None else choices,
        constants or reference.constants,
        positive or reference.positive,
        name=reference.name,
        shifts_cancel=reference.shifts_cancel,
    )


def _in_order(reference: Reference, shapes: Mapping[str, Any] | None) -> Callable[..., Any]:
    """The reference's function, of inputs in the order of ``shapes`` where these are its own in another order."""
    if shapes is None or list(shapes) == list(reference.shapes) or set(shapes) != set(reference.shapes):
        return reference.function
    function, places = reference.function, [list(shapes).index(name) for name in reference.shapes]

    @functools.wraps(function)
    def in_order(*inputs: Any, **options: Any) -> Any:
        return function(*(inputs[place] for place in places), **options)

    return in_order


def as_layer_target(backward: Any, forward: Callable[..., Any] | None, reference: Reference) -> LayerTarget:
    """Return what is judged, from what a person passes as ``backward`` and ``forward``.

    Raises
    ------
    TypeError, ValueError
        When it cannot be called as the reference's backward pass.
    """
    setting = smallest_setting(reference)
    if isinstance(backward, LayerTarget):
        return backward
    if forward is not None and not callable(forward):
        raise TypeError(f"forward must be a function; got {type(forward).__name__}")
    if isinstance(backward, jax.custom_vjp):
        backward = jax_layer(backward)
    elif isinstance(backward, type):
        backward = _of_class(backward)
    if isinstance(backward, (LayerObject, TorchLayer, JaxLayer)):
        if forward is not None:
            raise ValueError(
                "forward must not be given where backward is a layer: it has its own forward pass"
            )
        return backward.target(setting)
    if not callable(backward):
        raise TypeError(
            f"backward must be a function, a layer's class or an adapter; got {type(backward).__name__}"
        )
    return target_of_functions(backward, forward, setting)


def _of_class(made: type) -> LayerObject | TorchLayer:
    if any(base.__module__.startswith("torch.") for base in made.__mro__) and hasattr(made, "apply"):
        return torch_layer(made)
    if not (hasattr(made, "forward") and hasattr(made, "backward")):
        raise TypeError(
            f"the class {made.__name__} has no forward and backward: use verify.layer_object to name them"
        )
    return layer_object(made)


def smallest_setting(reference: Reference) -> Setting:
    """The reference at the smallest sizes of a few at which it can be called.

    Raises
    ------
    ValueError
        Where it cannot be called at any: with what it raised.
    """
    options = {name: value for name, value in reference.options.items() if isinstance(value, tuple)}
    why = ""
    for size in (2, 1, 3, 4, 6, 8):
        sizes = tuple((symbol, size) for symbol in reference.symbols)
        for which in (0, -1):
            chosen = tuple((name, values[which]) for name, values in options.items())
            chosen += tuple(
                (name, _symbolic(text, dict(sizes)))
                for name, text in reference.options.items()
                if isinstance(text, str)
            )
            said = layer_case_refusal(reference, sizes, chosen)
            if said is None:
                return reference.at(dict(sizes), dict(chosen))
            if said == CALLS_NUMPY:
                raise ValueError(f"reference: {reference.name} {said}")
            why = why or f"{said} (with {', '.join(f'{n}={v}' for n, v in (*sizes, *chosen))})"
    raise ValueError(f"the reference {reference.name} cannot be called at its shapes: {why}")


def _symbolic(text: Any, sizes: dict[str, int]) -> int:
    return Shape(text).at(sizes)[0]
