"""The options of the command and of pytest, where they name a layer: ``--reference conv2d``."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from verify.case.case import DTYPES
from verify.case.layers.values import REGIMES
from verify.subject.load import load_object
from verify.subject.target import TargetError

_OF_NETWORKS = (
    "hidden",
    "output",
    "loss",
    "reduction",
    "l2",
    "weights",
    "labels",
    "loss_function",
    "exec",
    "timeout",
)


def options_name_layer(reference: str | None) -> bool:
    """Tell if ``--reference`` names a layer, and not a function in a file or module."""
    return reference is not None and ":" not in reference


def layer_from_options(where: str | None, given: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The backward pass, and the arguments of `verify.check_backward` that the options ask for.

    Raises
    ------
    TargetError, ValueError
        When a target cannot be used, a name is unknown, or an option is for networks alone.
    """
    if foreign := [name for name in _OF_NETWORKS if given.get(name) is not None]:
        option = foreign[0].replace("_", "-")
        raise ValueError(f"--{option} is for networks; --reference {given['reference']} names a layer")
    if where is None:
        raise ValueError("TARGET must be named: module:name or path/to/file.py:name of a backward pass")
    arguments: dict[str, Any] = {"reference": given["reference"], "seed": given["seed"]}
    if given["forward_function"] is not None:
        arguments["forward"] = load_object(given["forward_function"])
    if given.get("options"):
        arguments["options"] = options_in_text(given["options"])
    for name, known in (("dtypes", DTYPES), ("regimes", REGIMES)):
        if given[name] is not None:
            items = tuple(item.strip() for item in given[name].split(",") if item.strip())
            if not items or any(item not in known for item in items):
                raise ValueError(f"--{name} takes names from {', '.join(known)}; got {given[name]!r}")
            arguments[name] = items
    found = load_object(where)
    if not callable(found) and not hasattr(found, "target"):
        raise TargetError(f"{where} is of type {type(found).__name__}, not a backward pass")
    return found, arguments


def options_in_text(text: str) -> dict[str, tuple[Any, ...]]:
    """The options that ``NAME=VALUE,VALUE NAME=...`` says: numbers and truths as such, anything else as text.

    Raises
    ------
    ValueError
        When it has another form.
    """
    found = {}
    for part in text.split():
        name, sign, values = part.partition("=")
        if not (sign and name.isidentifier() and all(values.split(","))):
            raise ValueError(f"--options takes NAME=VALUE,... separated by spaces; got {part!r}")
        found[name] = tuple(_value(value) for value in values.split(","))
    return found


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text
