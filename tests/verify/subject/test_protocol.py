"""Lines: tensors to the bit in both encodings, greetings read with care, and all of them as the schema says."""

import base64
import json
import re
from pathlib import Path

import numpy as np
import pytest

from verify.reference.spec import Spec
from verify.subject import protocol
from verify.subject.protocol import ProtocolError

HERE = Path(protocol.__file__).parent
PAGE = Path(__file__).parents[3] / "docs" / "protocol.md"
ODD = [0.0, -0.0, 1 / 3, 5e-324, -1.7976931348623157e308, np.inf, -np.inf, np.nan]


@pytest.mark.parametrize("encoding", protocol.ENCODINGS)
@pytest.mark.parametrize("dtype", ["float64", "float32", "int64"])
def test_a_tensor_comes_back_to_the_bit(encoding, dtype):
    with np.errstate(over="ignore"):
        there = (
            np.arange(-3, 5).reshape(2, 4) if dtype == "int64" else np.array(ODD).reshape(2, 4).astype(dtype)
        )
    for array in (there, there[:, ::-1], np.asfortranarray(there), there[:0], there[0, 0][()].reshape(())):
        sent = json.loads(json.dumps(protocol.protocol_tensor(array, encoding)))
        back = protocol.protocol_array(sent, "it")
        np.testing.assert_array_equal(back, array, strict=True)
        np.testing.assert_array_equal(np.signbit(back), np.signbit(array), strict=True)


def test_bytes_are_little_endian():
    data = protocol.protocol_tensor(np.array([1.0], dtype=">f8"), "base64")["data"]
    assert base64.b64decode(data) == bytes([0, 0, 0, 0, 0, 0, 0xF0, 0x3F])


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (None, "answered with it that has no shape, dtype and data"),
        ({"shape": [1], "dtype": "float64"}, "answered with it that has no shape, dtype and data"),
        ({"shape": [1], "dtype": "float16", "data": []}, "of dtype 'float16'; it must be one of float64, float32"),
        ({"shape": 1, "dtype": "float64", "data": []}, "whose shape is 1, not a list of sizes"),
        ({"shape": [-1], "dtype": "float64", "data": []}, r"whose shape is [-1], not a list of sizes"),
        ({"shape": [True], "dtype": "float64", "data": []}, r"whose shape is [True], not a list of sizes"),
        ({"shape": [1], "dtype": "float64", "data": "AAAA"}, "cannot be read: buffer size must be a multiple"),
        ({"shape": [1], "dtype": "float64", "data": "!"}, "whose data cannot be read: "),
        ({"shape": [1], "dtype": "float64", "data": 3}, "cannot be read: it must be base64, or a list of numbers"),
        ({"shape": [1], "dtype": "float64", "data": ["one"]}, "whose data cannot be read: invalid hexadecimal"),
        ({"shape": [1], "dtype": "float64", "data": [[1]]}, "whose data cannot be read: "),
        ({"shape": [2, 2], "dtype": "float64", "data": ["0x1p0"]}, r"of 1 numbers; its shape [2, 2] asks for others"),
        ({"shape": [1], "dtype": "float32", "data": ["0x1.000001p0"]}, "0x1.0000010000000p+0 is no float32"),
    ],
)  # fmt: skip
def test_a_tensor_that_cannot_be_read_is_said(found, message):
    with pytest.raises(ProtocolError, match=re.escape(message)):
        protocol.protocol_array(found, "it")


@pytest.mark.parametrize("answer", [b"[1]\n", b"\xff\n", b"3", b"{"])
def test_a_line_that_is_no_object_is_said(answer):
    with pytest.raises(ProtocolError, match=r"^wrote a line that is no JSON"):
        protocol.protocol_message(answer)


def test_a_long_line_is_shown_by_its_beginning():
    with pytest.raises(ProtocolError, match=r"^wrote a line that is no JSON: 'x{57}\.\.\.'$"):
        protocol.protocol_message(b"x" * 1000)


