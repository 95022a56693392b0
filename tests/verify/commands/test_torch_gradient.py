"""PyTorch's gradient of every activation and every loss is verified, and keeps the dtype."""

import itertools

import numpy as np
import pytest

import verify
from verify.case.case import Case
from verify.reference.spec import HIDDEN, OUTPUT_LOSSES, REDUCTIONS, Spec

pytest.importorskip("torch")

SPECS = [
    Spec(hidden, *pair, REDUCTIONS[i % 6], 0.01 * (i % 2))
    for i, (hidden, pair) in enumerate(itertools.zip_longest(HIDDEN, OUTPUT_LOSSES, fillvalue="tanh"))
]


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_pytorch_is_verified(spec):
    from verify.commands import torch_gradient

    report = verify.check(
        torch_gradient.torch_gradient(spec), spec, cases=25, xla=0, certified=0, diagnose=False
    )
    assert report.ok, str(report)


def test_the_dtype_is_kept():
    from verify.commands import torch_gradient

    case = Case((3, 4, 2), 5, "float32", layout="read_only")
    gradient = torch_gradient.torch_gradient(Spec())(*case.arrays())
    assert {tensor.dtype for layer in gradient for tensor in layer} == {np.dtype("float32")}
