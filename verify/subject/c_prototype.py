"""The prototype of a C function, read: which argument is what, and which float format it computes in."""

from __future__ import annotations

import ctypes
import re
from dataclasses import dataclass
from typing import Any

_INTEGERS = {
    "int": ctypes.c_int,
    "long": ctypes.c_long,
    "size_t": ctypes.c_size_t,
    "int32_t": ctypes.c_int32,
    "int64_t": ctypes.c_int64,
}
_FLOATS = {"double": ("float64", ctypes.c_double), "float": ("float32", ctypes.c_float)}
_NUMBERS, _ARRAYS = ("layers", "batch"), ("sizes", "params", "x", "y", "gradient", "loss")
_FUNCTION = re.compile(r"\s*(void|int|float|double)\s+(\w+)\s*\(([^()]*)\)\s*;?\s*")
_ARGUMENT = re.compile(
    r"\s*(?:const\s+)?(\w+)\s*(?:const\b\s*)?(\*?)\s*(?:(?:const|restrict|__restrict)\b\s*)*(\w+)\s*(\[\s*\])?\s*"
)


@dataclass(frozen=True)
class CPrototype:
    """The prototype of a C function that computes a gradient, as it was read.

    Attributes
    ----------
    text, name
        As it was given, and the function's name.
    dtype
        The format of all its floats.
    returns
        ``void``, ``int`` (0 where all went well), or a float, which is the loss.
    arguments
        The name of each argument, with its C type and whether it is an array.
    """

    text: str
    name: str
    dtype: str
    returns: str
    arguments: tuple[tuple[str, str, bool], ...]

    @property
    def labels(self) -> str:
        """The form of y: ``rows`` of floats, or ``integer`` class labels."""
        (kind,) = (kind for name, kind, _ in self.arguments if name == "y")
        return "integer" if kind in _INTEGERS else "rows"

    @property
    def gives_loss(self) -> bool:
        """Tell whether it returns the loss, or has an argument for it."""
        return self.returns in _FLOATS or any(name == "loss" for name, *_ in self.arguments)

    def elements(self) -> dict[str, Any]:
        """The C type of each number, and of each array's numbers, for ctypes."""
        return {
            name: _INTEGERS[kind] if kind in _INTEGERS else _FLOATS[kind][1]
            for name, kind, _ in self.arguments
        }

    def types(self) -> list[Any]:
        """The arguments' types for ctypes."""
        of = self.elements()
        return [ctypes.POINTER(of[name]) if is_array else of[name] for name, _, is_array in self.arguments]

    def result(self) -> Any:
        """The result's type for ctypes."""
        return {"void": None, "int": ctypes.c_int, "float": ctypes.c_float, "double": ctypes.c_double}[
            self.returns
        ]


def c_prototype(text: str) -> CPrototype:
    """Read the prototype of a C function.

    Raises
    ------
    ValueError
        When it is none, an argument has another name or type than those that are known, or one is missing.
    """
    found = _FUNCTION.fullmatch(text)
    if not found:
        raise ValueError(f"signature must be a C prototype such as 'void gradient(...)'; got {text!r}")
    returns, name, inside = found.groups()
    arguments: list[tuple[str, str, bool]] = []
    for part in inside.split(","):
        argument = _ARGUMENT.fullmatch(part)
        if not argument:
            raise ValueError(f"signature has an argument that cannot be read: {part.strip()!r}")
        kind, star, of, brackets = argument.groups()
        is_array = bool(star or brackets)
        known = _ARRAYS if is_array else _NUMBERS
        if of not in known:
            what = "an array" if is_array else "a number"
            raise ValueError(f"signature has {what} {of!r}; the names for {what} are {', '.join(known)}")
        integer = of in ("layers", "batch", "sizes") or (of == "y" and kind in _INTEGERS)
        types = _INTEGERS if integer else _FLOATS
        if kind not in types:
            raise ValueError(f"signature has {of} of type {kind}; it must be one of {', '.join(types)}")
        if of in [seen for seen, *_ in arguments]:
            raise ValueError(f"signature has {of} twice")
        arguments.append((of, kind, is_array))
    missing = [of for of in ("params", "x", "y", "gradient") if of not in [seen for seen, *_ in arguments]]
    if missing:
        raise ValueError(f"signature has no {', '.join(missing)}; it must have params, x, y and gradient")
    floats = {kind for _, kind, _ in arguments if kind in _FLOATS} | ({returns} & set(_FLOATS))
    if len(floats) > 1:
        raise ValueError("signature has both float and double; give a prototype for each format")
    return CPrototype(text.strip(), name, _FLOATS[floats.pop()][0], returns, tuple(arguments))
