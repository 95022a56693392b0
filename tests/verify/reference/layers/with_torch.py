"""PyTorch's own function for every reference that it has, of tensors: ``name(*inputs, **options)``."""

import pytest

torch = pytest.importorskip(
    "torch", reason="PyTorch is an optional peer: its CPU build has an index of its own"
)
F = torch.nn.functional


def hinge(scores, labels, *, margin):
    return F.multi_margin_loss(scores, labels, margin=margin) * scores.shape[1]


def batch_norm(x, gamma, beta, *, eps):
    return F.batch_norm(x, None, None, gamma, beta, training=True, eps=eps)


def batch_norm_eval(x, gamma, beta, mean, var, *, eps):
    return F.batch_norm(x, mean, var, gamma, beta, training=False, eps=eps)


def conv2d(x, w, b, *, stride, pad, dilation=1, groups=1):
    return F.conv2d(x, w, b, stride=stride, padding=pad, dilation=dilation, groups=groups)


def rnn_step(x, h, wx, wh, b):
    return torch.rnn_tanh_cell(x, h, wx.T, wh.T, b, torch.zeros_like(b))


def lstm_step(x, h, c, wx, wh, b):
    """The order of PyTorch's gates is i, f, g, o."""

    def reordered(tensor):
        i, f, o, g = torch.chunk(tensor, 4, dim=-1)
        return torch.cat([i, f, g, o], dim=-1)

    return torch.lstm_cell(x, (h, c), reordered(wx).T, reordered(wh).T, reordered(b), torch.zeros_like(b))


def gru_step(x, h, wx, wh, bx, bh):
    return torch.gru_cell(x, h, wx.T, wh.T, bx, bh)


def _sequence(step):
    def sequence(x, h0, *parameters):
        states = [h0]
        for t in range(x.shape[1]):
            states.append(step(x[:, t], states[-1], *parameters))
        return torch.stack(states[1:], dim=1)

    return sequence


def lstm(x, h0, wx, wh, b):
    h, c, states = h0, torch.zeros_like(h0), []
    for t in range(x.shape[1]):
        h, c = lstm_step(x[:, t], h, c, wx, wh, b)
        states.append(h)
    return torch.stack(states, dim=1)


def attention(q, k, v, *, causal=False):
    return F.scaled_dot_product_attention(q, k, v, is_causal=causal)


def multi_head_attention(x, wq, wk, wv, wo, *, heads, causal):
    n, length, m = x.shape
    q, k, v = ((x @ w).reshape(n, length, heads, -1).transpose(1, 2) for w in (wq, wk, wv))
    inner = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
    return inner.transpose(1, 2).reshape(n, length, m) @ wo


TORCH = {
    "affine": lambda x, w, b: F.linear(x, w.T, b),
    "embedding": lambda table, ids: F.embedding(ids, table),
    "residual": lambda x, w, b: x + F.relu(F.linear(x, w.T, b)),
    "mlp": lambda x, w1, b1, w2, b2: F.linear(F.relu(F.linear(x, w1.T, b1)), w2.T, b2),
    "relu": lambda x: F.relu(x),
    "leaky_relu": lambda x, *, slope: F.leaky_relu(x, slope),
    "elu": lambda x, *, alpha: F.elu(x, alpha),
    "sigmoid": lambda x: torch.sigmoid(x),
    "tanh": lambda x: torch.tanh(x),
    "silu": lambda x: F.silu(x),
    "gelu": lambda x: F.gelu(x),
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "softmax": lambda x: F.softmax(x, dim=-1),
    "log_softmax": lambda x: F.log_softmax(x, dim=-1),
    "cross_entropy": lambda logits, labels: F.cross_entropy(logits, labels),
    "hinge": hinge,
    "mse": lambda prediction, target: F.mse_loss(prediction, target),
    "batch_norm": batch_norm,
    "batch_norm_eval": batch_norm_eval,
    "spatial_batch_norm": batch_norm,
    "spatial_batch_norm_eval": batch_norm_eval,
    "layer_norm": lambda x, gamma, beta, *, eps: F.layer_norm(x, x.shape[1:], gamma, beta, eps),
    "group_norm": lambda x, gamma, beta, *, groups, eps: F.group_norm(x, groups, gamma, beta, eps),
    "rms_norm": lambda x, gamma, *, eps: F.rms_norm(x, x.shape[1:], gamma, eps),
    "conv2d": conv2d,
    "dilated_conv2d": conv2d,
    "grouped_conv2d": conv2d,
    "conv_transpose2d": lambda x, w, b, *, stride, pad: F.conv_transpose2d(x, w, b, stride, pad),
    "max_pool2d": lambda x, *, size, stride: F.max_pool2d(x, size, stride),
    "avg_pool2d": lambda x, *, size, stride: F.avg_pool2d(x, size, stride),
    "rnn_step": rnn_step,
    "rnn": _sequence(rnn_step),
    "lstm_step": lstm_step,
    "lstm": lstm,
    "gru_step": gru_step,
    "gru": _sequence(gru_step),
    "attention": attention,
    "causal_attention": lambda q, k, v, *, causal: attention(q, k, v, causal=causal),
    "multi_head_attention": multi_head_attention,
}
"""For each reference, the same in PyTorch: all but dropout, whose mask PyTorch draws itself."""

SHAPES = {
    "group_norm": {"x": "n g*c h+1 w", "gamma": "g*c", "beta": "g*c"},
    "batch_norm": {"x": "n+1 d", "gamma": "d", "beta": "d"},
    "spatial_batch_norm": {"x": "n+1 c h w", "gamma": "c", "beta": "c"},
}
"""PyTorch refuses a norm over one number."""

COMPOSED = {"gelu": lambda x: 0.5 * x * (1 + torch.erf(x / 2**0.5))}
"""The formula in PyTorch's own operations, where its kernel is less precise than they are."""
