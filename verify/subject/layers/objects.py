"""Layer objects: ``forward``, ``backward``, and the parameters' gradients in attributes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jax

from verify.reference.reference import Reference, Setting, parameters_of_function
from verify.subject.failed import Failed
from verify.subject.layers.own_options import require_options_known
from verify.subject.layers.reading import is_one_number
from verify.subject.layers.target import LayerTarget, Run, TargetReturned


@dataclass(frozen=True)
class LayerObject:
    """A layer object, with how it is made, called and read: what `verify.layer_object` returns.

    Parameters
    ----------
    make
        Makes a layer: the class, or a function. It is given, by name, those of the inputs and options that it has
        parameters for. An input that it takes is a parameter of the layer; the others go to ``forward``.
    gradients
        For each parameter, where its gradient is after ``backward``: an attribute, with dots for what is in it
        (``grads.w`` reads ``layer.grads["w"]`` too). Not given: the usual names are tried.
    forward, backward
        The names of the methods.
    names
        For each parameter of ``make`` that has another name than the input or option: its name there.
    """

    make: Callable[..., Any]
    gradients: Mapping[str, str] = field(default_factory=dict)
    forward: str = "forward"
    backward: str = "backward"
    names: Mapping[str, str] = field(default_factory=dict)

    def target(self, setting: Setting) -> LayerTarget:
        """The target that the layer is, against a reference at some sizes.

        Raises
        ------
        TypeError
            When ``make`` needs a parameter that is no input and no option.
        ValueError
            When ``gradients`` names what is no input, or an option is neither the reference's nor the layer's.
        """
        reference = setting.reference
        taken = self._taken(reference)
        unknown = [name for name in self.gradients if name not in reference.shapes]
        if unknown:
            raise ValueError(
                f"gradients names {unknown[0]!r}, which is no input: {', '.join(reference.shapes)}"
            )
        owned = [name for name in reference.shapes if name in taken]
        passed = [name for name in reference.shapes if name not in taken]
        unit = setting.outputs == [()] and self._backward_takes_nothing()

        def session() -> Run:
            kept: dict[str, Any] = {}

            def run(
                inputs: Mapping[str, Any], options: Mapping[str, Any], cotangents: list[Any]
            ) -> TargetReturned:
                if "layer" not in kept:
                    kept["layer"] = self.make(
                        **{given: {**options, **inputs}[name] for name, given in taken.items()}
                    )
                return self._run(kept["layer"], setting, owned, unit, inputs, cotangents)

            return run

        def run(
            inputs: Mapping[str, Any], options: Mapping[str, Any], cotangents: list[Any]
        ) -> TargetReturned:
            return session()(inputs, options, cotangents)

        name = getattr(self.make, "__name__", "layer")
        own = require_options_known(reference, [(name, dict.fromkeys(taken, True))])
        note = f"{name}({', '.join(taken.values())}).{self.forward}({', '.join(passed)})"
        return LayerTarget(
            run, name, session=None if owned else session, unit_cotangent=unit, notes=(note, *own)
        )

    def _taken(self, reference: Reference) -> dict[str, str]:
        """The inputs and options that ``make`` has parameters for, with the names that they have there."""
        own = {
            p.name for p in parameters_of_function(self.make) if p.kind is not inspect.Parameter.VAR_KEYWORD
        }
        lowered = {name.lower(): name for name in own}
        known = [*reference.shapes, *reference.options]
        found = {}
        for name in known:
            given = self.names.get(name) or lowered.get(name.lower())
            if given is not None:
                found[name] = given
        required = {
            p.name
            for p in parameters_of_function(self.make)
            if p.default is inspect.Parameter.empty
            and p.kind in (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
        }
        if missing := sorted(required - set(found.values())):
            raise TypeError(
                f"{getattr(self.make, '__name__', 'make')} needs {missing[0]!r}, which is no input or option "
                f"({', '.join(known)}): say which it is, as names={{'{known[-1]}': '{missing[0]}'}}, or pass a "
                "function that makes the layer"
            )
        return found

    def _backward_takes_nothing(self) -> bool:
        method = getattr(self.make, self.backward, None)
        if method is None:
            return False
        return all(p.default is not inspect.Parameter.empty for p in parameters_of_function(method)[1:])

    def _run(
        self,
        layer: Any,
        setting: Setting,
        owned: list[str],
        unit: bool,
        inputs: Mapping[str, Any],
        cotangents: list[Any],
    ) -> TargetReturned:
        passed = [name for name in setting.reference.shapes if name not in owned]
        wanted = setting.reference.differentiated
        for name in (self.forward, self.backward):
            if not callable(getattr(layer, name, None)):
                raise Failed(
                    "runs", "crashed", f"the layer has no method {name!r}: it is a {type(layer).__name__}"
                )
        result = getattr(layer, self.forward)(*(inputs[name] for name in passed))
        found = jax.tree.leaves(result)

        def backward() -> Any:
            result = getattr(layer, self.backward)(*([] if unit else [setting.cotangent(cotangents)]))
            differentiated = [name for name in passed if name in wanted]
            if isinstance(result, (tuple, list)) and unit and len(result) > 1 and is_one_number(result[0]):
                result = result[1:]
            items = list(result) if isinstance(result, (tuple, list)) else [result]
            if len(items) < len(differentiated):
                kind = type(result).__name__
                raise Failed(
                    "result",
                    "crashed",
                    f"{self.backward} returned {kind}, not the gradient of {differentiated}",
                )
            gradient = dict(zip(differentiated, items, strict=False))
            return gradient | {name: self._read(layer, name) for name in owned if name in wanted}

        return TargetReturned(found, backward(), None)

    def _read(self, layer: Any, name: str) -> Any:
        paths = [self.gradients[name]] if name in self.gradients else _usual(name)
        for path in paths:
            found = layer
            for part in path.split("."):
                found = _item(found, part)
                if found is None:
                    break
            if found is not None:
                return found
        raise Failed(
            "result",
            "crashed",
            f"no gradient of {name} is found in the layer: looked for {', '.join(paths)}; "
            f"say where it is, as gradients={{'{name}': ...}}",
        )


def _item(holder: Any, name: str) -> Any:
    if isinstance(holder, Mapping):
        return holder.get(name)
    if isinstance(holder, (list, tuple)):
        return holder[int(name)] if name.isdigit() and int(name) < len(holder) else None
    return getattr(holder, name, None)


def _usual(name: str) -> list[str]:
    cased = list(dict.fromkeys((name, name.upper(), name.capitalize())))
    forms = [form for n in cased for form in (f"d{n}", f"d_{n}", f"grad_{n}", f"{n}_grad", f"{n}.grad")]
    inside = [f"{holder}.{n}" for holder in ("grads", "gradients", "grad") for n in cased]
    return forms + inside + [f"{holder}.d{n}" for holder in ("grads", "gradients") for n in cased]


def layer_object(
    make: Callable[..., Any],
    *,
    gradients: Mapping[str, str] | None = None,
    forward: str = "forward",
    backward: str = "backward",
    names: Mapping[str, str] | None = None,
) -> LayerObject:
    """Say how a layer object is made, called and read, for `verify.check_backward`.

    Parameters
    ----------
    make
        The class, or a function that makes a layer. Its parameters are inputs and options of the reference, by
        name, whatever the case of the letters; the inputs that it does not take go to ``forward``, in order.
    gradients
        For each input that ``make`` takes, where its gradient is: ``{"w": "dw", "b": "grads.b"}``. Not given: the
        usual names are tried, such as ``dw``, ``dW``, ``w_grad`` and ``grads["w"]``.
    forward, backward
        The names of the methods. ``backward(dout)`` returns the gradient of what ``forward`` took.
    names
        For an input or option that has another name as a parameter of ``make``: that name.
    """
    if not callable(make):
        raise TypeError(f"make must be a class or a function that makes a layer; got {type(make).__name__}")
    return LayerObject(make, dict(gradients or {}), forward, backward, dict(names or {}))
