import numpy as np

from tests.verify.reference.layers.right.activations import logistic


def rnn_step(dout, x, h, wx, wh, b):
    a = np.tanh(x @ wx + h @ wh + b)
    dz = dout * (1 - a) * (1 + a)
    return dz @ wx.T, dz @ wh.T, x.T @ dz, h.T @ dz, dz.sum(axis=0)


def _through_time(step, dout, x, h0, states, parameters):
    """Undo a sequence: dh of a step is its own dout and what the next step hands back."""
    dx, dh = np.zeros_like(x), np.zeros_like(h0)
    totals = [np.zeros_like(parameter) for parameter in parameters]
    for t in reversed(range(x.shape[1])):
        dx[:, t], dh, *grads = step(dout[:, t] + dh, x[:, t], states[t], *parameters)
        for total, grad in zip(totals, grads, strict=True):
            total += grad
    return dx, dh, *totals


def rnn(dout, x, h0, wx, wh, b):
    states = [h0]
    for t in range(x.shape[1]):
        states.append(np.tanh(x[:, t] @ wx + states[-1] @ wh + b))
    return _through_time(rnn_step, dout, x, h0, states, (wx, wh, b))


def _lstm_forward(x, h, c, wx, wh, b):
    a = np.split(x @ wx + h @ wh + b, 4, axis=1)
    i, f, o, g = logistic(a[0]), logistic(a[1]), logistic(a[2]), np.tanh(a[3])
    following = f * c + i * g
    return o * np.tanh(following), following, a, (i, f, o, g)


def lstm_step(dout, x, h, c, wx, wh, b):
    dh, dc = dout
    _, following, a, (i, f, o, g) = _lstm_forward(x, h, c, wx, wh, b)
    t = np.tanh(following)
    dc = dc + dh * o * (1 - t) * (1 + t)
    slopes = [gate * logistic(-z) for gate, z in zip((i, f, o), a, strict=False)]
    da = np.concatenate(
        [dc * g * slopes[0], dc * c * slopes[1], dh * t * slopes[2], dc * i * (1 - g) * (1 + g)], axis=1
    )
    return da @ wx.T, da @ wh.T, dc * f, x.T @ da, h.T @ da, da.sum(axis=0)


def lstm(dout, x, h0, wx, wh, b):
    hs, cs = [h0], [np.zeros_like(h0)]
    for t in range(x.shape[1]):
        h, c, *_ = _lstm_forward(x[:, t], hs[-1], cs[-1], wx, wh, b)
        hs.append(h)
        cs.append(c)
    dx, dh, dc = np.zeros_like(x), np.zeros_like(h0), np.zeros_like(h0)
    totals = [np.zeros_like(parameter) for parameter in (wx, wh, b)]
    for t in reversed(range(x.shape[1])):
        grads = lstm_step((dout[:, t] + dh, dc), x[:, t], hs[t], cs[t], wx, wh, b)
        dx[:, t], dh, dc = grads[:3]
        for total, grad in zip(totals, grads[3:], strict=True):
            total += grad
    return dx, dh, *totals


def _gru_forward(x, h, wx, wh, bx, bh):
    a, s = np.split(x @ wx + bx, 3, axis=1), np.split(h @ wh + bh, 3, axis=1)
    r, z = a[0] + s[0], a[1] + s[1]
    n = np.tanh(a[2] + logistic(r) * s[2])
    return logistic(-z) * n + logistic(z) * h, r, z, n, s


def gru_step(dout, x, h, wx, wh, bx, bh):
    _, r, z, n, s = _gru_forward(x, h, wx, wh, bx, bh)
    dn = dout * logistic(-z) * (1 - n) * (1 + n)
    dz = dout * (h - n) * logistic(z) * logistic(-z)
    dr = dn * s[2] * logistic(r) * logistic(-r)
    da = np.concatenate([dr, dz, dn], axis=1)
    ds = np.concatenate([dr, dz, dn * logistic(r)], axis=1)
    dh = dout * logistic(z) + ds @ wh.T
    return da @ wx.T, dh, x.T @ da, h.T @ ds, da.sum(axis=0), ds.sum(axis=0)


def gru(dout, x, h0, wx, wh, bx, bh):
    states = [h0]
    for t in range(x.shape[1]):
        states.append(_gru_forward(x[:, t], states[-1], wx, wh, bx, bh)[0])
    return _through_time(gru_step, dout, x, h0, states, (wx, wh, bx, bh))


RIGHT = {f.__name__: f for f in (rnn_step, rnn, lstm_step, lstm, gru_step, gru)}