def test_what_a_hello_leaves_out_is_any():
    said = protocol.protocol_hello(b'{"type":"hello","protocol":1,"name":"n","more":1}')
    assert said == protocol.ProtocolHello("n")
    assert said.spec == Spec()
    assert not said.refusal(Spec("relu", "tanh", "squared_error", "half_sum", l2=0.1))


def test_weights_of_rows_are_not_asked_for():
    assert "with weights of rows; got weights 'rows'" in protocol.ProtocolHello("n").refusal(
        Spec(weights="rows")
    )


def test_a_request_is_one_line_with_its_keys_in_order():
    arrays = [np.ones((2, 3)), np.ones(3), np.ones((4, 2)), np.ones((4, 3))]
    sent = protocol.protocol_request("gradient", 7, Spec(l2=0.1), arrays, "hex")
    assert sent.count(b"\n") == 1
    assert b" " not in sent
    assert re.findall(r'"(\w+)":', sent.decode().partition('"tensors"')[0]) == [
        *("type", "id", "dtype", "sizes", "batch"),
        *("hidden", "output", "loss", "reduction", "l2", "biases"),
    ]
    found = json.loads(sent)
    assert (found["sizes"], found["batch"], float.fromhex(found["l2"])) == ([2, 3], 4, 0.1)
    assert len(json.loads(protocol.protocol_request("forward", 1, None, arrays[:3], "hex"))["tensors"]) == 3


def lines_of_the_page():
    return re.findall(r"^([<>]) (\{.*\})$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)


def test_the_conversation_on_the_page_is_right():
    lines = [json.loads(line) for _, line in lines_of_the_page()]
    greeting, hello, call, answer, stop = lines
    assert protocol.protocol_line(greeting).decode() == lines_of_the_page()[0][1] + "\n"
    assert protocol.protocol_line(stop) == protocol.STOP
    said = protocol.protocol_hello(json.dumps(hello).encode())
    given = [protocol.protocol_array(tensor, "it") for tensor in call["tensors"]]
    assert (
        protocol.protocol_request("gradient", 1, said.spec, given, said.encoding).decode()
        == lines_of_the_page()[2][1] + "\n"
    )
    from verify.reference.truth import Truth

    truth = Truth.of(said.spec, given, "float64")
    for (value, bound), tensor in zip(truth.tensors, answer["tensors"], strict=True):
        assert (abs(protocol.protocol_array(tensor, "it") - value) <= bound).all()


def test_every_line_is_as_the_schema_says():
    jsonschema = pytest.importorskip("jsonschema", reason="the schema is tested with the package jsonschema")
    schema = json.loads((HERE / "protocol.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)

    def valid(side, message):
        part = {"$ref": f"#/$defs/{side}", "$defs": schema["$defs"]}
        return jsonschema.Draft202012Validator(part).is_valid(message)

    lines = lines_of_the_page()
    assert len(lines) == 5
    for who, line in lines:
        assert valid({">": "runner", "<": "program"}[who], json.loads(line)), line
        assert not valid({"<": "runner", ">": "program"}[who], json.loads(line)), line
    arrays = [np.ones((2, 3)), np.ones(3), np.full((4, 2), np.inf), np.arange(4)]
    for encoding in protocol.ENCODINGS:
        for spec in (None, Spec()):
            assert valid("request", json.loads(protocol.protocol_request("loss", 7, spec, arrays, encoding)))
    for wrong in (
        {"type": "hello"},
        {"type": "answer", "id": 0, "tensors": []},
        {"type": "error", "id": 1},
        3,
    ):
        assert not valid("program", wrong)
    names = schema["$defs"]
    for part, known in (("hidden", "hidden"), ("reduction", "reductions")):
        assert tuple(names[part]["enum"]) == getattr(protocol.ProtocolHello("n"), known)
