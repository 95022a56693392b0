"""Mistakes written in NumPy, apart from the catalogue, are named; what is in no catalogue is not."""

import numpy as np
import pytest

import verify
from tests.verify.reference.layers.right import RIGHT
from tests.verify.reference.layers.right.activations import probabilities


def relu_value(dout, x):
    return dout * np.maximum(x, 0)


def softmax_diagonal(dout, x):
    p = probabilities(x)
    return dout * p * (1 - p)


def affine_db_mean(dout, x, w, b):
    return dout @ w.T, x.T @ dout, dout.mean(axis=0)


def pool_assigned(dout, x, *, size, stride):
    dx = np.zeros_like(x)
    for p in range(dout.shape[2]):
        for q in range(dout.shape[3]):
            place = np.s_[:, :, p * stride : p * stride + size, q * stride : q * stride + size]
            window = x[place]
            mask = window == window.max(axis=(2, 3), keepdims=True)
            dx[place] = mask * dout[:, :, p : p + 1, q : q + 1]
    return dx


def norm_without_mean(dout, x, gamma, beta, *, eps):
    centred = x - x.mean(axis=0)
    std = np.sqrt((centred**2).mean(axis=0) + eps)
    hat, dhat = centred / std, dout * gamma
    dx = (dhat - hat * (dhat * hat).mean(axis=0)) / std
    return dx, (dout * hat).sum(axis=0), dout.sum(axis=0)


def rms_epsilon_outside(dout, x, gamma, *, eps):
    root = np.sqrt((x**2).mean(axis=1, keepdims=True))
    std = root + eps
    dhat = dout * gamma
    dx = dhat / std - x * (dhat * x).mean(axis=1, keepdims=True) / (root * std**2)
    return dx, (dout * x / std).sum(axis=0)


def embedding_assigned(dout, table, ids):
    dtable = np.zeros_like(table)
    dtable[ids] = dout
    return dtable


@pytest.mark.parametrize(
    ("backward", "reference", "name"),
    [
        (relu_value, "relu", "relu_value_for_slope"),
        (softmax_diagonal, "softmax", "softmax_diagonal"),
        (affine_db_mean, "affine", "affine_db_mean"),
        (pool_assigned, "max_pool2d", "max_pool_window_assigned"),
        (norm_without_mean, "batch_norm", "norm_mean_path_lost"),
        (rms_epsilon_outside, "rms_norm", "rms_epsilon_outside_root"),
        (embedding_assigned, "embedding", "embedding_assigned"),
        (lambda dout, x: -RIGHT["gelu"](dout, x), "gelu", "sign"),
    ],
)
def test_a_mistake_is_named(backward, reference, name):
    report = verify.check_backward(backward, reference=reference, cases=60, xla=0, certified=0)
    [mistakes] = [finding.mistakes for finding in report.findings if finding.check == "gradient"]
    assert name in mistakes
    assert f"{name} gives every entry" in str(report) or len(mistakes) > 1


def test_what_is_in_no_catalogue_is_not_named():
    report = verify.check_backward(
        lambda dout, x: dout * x**3, reference="relu", cases=60, xla=0, certified=0
    )
    assert report.verdict == "wrong"
    assert report.findings[0].mistakes == ()


def test_no_mistake_is_named_for_side_effects():
    def backward(dout, x):
        result = RIGHT["relu"](dout, x)
        x += 1
        return result

    report = verify.check_backward(backward, reference="relu", cases=60, xla=0, certified=0, layouts=("C",))
    assert all(finding.mistakes == () for finding in report.findings)


def test_a_mistake_is_named_where_inputs_have_a_structure():
    def product(x, params):
        return x @ params["w"] + params["b"][np.newaxis, :]

    def backward(dout, x, params):
        return 2 * (dout @ params["w"].T), {"w": 2 * (x.T @ dout), "b": 2 * dout.sum(axis=0)}

    shapes = {"x": "n d", "params": {"w": "d m", "b": "m"}}
    report = verify.check_backward(backward, reference=product, shapes=shapes, cases=30, xla=0, certified=0)
    assert report.findings[0].mistakes == ("doubled",)
