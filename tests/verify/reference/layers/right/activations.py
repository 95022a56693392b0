import math

import numpy as np


def logistic(x):
    e = np.exp(-abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


def relu(dout, x):
    return dout * (x > 0)


def leaky_relu(dout, x, *, slope):
    return np.where(x > 0, dout, slope * dout)


def elu(dout, x, *, alpha):
    return np.where(x > 0, dout, alpha * np.exp(np.minimum(x, 0)) * dout)


def sigmoid(dout, x):
    return dout * logistic(x) * logistic(-x)


def tanh(dout, x):
    a = np.tanh(x)
    return dout * (1 - a) * (1 + a)


def silu(dout, x):
    s = logistic(x)
    return dout * (s + x * s * logistic(-x))


def gelu(dout, x):
    erf = np.vectorize(math.erf, otypes=[x.dtype])
    density = np.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    return dout * (0.5 * (1 + erf(x / math.sqrt(2))) + x * density)


def gelu_tanh(dout, x):
    c = math.sqrt(2 / math.pi)
    t = np.tanh(c * (x + 0.044715 * x**3))
    return dout * (0.5 * (1 + t) + 0.5 * x * (1 - t) * (1 + t) * c * (1 + 3 * 0.044715 * x**2))


def probabilities(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def softmax(dout, x):
    p = probabilities(x)
    return p * (dout - (dout * p).sum(axis=-1, keepdims=True))


def log_softmax(dout, x):
    return dout - probabilities(x) * dout.sum(axis=-1, keepdims=True)


RIGHT = {
    f.__name__: f for f in (relu, leaky_relu, elu, sigmoid, tanh, silu, gelu, gelu_tanh, softmax, log_softmax)
}
