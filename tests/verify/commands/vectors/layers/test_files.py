"""The files hold the vectors of layers to the bit, in each of their forms."""

import json
from pathlib import Path

import numpy as np
import pytest

from verify.commands.vectors.layers import files
from verify.commands.vectors.layers.choose import choose_layer_vectors
from verify.reference.layers import reference_in_table

LAYERS = ("embedding", "rms_norm", "lstm_step")


def made():
    return [
        each
        for name in LAYERS
        for dtype in ("float64", "float32")
        for each in choose_layer_vectors(reference_in_table(name), dtype, 14, 0)
    ]


@pytest.fixture(scope="module")
def vectors():
    return made()


def same(one, other):
    about = ("layer", "dtype", "sizes", "options", "comment", "flags")
    arrays = zip(one.arrays, other.arrays, strict=True)
    return all(getattr(one, name) == getattr(other, name) for name in about) and all(
        (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes()) for a, b in arrays
    )


def test_json_comes_back_to_the_bit(vectors):
    back = files.layer_vectors_from_json(files.layer_vectors_as_json(vectors))
    assert len(back) == len(vectors)
    assert all(same(*pair) for pair in zip(back, vectors, strict=True))
    assert {each.inputs[1].dtype.name for each in back if each.layer == "embedding"} == {"int64"}


def test_json_is_as_its_schema_says(vectors):
    jsonschema = pytest.importorskip("jsonschema", reason="the schema is tested with the package jsonschema")
    schema = json.loads((Path(files.__file__).parent / files.SCHEMA).read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    found = json.loads(files.layer_vectors_as_json(vectors))
    jsonschema.Draft202012Validator(schema).validate(found)
    assert found["tests"] == len(vectors) == sum(len(group["tests"]) for group in found["groups"])
    assert set(found["notes"]) == {name for each in vectors for name in each.flags}
    assert (
        found["groups"][2]["formula"]
        == "gamma * x / sqrt(mean(x**2) + eps), the mean over each row of x (n, d)."
    )
    found["groups"][0]["tests"][0]["answers"] = []
    assert not jsonschema.Draft202012Validator(schema).is_valid(found)


def test_binary_and_index_come_back_to_the_bit(vectors):
    lines = files.layer_index_file(vectors).splitlines()
    assert len(lines) == len(vectors)
    for number, (line, each) in enumerate(zip(lines, vectors, strict=True), start=1):
        words = iter(line.split(" "))
        assert (int(next(words)), next(words), next(words)) == (number, each.dtype, each.layer)
        begin = int(next(words))
        options = {next(words): next(words) for _ in range(int(next(words)))}
        read = {k: float.fromhex(v) if "x" in v else int(v) for k, v in options.items()}
        assert read == dict(each.options)
        inputs, cotangents, gradients, answers = (int(next(words)) for _ in range(4))
        assert (inputs, cotangents, answers) == (len(each.inputs), len(each.cotangents), len(each.answers))
        shapes = {}
        for _ in range(inputs + cotangents + gradients):
            name = next(words)
            shapes[name] = tuple(int(next(words)) for _ in range(int(next(words))))
        assert not list(words)
        assert list(shapes)[: len(each.inputs)] == list(each.reference.shapes)
        assert list(shapes.values())[-gradients:] == [tensor.shape for tensor in each.answers[0].expected]
        little = np.dtype(each.dtype).newbyteorder("<")
        numbers = np.frombuffer(files.layer_binary_file(vectors, each.dtype), little)[
            begin : begin + each.size
        ]
        np.testing.assert_array_equal(numbers, np.concatenate([array.ravel() for array in each.arrays]))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_memory_lines_are_the_bits_of_the_binary_file(vectors, dtype):
    text = files.layer_memory_file(vectors, dtype)
    lines = [line for line in text.splitlines() if not line.startswith("//")]
    assert b"".join(bytes.fromhex(line)[::-1] for line in lines) == files.layer_binary_file(vectors, dtype)
    number = next(
        i for i, each in enumerate(vectors, start=1) if (each.layer, each.dtype) == ("lstm_step", dtype)
    )
    assert f"// {number} dout1\n" in text
    assert f"// {number} bound of dwx\n" in text


def test_the_same_files_are_written_every_time(vectors, tmp_path):
    first = files.write_layer_files(vectors, tmp_path / "a" / "b", for_hardware=True)
    second = files.write_layer_files(made(), tmp_path / "c", for_hardware=True)
    assert [file.name for file in first] == [file.name for file in second]
    assert len(first) == 7
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes(), one.name
