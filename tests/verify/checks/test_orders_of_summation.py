"""Right code that adds the same terms in another order than JAX's program is right."""

import numpy as np
import pytest

import verify
from verify.reference.layers import reference_in_table


def convolution_by_loops(dout, x, w, b, *, stride, pad):
    """As a first solution is written: filter by filter, place by place, window by window."""
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    dpadded, dw = np.zeros_like(padded), np.zeros_like(w)
    _, filters, rows, columns = dout.shape
    height, width = w.shape[2:]
    for f in range(filters):
        for i in range(rows):
            for j in range(columns):
                window = np.s_[:, :, i * stride : i * stride + height, j * stride : j * stride + width]
                d = dout[:, f, i, j][:, None, None, None]
                dpadded[window] += w[f] * d
                dw[f] += (padded[window] * d).sum(axis=0)
    inside = np.s_[:, :, pad : pad + x.shape[2], pad : pad + x.shape[3]]
    return dpadded[inside].copy(), dw, dout.sum(axis=(0, 2, 3))


def convolution_by_taps(dout, x, w, b, *, stride, pad):
    """Each entry of the window for all places at once, first to last."""
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    dpadded, dw = np.zeros_like(padded), np.zeros_like(w)
    rows, columns = dout.shape[2:]
    for i, j in np.ndindex(*w.shape[2:]):
        places = np.s_[:, :, i : i + stride * rows : stride, j : j + stride * columns : stride]
        dpadded[places] += np.einsum("nfhw,fc->nchw", dout, w[:, :, i, j])
        dw[:, :, i, j] = np.einsum("nfhw,nchw->fc", dout, padded[places])
    inside = np.s_[:, :, pad : pad + x.shape[2], pad : pad + x.shape[3]]
    return dpadded[inside].copy(), dw, dout.sum(axis=(0, 2, 3))


ONE_MORE_ROUNDING = verify.LayerCase(
    sizes=(("n", 4), ("c", 5), ("h", 4), ("w", 4), ("f", 1), ("kh", 2), ("kw", 2)),
    options=(("stride", 1), ("pad", 1)),
    dtype="float32",
    regime="extreme",
    layout="strided",
    seed=4280208,
)
"""Here, the sum from the first entry of the window to the last is off by 1.1 times the bound of the opposite order."""


@pytest.mark.parametrize("backward", [convolution_by_loops, convolution_by_taps])
def test_windows_may_be_added_in_any_order(backward):
    judgement = verify.examine_backward(backward, ONE_MORE_ROUNDING, reference="conv2d")
    assert judgement.verdict == "verified"
    report = verify.check_backward(backward, reference="conv2d", cases=100)
    assert report.verdict == "verified", report


def attention_in_one_product(dout, x, wq, wk, wv):
    """The gradient of x by one product with the three weights side by side."""
    q, k, v = x @ wq, x @ wk, x @ wv
    scale = x.dtype.type(1) / np.sqrt(x.dtype.type(q.shape[-1]))
    s = q @ k.swapaxes(-1, -2) * scale
    p = np.exp(s - s.max(axis=-1, keepdims=True))
    p /= p.sum(axis=-1, keepdims=True)
    dp = dout @ v.swapaxes(-1, -2)
    ds = p * (dp - (p * dp).sum(axis=-1, keepdims=True)) * scale
    d = np.concatenate([ds @ k, ds.swapaxes(-1, -2) @ q, p.swapaxes(-1, -2) @ dout], axis=-1)
    dw = np.einsum("btc,btd->cd", x, d)
    dx = d @ np.concatenate([wq, wk, wv], axis=1).T
    return dx, *(part.copy() for part in np.split(dw, 3, axis=1))


def test_products_may_be_stacked_to_one():
    def attention(x, wq, wk, wv):
        return reference_in_table("attention").function(x @ wq, x @ wk, x @ wv)

    report = verify.check_backward(
        attention_in_one_product,
        reference=attention,
        shapes={"x": "b t c", "wq": "c d", "wk": "c d", "wv": "c d"},
        cases=100,
    )
    assert report.verdict == "verified", report


def affine_from_the_bias_on(x, weight, bias):
    z = np.broadcast_to(bias, (len(x), len(bias))).copy()
    for k in range(x.shape[1]):
        z += x[:, k : k + 1] * weight[k]
    return z


def affine_with_a_column_of_ones(x, weight, bias):
    ones = np.ones((len(x), 1), x.dtype)
    return np.concatenate([ones, x], axis=1) @ np.concatenate([bias[None, :], weight])


@pytest.mark.parametrize("affine", [affine_from_the_bias_on, affine_with_a_column_of_ones])
def test_a_bias_may_be_the_first_term(affine):
    def forward(params, x):
        for i, (weight, bias) in enumerate(params):
            z = affine(x, weight, bias)
            x = np.maximum(z, 0) if i < len(params) - 1 else z
        return x

    def gradient(params, x, y):
        a, z = [x], []
        for weight, bias in params:
            z.append(affine(a[-1], weight, bias))
            a.append(np.maximum(z[-1], 0))
        d, grads = 2 * (z[-1] - y) / x.dtype.type(len(x)), []
        for i in reversed(range(len(params))):
            grads.append((a[i].T @ d, d.sum(axis=0)))
            d = d @ params[i][0].T * (z[i - 1] > 0) if i else d
        return grads[::-1]

    spec = verify.Spec(hidden="relu", output="identity", loss="squared_error")
    target = verify.Target(gradient, forward=forward)
    # From the bias on, an entry of this case was off by 1.2 times the bound of a bias that is added last.
    case = verify.Case((3, 8, 32), 24, dtype="float32", labels="real", seed=15578180)
    assert verify.examine(target, case, spec, check="forward").verdict == "verified"
    report = verify.check(target, spec, cases=200)
    assert report.verdict == "verified", report
