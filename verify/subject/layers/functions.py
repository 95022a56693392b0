"""Backward passes that are functions: ``backward(dout, cache)`` with a forward pass, or ``backward(dout, *inputs)``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import jax

from verify.reference.reference import Reference, Setting, parameters_of_function
from verify.subject.failed import Failed
from verify.subject.layers.own_options import name_of_function, options_reaching, require_options_known
from verify.subject.layers.reading import is_one_number
from verify.subject.layers.target import LayerTarget, Run, TargetReturned
from verify.subject.load import source_to_load

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def target_of_functions(
    backward: Callable[..., Any], forward: Callable[..., Any] | None, setting: Setting
) -> LayerTarget:
    """The target that a backward function is, with its forward function where it has one.

    ``setting`` is the reference at some sizes.

    Raises
    ------
    TypeError, ValueError
        When the parameters of a function fit no way of calling it, or an option would reach none.
    """
    name = getattr(backward, "__name__", "")
    name = name if name.isidentifier() else "backward"
    source = _source(backward, name)
    if forward is None:
        return replace(_alone(backward, name, setting), source=source)
    run, notes = _with_cache(backward, forward, setting)
    of_forward = getattr(forward, "__name__", "")
    of_forward = of_forward if of_forward.isidentifier() else "forward"
    lines = [*source.splitlines(), *_source(forward, of_forward).splitlines()]
    source = "\n".join(dict.fromkeys(lines))  # one import serves both
    return LayerTarget(run, name, source, f"forward={of_forward}", notes=notes)


def _source(function: Any, name: str) -> str:
    """The lines that bring a function into scope: by its file, where it was loaded from one."""
    module, file = str(getattr(function, "__module__", "")), None
    if module.startswith("target_"):
        file = inspect.getsourcefile(function)
    if file is None:
        return source_to_load(function, name)
    return f'from verify.subject.load import load_object\n{name} = load_object("{file}:{name}")'


Options = Callable[[Mapping[str, Any]], tuple[tuple[Any, ...], dict[str, Any]]]
"""From options by name to the positional and keyword arguments that a function takes them in."""


def function_options_passed(function: Callable[..., Any], reference: Reference, what: str) -> Options:
    """Return how a function takes the options: by name, or as one dictionary after the inputs, or not at all."""
    names = list(reference.options)
    parameters = parameters_of_function(function)
    if not parameters or any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters):
        return lambda options: ((), dict(options))
    taken = [
        p.name for p in parameters if p.name in names and p.kind is not inspect.Parameter.POSITIONAL_ONLY
    ]
    required = [p for p in parameters if p.kind in _POSITIONAL and p.default is inspect.Parameter.empty]
    extra = len(required) - len(reference.shapes)
    if names and not taken and extra == {"forward": 1, "backward": 2}.get(what):
        return lambda options: ((_Options(options),), {})
    if what != "cache":
        _require_taken(function, reference, taken)
    return lambda options: ((), {name: options[name] for name in taken})


def _require_taken(function: Callable[..., Any], reference: Reference, taken: Sequence[str]) -> None:
    """Refuse a function that does not take an option which is drawn: it could not know its value."""
    for name, values in reference.options.items():
        if (
            name not in taken
            and isinstance(values, Sequence)
            and not isinstance(values, str)
            and len(values) > 1
        ):
            raise TypeError(
                f"{name_of_function(function)} has no parameter for the option {name}, which is drawn from "
                f"{list(values)}: say "
                f"which value it uses, as options={{{name!r}: ({values[0]!r},)}}"
            )


_MEANT = {"pool_height": "size", "pool_width": "size"}
"""What options are also called where they are passed in a dictionary."""


class _Options(dict[str, Any]):
    """A dictionary of options, as functions with a parameter such as ``pool_param`` read them."""

    def __missing__(self, key: str) -> Any:
        if _MEANT.get(key) in self:
            return self[_MEANT[key]]
        raise KeyError(f"{key}; options={{{key!r}: (value,)}} would put it into this dictionary")


def _positional(function: Callable[..., Any]) -> tuple[list[str], int]:
    """The names of the positional parameters, and how many of them have no default."""
    positional = [p for p in parameters_of_function(function) if p.kind in _POSITIONAL]
    return [p.name for p in positional], sum(p.default is inspect.Parameter.empty for p in positional)


def _with_cache(
    backward: Callable[..., Any], forward: Callable[..., Any], setting: Setting
) -> tuple[Run, tuple[str, ...]]:
    reference, outputs = setting.reference, len(setting.outputs)
    passed = function_options_passed(forward, reference, "forward")
    backward_options = function_options_passed(backward, reference, "cache")
    _, required = _positional(backward)
    apart = outputs > 1 and required == outputs + 1  # backward(dh, dc, cache)
    reached = [
        (name_of_function(forward), options_reaching(forward, passed(reference.options))),
        (name_of_function(backward), options_reaching(backward, backward_options(reference.options))),
    ]
    own = require_options_known(reference, reached)

    def run(inputs: Mapping[str, Any], options: Mapping[str, Any], cotangents: list[Any]) -> TargetReturned:
        more, keywords = passed(options)
        result = forward(*inputs.values(), *more, **keywords)
        found, cache = _out_and_cache(result, outputs)
        keywords = backward_options(options)[1]

        def again() -> Any:
            given = cotangents if apart else [setting.cotangent(cotangents)]
            return backward(*given, cache, **keywords)

        return TargetReturned(found, again(), again)

    called = f"forward({', '.join(reference.shapes)}) -> (out, cache), backward(dout, cache)"
    return run, (called, *own)


def _out_and_cache(result: Any, outputs: int) -> tuple[list[Any], Any]:
    if not isinstance(result, (tuple, list)) or len(result) < 2:
        kind = type(result).__name__
        raise Failed("result", "crashed", f"the forward pass returned {kind}; it must return (out, cache)")
    if len(result) == outputs + 1:
        return list(result[:-1]), result[-1]
    out, *rest = result
    found = jax.tree.leaves(out)
    if len(found) != outputs:
        raise Failed(
            "result",
            "crashed",
            f"the forward pass returned {len(found)} outputs; the reference has {outputs}",
        )
    return found, rest[0] if len(rest) == 1 else tuple(rest)


def _alone(backward: Callable[..., Any], name: str, setting: Setting) -> LayerTarget:
    """``backward(dout, *inputs)``; ``backward(dout, x, w)`` with some inputs, by name; ``loss(x, y) -> (loss, dx)``."""
    reference, outputs, scalar = setting.reference, len(setting.outputs), setting.outputs == [()]
    passed = function_options_passed(backward, reference, "backward")
    own_options = require_options_known(
        reference, [(name_of_function(backward), options_reaching(backward, passed(reference.options)))]
    )
    names, required = _positional(backward)
    inputs = list(reference.shapes)
    unit = scalar and _takes_no_cotangent(names, required, inputs)
    given = inputs
    first = 0 if unit else 1
    if not unit and names:
        own = [parameter for parameter in names if parameter not in reference.options]
        first = outputs if outputs > 1 and len(own) >= outputs + len(inputs) else 1
        rest = own[first:]
        if len(rest) < len(inputs):  # some of the inputs: by their names
            strangers = [parameter for parameter in rest if parameter not in inputs]
            if strangers:
                raise TypeError(
                    f"backward takes {', '.join(names)}: give forward= where {strangers[0]!r} is a cache, or let "
                    f"its parameters be dout and (some of) the inputs {', '.join(inputs)}"
                )
            given = rest

    def run(values: Mapping[str, Any], options: Mapping[str, Any], cotangents: list[Any]) -> TargetReturned:
        more, keywords = passed(options)
        weights = [] if unit else cotangents if first > 1 else [setting.cotangent(cotangents)]
        result = backward(*weights, *(values[key] for key in given), *more, **keywords)
        if unit and isinstance(result, (tuple, list)) and len(result) > 1 and is_one_number(result[0]):
            loss, *rest = result
            return TargetReturned([loss], rest[0] if len(rest) == 1 else tuple(rest))
        return TargetReturned(None, result)

    called = f"backward({', '.join([*([] if unit else ['dout']), *given])})"
    return LayerTarget(run, name, unit_cotangent=unit, notes=(called, *own_options))


def _takes_no_cotangent(names: list[str], required: int, inputs: list[str]) -> bool:
    """Tell if a function takes the inputs alone, as a loss that returns its gradient does."""
    return bool(names) and required <= len(inputs) and names[0] not in _COTANGENTS


_COTANGENTS = ("dout", "dloss", "dL", "dl", "dy", "g", "grad", "grad_output", "grad_out", "upstream")
