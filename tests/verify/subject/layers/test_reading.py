import numpy as np
import pytest

from verify.reference.reference import Reference
from verify.subject.failed import Failed
from verify.subject.layers.reading import read_layer_gradient

REFERENCE = Reference.of(
    lambda x, ids, p: (x * p["w"], p["b"]),
    {"x": "n", "ids": "n", "p": {"w": "n", "b": ""}},
    integers={"ids": 3},
)
SETTING = REFERENCE.at({"n": 2}, {})
X, P = np.ones(2), {"w": np.zeros(2), "b": np.ones(())}


@pytest.mark.parametrize("result", [(X, P), [X, P], (X, None, P), {"x": X, "dp": P}])
def test_one_gradient_for_each_differentiated_input(result):
    dx, db, dw = read_layer_gradient(result, SETTING, "float64")
    assert (dx.tolist(), db.tolist(), dw.tolist()) == ([1, 1], 1, [0, 0])


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (None, "returned None"),
        (X, "must return one gradient each of x, p"),
        ((X,), "returned 1 items"),
        ({"x": X}, "has no 'p'"),
        ((X, {"w": X}), "must be a dictionary of b, w"),
        ((X, {"w": X, "b": "no"}), "has dtype"),
        ((X[:1], P), r"has shape \(1,\)"),
        ((X.astype("f4"), P), "is float32"),
    ],
)
def test_what_is_no_gradient_is_said(result, said):
    with pytest.raises(Failed, match=said):
        read_layer_gradient(result, SETTING, "float64")
