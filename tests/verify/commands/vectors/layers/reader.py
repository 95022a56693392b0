"""A reader of ``layers.json`` as one writes it in any language: no oracle, the bounds in the file alone."""

import json

import numpy as np


def groups_of(path):
    """The groups of a file: (layer, dtype, tests), the tests as JSON has them."""
    found = json.loads(path.read_text(encoding="utf-8"))
    return [(group["layer"], group["dtype"], group["tests"]) for group in found["groups"]]


def array_of(tensor, dtype):
    numbers = tensor["data"]
    if isinstance(numbers[0], str):
        return np.array([float.fromhex(n) for n in numbers], dtype).reshape(tensor["shape"])
    return np.array(numbers, np.int64).reshape(tensor["shape"])


def passes(backward, test, dtype):
    """Tell whether ``backward(dout, *inputs, **options)`` gives an answer of a test, at the first call and again."""
    inputs = [array_of(tensor, dtype) for tensor in test["inputs"].values()]
    cotangents = [array_of(tensor, dtype) for tensor in test["cotangents"].values()]
    dout = cotangents[0] if len(cotangents) == 1 else tuple(cotangents)
    options = {k: float.fromhex(v) if isinstance(v, str) else v for k, v in test["options"].items()}
    with np.errstate(all="ignore"):
        for _ in range(2):
            got = backward(dout, *inputs, **options)
            got = got if isinstance(got, tuple) else (got,)
            if not any(_within(got, answer, dtype) for answer in test["answers"]):
                return False
    return True


def _within(got, answer, dtype):
    for tensor, expected, bound in zip(
        got, answer["expected"].values(), answer["bound"].values(), strict=True
    ):
        expected, bound = array_of(expected, dtype), array_of(bound, dtype)
        if (tensor.shape, tensor.dtype) != (expected.shape, expected.dtype):
            return False
        if not np.all(abs(tensor - expected) <= bound):
            return False
    return True
