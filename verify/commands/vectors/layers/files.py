"""Vectors of layers in files: JSON with hexadecimal floats, and the same as flat binary with an index.

``docs/vectors.md`` describes them for who reads them, ``layers.schema.json`` beside this file the JSON.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from verify.case.case import DTYPES
from verify.case.layers.values import REGIMES
from verify.commands.vectors.files import (
    VERSION,
    hexadecimal,
    json_file_line,
    memory_file_lines,
    notes_in_file,
)
from verify.commands.vectors.layers.vector import LayerVector, LayerVectorAnswer
from verify.diagnosis.mistakes.layers import LAYER_CATALOGUE
from verify.evaluate.array import Array

SCHEMA = "layers.schema.json"


def layer_vectors_as_json(vectors: Sequence[LayerVector]) -> str:
    """The vectors of layers as JSON: a line for each."""
    head = {
        "schema": SCHEMA,
        "version": VERSION,
        "tests": len(vectors),
        "notes": notes_in_file(LAYER_CATALOGUE, {name for each in vectors for name in each.flags}),
    }
    groups = []
    number = itertools.count(1)
    for (layer, dtype), members in group_for_layer_files(vectors):
        lines = ",\n".join(json_file_line(_test(next(number), each)) for each in members)
        about = {"layer": layer, "formula": _formula(members[0]), "dtype": dtype}
        groups.append(f'{json_file_line(about)[:-1]},"tests":[\n{lines}\n]}}')
    opening = json.dumps(head, indent=1)[:-2]
    return f'{opening},\n "groups": [\n' + ",\n".join(groups) + "\n ]\n}\n"


def group_for_layer_files(vectors: Iterable[LayerVector]) -> list[tuple[tuple[str, str], list[LayerVector]]]:
    """Vectors by layer and format: those of one group stand together."""
    return [(key, list(members)) for key, members in itertools.groupby(vectors, lambda each: each.group)]


def _formula(each: LayerVector) -> str:
    """The first sentence of what the reference says of itself."""
    return (each.reference.function.__doc__ or "").strip().partition("\n")[0]


def _test(number: int, each: LayerVector) -> dict[str, Any]:
    inputs, cotangents, gradients = _names(each)
    return {
        "id": number,
        "comment": f"{each.comment}: {REGIMES[each.comment]}",
        "flags": list(each.flags),
        "sizes": dict(each.sizes),
        "options": {name: _option(value) for name, value in each.options},
        "inputs": dict(zip(inputs, map(_tensor, each.inputs), strict=True)),
        "cotangents": dict(zip(cotangents, map(_tensor, each.cotangents), strict=True)),
        "answers": [
            {
                part: dict(zip(gradients, map(_tensor, tensors), strict=True))
                for part, tensors in answer._asdict().items()
            }
            for answer in each.answers
        ],
    }


def _names(each: LayerVector) -> tuple[list[str], list[str], list[str]]:
    """The names of the inputs, of the outputs' gradients, and of the inputs' gradients."""
    several = len(each.cotangents) > 1
    cotangents = [f"dout{i}" if several else "dout" for i in range(len(each.cotangents))]
    return list(each.reference.shapes), cotangents, [f"d{name}" for name in each.reference.differentiated]


def _option(value: Any) -> Any:
    return hexadecimal(value) if isinstance(value, float) else value


def _tensor(array: Array) -> dict[str, Any]:
    data = array.ravel().tolist()
    return {
        "shape": list(array.shape),
        "data": data if array.dtype.kind == "i" else [hexadecimal(number) for number in data],
    }


def layer_vectors_from_json(text: str) -> list[LayerVector]:
    """The vectors that `layer_vectors_as_json` wrote."""
    found = []
    for group in json.loads(text)["groups"]:
        for test in group["tests"]:
            dtype = group["dtype"]
            options = tuple(
                (name, float.fromhex(value) if isinstance(value, str) else value)
                for name, value in test["options"].items()
            )
            found.append(
                LayerVector(
                    group["layer"],
                    dtype,
                    tuple(test["sizes"].items()),
                    options,
                    _arrays(test["inputs"], dtype),
                    _arrays(test["cotangents"], dtype),
                    tuple(
                        LayerVectorAnswer(
                            **{part: _arrays(tensors, dtype) for part, tensors in answer.items()}
                        )
                        for answer in test["answers"]
                    ),
                    comment=test["comment"].partition(":")[0],
                    flags=tuple(test["flags"]),
                )
            )
    return found


def _arrays(tensors: dict[str, Any], dtype: str) -> tuple[Array, ...]:
    return tuple(_array(tensor, dtype) for tensor in tensors.values())


def _array(tensor: dict[str, Any], dtype: str) -> Array:
    if any(isinstance(number, int) for number in tensor["data"]):
        array = np.array(tensor["data"], dtype=np.int64)
    else:
        array = np.array([float.fromhex(number) for number in tensor["data"]], dtype=dtype)
    return array.reshape(tensor["shape"])


def layer_index_file(vectors: Sequence[LayerVector]) -> str:
    """The index of a binary file, a line of words for each vector of a layer: id, dtype, layer, where its
    numbers begin, its options, and its arrays.
    """
    lines, begin = [], dict.fromkeys(DTYPES, 0)
    for number, each in enumerate(vectors, start=1):
        names = _names(each)
        words: list[Any] = [number, each.dtype, each.layer, begin[each.dtype], len(each.options)]
        for name, value in each.options:
            words += [name, hexadecimal(value) if isinstance(value, float) else int(value)]
        words += [*(len(part) for part in names), len(each.answers)]
        for name, array in zip(itertools.chain(*names), each.arrays, strict=False):
            words += [name, array.ndim, *array.shape]
        lines.append(" ".join(map(str, words)))
        begin[each.dtype] += each.size
    return "\n".join(lines) + "\n"


def layer_binary_file(vectors: Sequence[LayerVector], dtype: str) -> bytes:
    """All numbers of the layers' vectors of one format, one vector after the other, integers as floats:
    little-endian.
    """
    little = np.dtype(dtype).newbyteorder("<")
    return b"".join(
        array.astype(little).tobytes() for each in vectors if each.dtype == dtype for array in each.arrays
    )


def layer_memory_file(vectors: Sequence[LayerVector], dtype: str) -> str:
    """All numbers of the layers' vectors of one format for Verilog's ``$readmemh``: one number a line, its
    bits in hexadecimal digits, with comments.
    """
    lines = []
    for number, each in enumerate(vectors, start=1):
        if each.dtype == dtype:
            inputs, cotangents, gradients = _names(each)
            answer = [*gradients, *(f"bound of {name}" for name in gradients)]
            names = [*inputs, *cotangents, *answer * len(each.answers)]
            for name, array in zip(names, each.arrays, strict=True):
                lines += memory_file_lines(f"{number} {name}", array.astype(dtype))
    return "\n".join(lines) + "\n"


def write_layer_files(
    vectors: Sequence[LayerVector], directory: Path, for_hardware: bool = False
) -> list[Path]:
    """Write the files into a directory, which is made where it is not there; returns them."""
    directory.mkdir(parents=True, exist_ok=True)
    files: dict[str, bytes] = {
        "layers.json": layer_vectors_as_json(vectors).encode(),
        SCHEMA: (Path(__file__).parent / SCHEMA).read_bytes(),
        "layers.txt": layer_index_file(vectors).encode(),
    }
    for dtype in dict.fromkeys(each.dtype for each in vectors):
        files[f"layers.{dtype}.bin"] = layer_binary_file(vectors, dtype)
        if for_hardware:
            files[f"layers.{dtype}.mem"] = layer_memory_file(vectors, dtype).encode()
    for name, content in files.items():
        (directory / name).write_bytes(content)
    return [directory / name for name in files]
