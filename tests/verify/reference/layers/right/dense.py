import numpy as np


def affine(dout, x, w, b):
    return dout @ w.T, x.T @ dout, dout.sum(axis=0)


def embedding(dout, table, ids):
    dtable = np.zeros_like(table)
    np.add.at(dtable, ids, dout)
    return dtable


def residual(dout, x, w, b):
    dz = dout * (x @ w + b > 0)
    return dout + dz @ w.T, x.T @ dz, dz.sum(axis=0)


def dropout(dout, x, mask, *, p):
    return dout * mask / (1 - p)


def mlp(dout, x, w1, b1, w2, b2):
    z = x @ w1 + b1
    a = np.maximum(z, 0)
    dz = (dout @ w2.T) * (z > 0)
    return dz @ w1.T, x.T @ dz, dz.sum(axis=0), a.T @ dout, dout.sum(axis=0)


RIGHT = {f.__name__: f for f in (affine, embedding, residual, dropout, mlp)}
