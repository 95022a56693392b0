import numpy as np


def max_pool2d(dout, x, *, size, stride):
    n, c, height, width = dout.shape
    dx = np.zeros_like(x)
    rows, channels = np.arange(n)[:, np.newaxis], np.arange(c)[np.newaxis, :]
    for p in range(height):
        for q in range(width):
            window = x[:, :, p * stride : p * stride + size, q * stride : q * stride + size]
            i, j = np.divmod(window.reshape(n, c, -1).argmax(axis=2), size)
            dx[rows, channels, p * stride + i, q * stride + j] += dout[:, :, p, q]
    return dx


def avg_pool2d(dout, x, *, size, stride):
    dx = np.zeros_like(x)
    for p in range(dout.shape[2]):
        for q in range(dout.shape[3]):
            share = dout[:, :, p : p + 1, q : q + 1] / size**2
            dx[:, :, p * stride : p * stride + size, q * stride : q * stride + size] += share
    return dx


RIGHT = {f.__name__: f for f in (max_pool2d, avg_pool2d)}
