import numpy as np


def conv2d(dout, x, w, b, *, stride, pad, dilation=1, groups=1):
    f, c, kh, kw = w.shape
    height, width = dout.shape[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    dpadded, dw = np.zeros_like(padded), np.zeros_like(w)
    for g in range(groups):
        channels, filters = slice(g * c, (g + 1) * c), slice(g * (f // groups), (g + 1) * (f // groups))
        for p in range(height):
            for q in range(width):
                top, left = p * stride, q * stride
                rows = slice(top, top + dilation * (kh - 1) + 1, dilation)
                columns = slice(left, left + dilation * (kw - 1) + 1, dilation)
                d = dout[:, filters, p, q]
                dw[filters] += np.einsum("nf,nchw->fchw", d, padded[:, channels, rows, columns])
                dpadded[:, channels, rows, columns] += np.einsum("nf,fchw->nchw", d, w[filters])
    dx = dpadded[:, :, pad : pad + x.shape[2], pad : pad + x.shape[3]]
    return dx.copy(), dw, dout.sum(axis=(0, 2, 3))


def conv_transpose2d(dout, x, w, b, *, stride, pad):
    kh, kw = w.shape[2:]
    padded = np.pad(dout, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for p in range(x.shape[2]):
        for q in range(x.shape[3]):
            window = padded[:, :, p * stride : p * stride + kh, q * stride : q * stride + kw]
            dx[:, :, p, q] = np.einsum("nfij,cfij->nc", window, w)
            dw += np.einsum("nc,nfij->cfij", x[:, :, p, q], window)
    return dx, dw, dout.sum(axis=(0, 2, 3))


RIGHT = {
    "conv2d": conv2d,
    "dilated_conv2d": conv2d,
    "grouped_conv2d": conv2d,
    "conv_transpose2d": conv_transpose2d,
}
