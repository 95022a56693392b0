import numpy as np
import pytest

import verify
from tests.verify.reference.layers.right import RIGHT
from tests.verify.reference.layers.right.activations import probabilities
from verify.subject.layers.functions import function_options_passed
from verify.subject.layers.load import as_reference

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


def normalised(x, gamma, beta, bn_param):
    """Batch norm as in a course: its mode and eps, and its running mean, are in one dictionary."""
    if bn_param["mode"] != "train":
        raise ValueError(bn_param["mode"])
    mean, var = x.mean(axis=0), x.var(axis=0)
    root = np.sqrt(var + x.dtype.type(bn_param["eps"]))
    bn_param["running_mean"] = 0.9 * bn_param.get("running_mean", 0) + 0.1 * mean
    return gamma * (x - mean) / root + beta, ((x - mean) / root, gamma, root)


def normalised_backward(dout, cache):
    x, gamma, root = cache
    d = dout * gamma
    dx = (d - d.mean(axis=0) - x * (d * x).mean(axis=0)) / root
    return dx, (dout * x).sum(axis=0), dout.sum(axis=0)


def test_an_option_that_the_reference_does_not_take_is_for_the_backward_pass():
    require_verified(normalised_backward, "batch_norm", forward=normalised, options={"mode": ("train",)})


def test_an_option_that_a_dictionary_lacks_is_said():
    report = verify.check_backward(
        normalised_backward, forward=normalised, reference="batch_norm", cases=5, diagnose=False
    )
    assert report.verdict == "crashed"
    assert "options={'mode': (value,)} would put it into this dictionary" in report.findings[0].detail


def test_a_window_may_be_called_height_and_width():
    def forward(x, pool_param):
        size, stride = pool_param["pool_height"], pool_param["stride"]
        assert pool_param["pool_width"] == size
        return x, (x, {"size": size, "stride": stride})

    [pool_param], keywords = function_options_passed(forward, as_reference("max_pool2d"), "forward")(
        {"size": 3, "stride": 2}
    )
    assert forward(np.ones(1), pool_param)[1][1] == {"size": 3, "stride": 2}
    assert keywords == {}


def test_the_inputs_of_a_named_reference_may_be_in_another_order():
    def forward(ids, table):
        return table[ids], (ids, table)

    def backward(dout, cache):
        ids, table = cache
        dtable = np.zeros_like(table)
        np.add.at(dtable, ids, dout)
        return dtable

    require_verified(backward, "embedding", forward=forward, shapes={"ids": "n t", "table": "v d"})


def test_an_affine_layer_may_flatten_its_rows():
    def forward(x, w, b):
        return x.reshape(len(x), -1) @ w + b, (x, w)

    def backward(dout, cache):
        x, w = cache
        return (dout @ w.T).reshape(x.shape), x.reshape(len(x), -1).T @ dout, dout.sum(axis=0)

    shapes = {"x": "n c h", "w": "c*h m", "b": "m"}
    require_verified(backward, "affine", forward=forward, shapes=shapes)


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
