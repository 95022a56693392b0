"""``python -m verify.subject.c_function LIBRARY PROTOTYPE...``: a program that calls C functions for who asks it.

It speaks the protocol of ``docs/protocol.md``. It imports neither JAX nor the oracle, so that it starts in a moment.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from verify.evaluate.array import Array
from verify.subject import protocol
from verify.subject.c_prototype import CPrototype, c_prototype

_GUARD = 64
"""Numbers before and after the gradient's, which a function must leave alone."""


class _CallRefused(Exception):
    """A call that has no answer, with the reason."""


class CFunction:
    """A C function, with what its prototype says.

    Parameters
    ----------
    library
        The loaded library.
    found
        The prototype; the function's name is in it.

    Raises
    ------
    AttributeError
        When the library has no function of this name.
    """

    def __init__(self, library: ctypes.CDLL, found: CPrototype) -> None:
        self.prototype = found
        self.call = getattr(library, found.name)
        self.call.argtypes, self.call.restype = found.types(), found.result()
        self.elements = found.elements()

    def __call__(
        self, sizes: Sequence[int], arrays: Sequence[Array]
    ) -> tuple[Array, float | None, list[str]]:
        """The gradient as one array, the loss if it gives one, and the names of the inputs that it changed.

        The gradient's room is filled with NaN beforehand: what is not written is seen.
        """
        *tensors, x, y = arrays
        params = np.concatenate([tensor.ravel() for tensor in tensors])
        guarded = np.full(len(params) + 2 * _GUARD, np.nan, dtype=params.dtype)
        kinds = {name: np.dtype(kind) for name, kind in self.elements.items()}
        values: dict[str, Any] = {
            "layers": len(sizes) - 1,
            "batch": len(x),
            "sizes": np.array(sizes, dtype=kinds.get("sizes")),
            "params": params,
            "x": x.copy(),
            "y": np.array(y, dtype=kinds["y"]),
            "gradient": guarded[_GUARD:],
            "loss": np.full(1, np.nan, dtype=params.dtype),
        }
        inputs = {name: values[name] for name in ("params", "x", "y")}
        before = {name: array.tobytes() for name, array in inputs.items()}
        given = [
            values[name].ctypes.data_as(kind) if is_array else values[name]
            for (name, _, is_array), kind in zip(self.prototype.arguments, self.call.argtypes, strict=True)
        ]
        result = self.call(*given)
        if self.prototype.returns == "int" and result:
            raise _CallRefused(f"{self.prototype.name} returned {result}")
        if not np.isnan(np.r_[guarded[:_GUARD], guarded[-_GUARD:]]).all():
            raise _CallRefused(f"{self.prototype.name} wrote outside the {len(params)} numbers of gradient")
        changed = [name for name, array in inputs.items() if array.tobytes() != before[name]]
        loss = float(values["loss"][0]) if self.prototype.returns in ("void", "int") else float(result)
        return guarded[_GUARD:-_GUARD].copy(), loss, changed


def _answer(functions: dict[str, CFunction], request: dict[str, Any]) -> dict[str, Any]:
    arrays = [protocol.protocol_array(tensor, "a tensor") for tensor in request["tensors"]]
    try:
        gradient, loss, changed = functions[request["dtype"]](request["sizes"], arrays)
    except _CallRefused as refused:
        return {"type": "error", "id": request["id"], "message": str(refused)}
    if request["type"] == "loss":
        tensors = [np.array(loss, dtype=gradient.dtype)]
    else:
        ends = np.cumsum([array.size for array in arrays[:-2]])
        parts = np.split(gradient, ends[:-1])
        tensors = [part.reshape(array.shape) for part, array in zip(parts, arrays[:-2], strict=True)]
    return {
        "type": "answer",
        "id": request["id"],
        "tensors": [protocol.protocol_tensor(tensor, "base64") for tensor in tensors],
        "changed": changed,
    }


def main(path: str, texts: Sequence[str]) -> int:
    """Call the C functions of a library for who asks, until the input ends."""
    found = [c_prototype(text) for text in texts]
    try:
        library = ctypes.CDLL(str(Path(path).resolve()))
        functions = {each.dtype: CFunction(library, each) for each in found}
    except (OSError, AttributeError) as error:
        print(error, file=sys.stderr)
        return 2
    hello = {
        "type": "hello",
        "protocol": protocol.VERSION,
        "name": f"{Path(path).name}:{found[0].name}",
        "dtypes": list(functions),
        "labels": found[0].labels,
        "calls": ["gradient", "loss"] if all(each.gives_loss for each in found) else ["gradient"],
    }
    for line in sys.stdin.buffer:
        request = protocol.protocol_message(line)
        if request["type"] == "stop":
            break
        answer = hello if request["type"] == "hello" else _answer(functions, request)
        sys.stdout.buffer.write(protocol.protocol_line(answer))
        sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
