"""Vectors in files: JSON with hexadecimal floats, the same as flat binary with an index, and lines for $readmemh.

``docs/vectors.md`` describes them for who reads them, ``vectors.schema.json`` beside this file the JSON.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from verify.case.case import DTYPES, REGIMES
from verify.commands.vectors.vector import Vector
from verify.diagnosis.mistakes import CATALOGUE
from verify.evaluate.array import Array
from verify.reference.spec import Spec

VERSION = 1
SCHEMA = "vectors.schema.json"
PARTS = ("params", "x", "y", "expected", "bound")
"""The numbers of a vector, in the order in which the binary file has them."""


def hexadecimal(number: float) -> str:
    """A float in a file, as C's ``%a`` writes it: without the zeros that end ``float.hex``."""
    text = float(number).hex()
    if "p" not in text:
        return text
    digits, _, exponent = text.partition("p")
    return f"{digits.rstrip('0').rstrip('.')}p{exponent}" if "." in digits else text


def vectors_as_json(vectors: Sequence[Vector]) -> str:
    """The vectors as JSON: a line for each."""
    head = {
        "schema": SCHEMA,
        "version": VERSION,
        "tests": len(vectors),
        "notes": notes_in_file(CATALOGUE, {name for each in vectors for name in each.flags}),
    }
    groups = []
    number = itertools.count(1)
    for (spec, dtype), members in group_for_files(vectors):
        named = {**asdict(spec), "l2": hexadecimal(spec.l2)}
        lines = ",\n".join(json_file_line(_test(next(number), each)) for each in members)
        groups.append(f'{{"spec":{json_file_line(named)},"dtype":"{dtype}","tests":[\n{lines}\n]}}')
    opening = json.dumps(head, indent=1)[:-2]
    return f'{opening},\n "groups": [\n' + ",\n".join(groups) + "\n ]\n}\n"


def group_for_files(vectors: Iterable[Vector]) -> list[tuple[tuple[Spec, str], list[Vector]]]:
    """Vectors by what they are the gradient of and by their format: those of one group stand together."""
    return [(key, list(members)) for key, members in itertools.groupby(vectors, lambda each: each.group)]


def notes_in_file(catalogue: Iterable[Any], used: set[str]) -> dict[str, str]:
    """Notes, by name, of what the flags that are used mean."""
    return {
        mistake.name: f"{mistake.wrong}, not {mistake.right}: {mistake.story}"
        for mistake in catalogue
        if mistake.name in used
    }


def json_file_line(data: Any) -> str:
    """JSON on one line of a file, without spaces."""
    return json.dumps(data, separators=(",", ":"))


def _test(number: int, each: Vector) -> dict[str, Any]:
    about = {
        "id": number,
        "comment": f"{each.comment}: {REGIMES[each.comment]}",
        "flags": list(each.flags),
        "sizes": list(each.layer_sizes),
        "batch": len(each.x),
    }
    return about | {part: [hexadecimal(n) for n in getattr(each, part).flat] for part in PARTS}


def vectors_from_json(text: str) -> list[Vector]:
    """The vectors that `vectors_as_json` wrote."""
    found = []
    for group in json.loads(text)["groups"]:
        spec = Spec(**{**group["spec"], "l2": float.fromhex(group["spec"]["l2"])})
        dtype = group["dtype"]
        for test in group["tests"]:
            sizes, batch = tuple(test["sizes"]), test["batch"]
            numbers = {part: np.array([float.fromhex(n) for n in test[part]], dtype=dtype) for part in PARTS}
            numbers["x"] = numbers["x"].reshape(batch, sizes[0])
            numbers["y"] = numbers["y"].reshape(batch, sizes[-1])
            comment = test["comment"].partition(":")[0]
            found.append(Vector(spec, dtype, sizes, **numbers, comment=comment, flags=tuple(test["flags"])))
    return found


def index_file(vectors: Sequence[Vector]) -> str:
    """The index of a binary file, a line of words for each vector: id, dtype, spec, batch, layers, sizes, and
    where its numbers begin.
    """
    lines, begin = [], dict.fromkeys(DTYPES, 0)
    for number, each in enumerate(vectors, start=1):
        spec = each.spec
        words = [
            number,
            each.dtype,
            spec.hidden,
            spec.output,
            spec.loss,
            spec.reduction,
            hexadecimal(spec.l2),
        ]
        sizes = [len(each.layer_sizes) - 1, *each.layer_sizes]
        lines.append(" ".join(map(str, [*words, len(each.x), *sizes, begin[each.dtype]])))
        begin[each.dtype] += each.size
    return "\n".join(lines) + "\n"


def binary_file(vectors: Sequence[Vector], dtype: str) -> bytes:
    """All numbers of the vectors of one format, one vector after the other: little-endian."""
    little = np.dtype(dtype).newbyteorder("<")
    return b"".join(
        getattr(each, part).astype(little).tobytes()
        for each in vectors
        if each.dtype == dtype
        for part in PARTS
    )


def memory_file(vectors: Sequence[Vector], dtype: str) -> str:
    """All numbers of the vectors of one format for Verilog's ``$readmemh``: one number a line, its bits in
    hexadecimal digits, with comments.
    """
    lines = []
    for number, each in enumerate(vectors, start=1):
        if each.dtype == dtype:
            for part in PARTS:
                lines += memory_file_lines(f"{number} {part}", getattr(each, part))
    return "\n".join(lines) + "\n"


def memory_file_lines(comment: str, array: Array) -> list[str]:
    """The bits of an array's numbers in hexadecimal digits, a line each, after a comment."""
    bits, digits = {8: (np.uint64, 16), 4: (np.uint32, 8)}[array.dtype.itemsize]
    words = np.ascontiguousarray(array).view(bits).ravel().tolist()
    return [f"// {comment}", *(f"{word:0{digits}x}" for word in words)]


def write_vector_files(vectors: Sequence[Vector], directory: Path, for_hardware: bool = False) -> list[Path]:
    """Write the files into a directory, which is made where it is not there; returns them."""
    directory.mkdir(parents=True, exist_ok=True)
    files: dict[str, bytes] = {
        "vectors.json": vectors_as_json(vectors).encode(),
        SCHEMA: (Path(__file__).parent / SCHEMA).read_bytes(),
        "index.txt": index_file(vectors).encode(),
    }
    for dtype in dict.fromkeys(each.dtype for each in vectors):
        files[f"{dtype}.bin"] = binary_file(vectors, dtype)
        if for_hardware:
            files[f"{dtype}.mem"] = memory_file(vectors, dtype).encode()
    for name, content in files.items():
        (directory / name).write_bytes(content)
    return [directory / name for name in files]
