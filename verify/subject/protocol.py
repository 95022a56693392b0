"""The lines that pass between a runner and a program: tensors as JSON, requests, and what an answer must be like.

``docs/protocol.md`` is the protocol itself, and ``protocol.schema.json`` beside this file its schema.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from verify.case.case import DTYPES
from verify.evaluate.array import Array
from verify.reference.spec import HIDDEN, OUTPUT_LOSSES, REDUCTIONS, Spec
from verify.subject.process import shortened_line

VERSION = 1
CALLS = ("gradient", "loss", "forward")
ENCODINGS = ("base64", "hex")
STOP = b'{"type":"stop"}\n'


class ProtocolError(ValueError):
    """A line that is not what the protocol asks for; the message says how."""


def protocol_line(message: Mapping[str, Any]) -> bytes:
    """A message as the runner writes it: one line, its keys in their order, no spaces."""
    return json.dumps(message, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def protocol_message(answer: bytes) -> dict[str, Any]:
    """The object in a line.

    Raises
    ------
    ProtocolError
        When it is no JSON, or no object.
    """
    try:
        found = json.loads(answer)
    except (ValueError, RecursionError):  # what is no UTF-8 is a ValueError too
        raise ProtocolError(f"wrote a line that is no JSON: {shortened_line(answer)}") from None
    if not isinstance(found, dict):
        raise ProtocolError(f"wrote a line that is no JSON object: {shortened_line(answer)}")
    return found


def protocol_tensor(array: Array, encoding: str) -> dict[str, Any]:
    """A tensor in a message: its shape, its dtype and its numbers, to the bit.

    ``base64`` gives the little-endian bytes, ``hex`` a list of C's hexadecimal floats (integers stay as they are).
    """
    data: Any
    if encoding == "base64":
        data = base64.b64encode(array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()).decode()
    elif array.dtype.kind == "f":
        data = [number.hex() for number in array.ravel().tolist()]
    else:
        data = array.ravel().tolist()
    return {"shape": list(array.shape), "dtype": array.dtype.name, "data": data}


def protocol_array(found: Any, name: str) -> Array:
    """The array of a tensor in an answer, in either encoding.

    Raises
    ------
    ProtocolError
        When it has no shape, dtype or data, or they do not go together.
    """
    if not isinstance(found, dict) or not {"shape", "dtype", "data"} <= found.keys():
        raise ProtocolError(f"answered with {name} that has no shape, dtype and data")
    shape, dtype, data = found["shape"], found["dtype"], found["data"]
    if dtype not in (*DTYPES, "int64"):
        raise ProtocolError(f"answered with {name} of dtype {dtype!r}; it must be one of {', '.join(DTYPES)}")
    if not isinstance(shape, list) or any(type(n) is not int or n < 0 for n in shape):
        raise ProtocolError(f"answered with {name} whose shape is {shape!r}, not a list of sizes")
    try:
        values = _values(data, np.dtype(dtype))
    except (ValueError, TypeError, OverflowError) as error:
        raise ProtocolError(f"answered with {name} whose data cannot be read: {error}") from None
    if len(values) != int(np.prod(shape, dtype=object)):
        raise ProtocolError(
            f"answered with {name} of {len(values)} numbers; its shape {shape} asks for others"
        )
    return values.reshape(shape)


def _values(data: Any, dtype: np.dtype[Any]) -> Array:
    if isinstance(data, str):
        little = np.frombuffer(base64.b64decode(data, validate=True), dtype=dtype.newbyteorder("<"))
        return little.astype(dtype)
    if not isinstance(data, list):
        raise TypeError("it must be base64, or a list of numbers")
    if dtype.kind != "f":
        return np.array(data, dtype=dtype)
    numbers = np.array([float.fromhex(n) if isinstance(n, str) else float(n) for n in data])
    with np.errstate(over="ignore"):  # what is too large for float32 is infinite there
        values = numbers.astype(dtype)
    inexact = (values != numbers) & ~np.isnan(numbers)
    if inexact.any():
        raise ValueError(f"{numbers[inexact][0].hex()} is no {dtype}")
    return values


def protocol_request(
    kind: str, number: int, spec: Spec | None, arrays: Sequence[Array], encoding: str
) -> bytes:
    """The line that asks for a gradient, a loss or the outputs.

    ``arrays`` are weight, bias, weight, bias, ..., x and, unless the outputs are asked for, y. Without a spec (the
    reference is a JAX function), the names are null.
    """
    after = 1 if kind == "forward" else 2
    x, params = arrays[-after], arrays[:-after]
    return protocol_line(
        {
            "type": kind,
            "id": number,
            "dtype": x.dtype.name,
            "sizes": [x.shape[1], *(len(bias) for bias in params[1::2])],
            "batch": len(x),
            "hidden": spec.hidden if spec else None,
            "output": spec.output if spec else None,
            "loss": spec.loss if spec else None,
            "reduction": spec.reduction if spec else None,
            "l2": float(spec.l2).hex() if spec else None,
            "biases": spec.biases if spec else None,
            "tensors": [protocol_tensor(protocol_array, encoding) for protocol_array in arrays],
        }
    )


@dataclass(frozen=True)
class ProtocolHello:
    """The greeting of a program; what it leaves out is as it is here.

    Attributes
    ----------
    name, version
        What it is called.
    dtypes, encoding, labels, layers
        What it takes; ``layers`` is the one number of layers that it can have, None where it can have any.
    calls, checks
        What can be asked of it: from ``CALLS``, and which of `verify.check`'s ``checks``; None for all.
    hidden, outputs, reductions, l2, biases
        The specs that it takes: names, pairs of output and loss, whether there may be a penalty, and whether it has
        biases. The first of each is what it is judged as where nothing else is said.
    """

    name: str
    version: str = ""
    dtypes: tuple[str, ...] = DTYPES
    encoding: str = "base64"
    labels: str = "rows"
    layers: int | None = None
    calls: tuple[str, ...] = ("gradient",)
    checks: tuple[str, ...] | None = None
    hidden: tuple[str, ...] = HIDDEN
    outputs: tuple[tuple[str, str], ...] = tuple(OUTPUT_LOSSES)
    reductions: tuple[str, ...] = REDUCTIONS
    l2: bool = True
    biases: bool = True

    @property
    def spec(self) -> Spec:
        """Return what it is judged as where nothing else is said."""
        return Spec(self.hidden[0], *self.outputs[0], self.reductions[0], biases=self.biases)

    def refusal(self, spec: Spec) -> str:
        """The reason why it does not take a spec; empty where it does."""
        for name, asked, taken in (
            ("hidden", spec.hidden, self.hidden),
            ("output and loss", (spec.output, spec.loss), self.outputs),
            ("reduction", spec.reduction, self.reductions),
        ):
            if asked not in taken:
                said, known = _words(asked), ", ".join(map(_words, dict.fromkeys(taken)))
                return f"{self.name} does not take {name} {said}; it says that it takes {known}"
        if spec.weights != "none":
            return f"a program is not asked for gradients with weights of rows; got weights {spec.weights!r}"
        return f"{self.name} does not take l2; got {spec.l2:g}" if spec.l2 and not self.l2 else ""


def _words(name: Any) -> str:
    return name if isinstance(name, str) else " with ".join(name)


_LISTS: dict[str, tuple[Any, ...]] = {
    "dtypes": DTYPES,
    "calls": CALLS,
    "hidden": HIDDEN,
    "outputs": tuple(OUTPUT_LOSSES),
    "reductions": REDUCTIONS,
}


def protocol_hello(answer: bytes) -> ProtocolHello:
    """Return what a program said of itself.

    Raises
    ------
    ProtocolError
        When the line is not the greeting that the protocol asks for.
    """
    said = protocol_message(answer)
    if said.get("type") != "hello" or type(said.get("protocol")) is not int:
        raise ProtocolError(f"must answer hello with its own; it wrote {shortened_line(answer)}")
    if said["protocol"] != VERSION:
        raise ProtocolError(f"speaks version {said['protocol']} of the protocol; this is version {VERSION}")
    if not isinstance(said.get("name"), str) or not said["name"]:
        raise ProtocolError("said hello without a name")
    parts: dict[str, Any] = {}
    for name, value in said.items():
        if name in _LISTS:
            parts[name] = _listed(name, value)
        elif name == "checks" and isinstance(value, list):
            parts[name] = tuple(map(str, value))
        elif name in ProtocolHello.__dataclass_fields__:
            parts[name] = value
    for name, known in (("encoding", ENCODINGS), ("labels", ("rows", "integer"))):
        if name in parts and parts[name] not in known:
            raise ProtocolError(
                f"said hello with {name} {parts[name]!r}; it must be one of {', '.join(known)}"
            )
    for name, kind in (("version", str), ("l2", bool), ("biases", bool), ("layers", int)):
        if name in parts and type(parts[name]) is not kind and (name, parts[name]) != ("layers", None):
            raise ProtocolError(f"said hello with {name} {parts[name]!r}; it must be of type {kind.__name__}")
    if parts.get("layers") is not None and parts["layers"] < 1:
        raise ProtocolError(f"said hello with layers {parts['layers']}; it must be 1 or larger")
    if "gradient" not in parts.get("calls", CALLS):
        raise ProtocolError("said hello without gradient among its calls")
    return ProtocolHello(**parts)


def _listed(name: str, value: Any) -> tuple[Any, ...]:
    known = _LISTS[name]
    items = [tuple(v) if isinstance(v, list) else v for v in value] if isinstance(value, list) else []
    if not items or any(item not in known for item in items):
        choices = ", ".join(map(_words, known))
        raise ProtocolError(f"said hello with {name} {value!r}; it must be a list from {choices}")
    return tuple(items)
