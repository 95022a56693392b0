import numpy as np
import pytest

import verify
from tests.verify.reference.layers.right import RIGHT
from tests.verify.reference.layers.right.activations import probabilities

FEW = {"cases": 20, "xla": 0, "certified": 0}


def affine_forward(x, w, b):
    return x @ w + b, (x, w)


def affine_backward(dout, cache):
    x, w = cache
    return dout @ w.T, x.T @ dout, dout.sum(axis=0)


def require_verified(backward, reference, **arguments):
    report = verify.check_backward(backward, reference=reference, **FEW, **arguments)
    assert report.ok, str(report)
    return report


def test_forward_with_a_cache():
    report = require_verified(affine_backward, "affine", forward=affine_forward)
    assert "forward(x, w, b) -> (out, cache), backward(dout, cache)" in report.notes


def test_a_dictionary_of_gradients():
    def backward(dout, cache):
        return dict(zip(("dx", "w", "grad_b"), affine_backward(dout, cache), strict=True))

    require_verified(backward, "affine", forward=affine_forward)


def test_some_of_the_inputs_by_name():
    require_verified(lambda dout, w, x: affine_backward(dout, (x, w)), "affine")


def test_a_loss_that_returns_its_gradient():
    def loss(logits, labels):
        p = probabilities(logits)
        rows = np.arange(len(labels))
        top = logits.max(axis=1, keepdims=True)
        terms = np.log(np.exp(logits - top).sum(axis=1)) - (logits - top)[rows, labels]
        p[rows, labels] -= 1
        return terms.mean(), p / p.dtype.type(len(labels))

    require_verified(loss, "cross_entropy")


def test_options_as_one_dictionary():
    def forward(x, pool_param):
        size, stride = pool_param["size"], pool_param["stride"]
        height, width = ((n - size) // stride + 1 for n in x.shape[2:])
        out = np.empty((*x.shape[:2], height, width), x.dtype)
        for p in range(height):
            for q in range(width):
                window = x[:, :, p * stride : p * stride + size, q * stride : q * stride + size]
                out[:, :, p, q] = window.max(axis=(2, 3))
        return out, (x, pool_param)

    def backward(dout, cache):
        x, pool_param = cache
        return RIGHT["max_pool2d"](dout, x, **pool_param)

    require_verified(backward, "max_pool2d", forward=forward)


def test_two_outputs_with_their_cotangents_apart_or_together():
    def forward(x, y):
        return x * y, x + y, (x, y)

    def apart(dp, ds, cache):
        x, y = cache
        return dp * y + ds, dp * x + ds

    def together(dout, cache):
        return apart(*dout, cache)

    shapes = {"x": "n", "y": "n"}
    for backward in (apart, together):
        require_verified(backward, lambda x, y: (x * y, x + y), forward=forward, shapes=shapes)


def test_a_cache_without_a_forward_pass_is_refused():
    with pytest.raises(TypeError, match="give forward= where 'cache' is a cache"):
        verify.check_backward(affine_backward, reference="affine")


def test_a_forward_pass_without_a_cache_is_said():
    report = verify.check_backward(
        affine_backward, forward=lambda x, w, b: x @ w + b, reference="affine", **FEW
    )
    assert report.verdict == "crashed"
    assert "it must return (out, cache)" in str(report)


def test_wrong_outputs_are_found_beside_right_gradients():
    report = verify.check_backward(
        affine_backward, forward=lambda x, w, b: (x @ w - b, (x, w)), reference="affine", **FEW
    )
    assert report.findings[0].check == "forward"
