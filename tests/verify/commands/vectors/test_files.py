"""The files hold the vectors to the bit, in each of their forms."""

import json

import numpy as np
import pytest

from verify.commands.vectors import files
from verify.commands.vectors.choose import choose_vectors
from verify.reference.spec import Spec

SPECS = (Spec("relu"), Spec("leaky_relu", "sigmoid", "binary_cross_entropy", "sum", l2=0.1))


@pytest.fixture(scope="module")
def vectors():
    return [
        each
        for spec in SPECS
        for dtype in ("float64", "float32")
        for each in choose_vectors(spec, dtype, 12, 0)
    ]


def same(one, other):
    parts = all(getattr(one, p).tobytes() == getattr(other, p).tobytes() for p in files.PARTS)
    about = ("spec", "dtype", "layer_sizes", "comment", "flags")
    return parts and all(getattr(one, name) == getattr(other, name) for name in about)


def test_json_comes_back_to_the_bit(vectors):
    back = files.vectors_from_json(files.vectors_as_json(vectors))
    assert len(back) == len(vectors)
    assert all(same(*pair) for pair in zip(back, vectors, strict=True))
    assert all(each.x.shape[1] == each.layer_sizes[0] and each.y.ndim == 2 for each in back)


def test_json_is_as_its_schema_says(vectors):
    jsonschema = pytest.importorskip("jsonschema", reason="the schema is tested with the package jsonschema")
    from pathlib import Path

    schema = json.loads((Path(files.__file__).parent / files.SCHEMA).read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    found = json.loads(files.vectors_as_json(vectors))
    jsonschema.Draft202012Validator(schema).validate(found)
    assert found["tests"] == len(vectors) == sum(len(group["tests"]) for group in found["groups"])
    assert set(found["notes"]) == {name for each in vectors for name in each.flags}
    found["groups"][0]["tests"][0]["bound"][0] = 0.5
    assert not jsonschema.Draft202012Validator(schema).is_valid(found)


def test_binary_and_index_come_back_to_the_bit(vectors):
    lines = files.index_file(vectors).splitlines()
    assert len(lines) == len(vectors)
    for number, (line, each) in enumerate(zip(lines, vectors, strict=True), start=1):
        id_, dtype, hidden, output, loss, reduction, l2, batch, layers, *rest = line.split(" ")
        assert (int(id_), dtype, int(batch)) == (number, each.dtype, len(each.x))
        assert Spec(hidden, output, loss, reduction, float.fromhex(l2)) == each.spec
        assert tuple(map(int, rest[:-1])) == each.layer_sizes
        assert int(layers) == len(each.layer_sizes) - 1
        numbers = np.frombuffer(files.binary_file(vectors, dtype), np.dtype(dtype).newbyteorder("<"))[
            int(rest[-1]) :
        ]
        parts = np.concatenate([np.ravel(getattr(each, part)) for part in files.PARTS])
        assert numbers[: each.size].tobytes() == parts.tobytes()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_memory_lines_are_the_bits_of_the_binary_file(vectors, dtype):
    lines = [line for line in files.memory_file(vectors, dtype).splitlines() if not line.startswith("//")]
    width = np.dtype(dtype).itemsize
    assert {len(line) for line in lines} == {2 * width}
    assert b"".join(bytes.fromhex(line)[::-1] for line in lines) == files.binary_file(vectors, dtype)


@pytest.mark.parametrize(
    ("number", "text"),
    [(0.0, "0x0p+0"), (-1.5, "-0x1.8p+0"), (0.1, "0x1.999999999999ap-4"), (np.inf, "inf"), (16.0, "0x1p+4")],
)  # fmt: skip
def test_hexadecimal_floats_are_short_and_exact(number, text):
    assert files.hexadecimal(number) == text
    assert float.fromhex(text) == number


def test_the_same_files_are_written_every_time(vectors, tmp_path):
    again = [
        each
        for spec in SPECS
        for dtype in ("float64", "float32")
        for each in choose_vectors(spec, dtype, 12, 0)
    ]
    first = files.write_vector_files(vectors, tmp_path / "a" / "b", for_hardware=True)
    second = files.write_vector_files(again, tmp_path / "c", for_hardware=True)
    assert [file.name for file in first] == [file.name for file in second]
    assert len(first) == 7
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes(), one.name
