import numpy as np
import pytest

import verify

FEW = {"cases": 20, "xla": 0, "certified": 0}


class Affine:
    def __init__(self, W, b):  # noqa: N803 - as people write it
        self.W, self.b = W, b

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW = self.x.T @ dout
        self.db = dout.sum(axis=0)
        return dout @ self.W.T


class Relu:
    def forward(self, x):
        self.mask = x <= 0
        out = x.copy()
        out[self.mask] = 0
        return out

    def backward(self, dout):
        return np.where(self.mask, dout.dtype.type(0), dout)


class Remembers(Relu):
    def forward(self, x):
        if not hasattr(self, "mask") or self.mask.shape != x.shape:
            self.mask = x <= 0
        return np.maximum(x, 0)


class Dense:
    def __init__(self, kernel, offset):
        self.params = {"w": kernel, "b": offset}
        self.grads = {}

    def fprop(self, x):
        self.x = x
        return x @ self.params["w"] + self.params["b"]

    def bprop(self, dout):
        self.grads["w"], self.grads["b"] = self.x.T @ dout, dout.sum(axis=0)
        return dout @ self.params["w"].T


def test_a_class_with_the_usual_names_needs_nothing_said():
    for made, name in ((Affine, "affine"), (Relu, "relu")):
        report = verify.check_backward(made, reference=name, **FEW)
        assert report.ok, str(report)


def test_other_names_are_said():
    target = verify.layer_object(
        Dense,
        forward="fprop",
        backward="bprop",
        names={"w": "kernel", "b": "offset"},
        gradients={"w": "grads.w", "b": "grads.b"},
    )
    report = verify.check_backward(target, reference="affine", **FEW)
    assert report.ok, str(report)


def test_a_wrong_gradient_in_an_attribute_is_found():
    class Wrong(Affine):
        def backward(self, dout):
            dx = super().backward(dout)
            self.db = dout.mean(axis=0)
            return dx

    report = verify.check_backward(Wrong, reference="affine", **FEW)
    assert report.findings[0].tensor == "db"


def test_state_of_an_earlier_call_is_found():
    report = verify.check_backward(Remembers, reference="relu", cases=60, checks=("second_call",))
    assert "second_call" in {finding.check for finding in report.findings}


def test_a_gradient_that_is_not_there_is_said():
    target = verify.layer_object(Affine, gradients={"w": "grads.W", "b": "db"})
    report = verify.check_backward(target, reference="affine", **FEW)
    assert "no gradient of w is found in the layer: looked for grads.W" in str(report)


def test_parameters_that_are_no_inputs_are_refused():
    class Needs:
        def __init__(self, width): ...

        def forward(self, x): ...

        def backward(self, dout): ...

    with pytest.raises(TypeError, match="needs 'width', which is no input or option"):
        verify.check_backward(Needs, reference="relu")


def test_a_class_without_the_methods_is_refused():
    with pytest.raises(TypeError, match="no forward and backward"):
        verify.check_backward(dict, reference="relu")
