"""The tensors that are drawn."""

from dataclasses import asdict

import numpy as np

from verify.checks.entries import summarise_entries
from verify.reference.judge import judge


def tensors(*off, shapes=((2, 3), (3,), (3, 1), (1,)), value=1.0):
    """The tensors of a gradient of ones, off by 1 at the places (tensor, index)."""
    truth = [(np.ones(shape), np.full(shape, 1e-3)) for shape in shapes]
    got = [np.full(shape, value) for shape in shapes]
    for tensor, index in off:
        got[tensor][index] += 1
    return [asdict(tensor) for tensor in summarise_entries(judge(truth, got, "float64").entries)]
