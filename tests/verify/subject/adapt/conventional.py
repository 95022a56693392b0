"""One right network in any of the conventions that people write networks in: what adapters are tested with."""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np


def softmax(z, axis):
    e = np.exp(z - z.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


class Network:
    """Sigmoid hidden layers, softmax and cross-entropy; every convention is an argument.

    The mathematics is done in the layout of the samples: rows (batch, n), columns (n, batch), or one sample of shape
    (n,), (n, 1) or (1, n).
    """

    def __init__(self, sizes, orientation, bias, samples, labels, container, mean=True):
        self.orientation, self.bias, self.samples, self.labels = orientation, bias, samples, labels
        self.container, self.mean, self.depth = container, mean, len(sizes) - 1
        rng = np.random.default_rng(0)
        for i, shape in enumerate(pairwise(sizes)):
            self.store(i, "W", "b", rng.standard_normal(shape), rng.standard_normal(shape[1]))

    # --- where things are kept

    def place(self, i, name):
        if self.container == "lists":
            items = self.__dict__.setdefault(name + "s", [None] * self.depth)
            return items, i
        if self.container == "layers":
            layers = self.__dict__.setdefault("layers", [SimpleNamespace() for _ in range(2 * self.depth)])
            return layers[2 * i].__dict__, name  # activation layers, without weights, stand between
        if self.container == "dictionary":
            return self.__dict__.setdefault("params", {}), f"{name}{i + 1}"
        return self.__dict__, f"{name}{i}"

    def put(self, i, name, array):
        holder, key = self.place(i, name)
        holder[key] = array

    def get(self, i, name):
        holder, key = self.place(i, name)
        return holder[key]

    def store(self, i, weight_name, bias_name, weight, bias):
        """Keep a weight (in, out) and a bias (out,) in this network's conventions."""
        weight, bias = self.conventional(weight, bias)
        self.put(i, weight_name, weight)
        if bias is not None:
            self.put(i, bias_name, bias)

    def conventional(self, weight, bias):
        if self.bias == "folded_first":
            weight, bias = np.vstack([bias, weight]), None
        elif self.bias == "folded_last":
            weight, bias = np.vstack([weight, bias]), None
        elif self.bias == "none":
            bias = None
        else:
            bias = bias.reshape({"flat": (-1,), "row": (1, -1), "column": (-1, 1)}[self.bias])
        return (weight if self.orientation == "in_out" else weight.T), bias

    def layer(self, i):
        """The weight (in, out) and the bias (out,) of a layer."""
        weight = self.get(i, "W")
        weight = weight if self.orientation == "in_out" else weight.T
        if self.bias == "folded_first":
            return weight[1:], weight[0]
        if self.bias == "folded_last":
            return weight[:-1], weight[-1]
        if self.bias == "none":
            return weight, np.zeros(weight.shape[1], dtype=weight.dtype)
        return weight, self.get(i, "b").reshape(-1)

    # --- the mathematics

    def forward(self, x):
        """The activations of every layer, the inputs' first."""
        activations = [x]
        for i in range(self.depth):
            weight, bias = self.layer(i)
            if self.samples in ("columns", "single_column"):
                z = weight.T @ activations[-1] + bias[:, None]
            else:
                z = activations[-1] @ weight + bias
            last = i == self.depth - 1
            activations.append(softmax(z, self.features) if last else 1 / (1 + np.exp(-z)))
        return activations

    @property
    def features(self):
        return 1 if self.samples in ("rows", "single_row") else 0

    def gradients(self, x, y):
        """(dweight, dbias or None) of every layer, in this network's conventions."""
        *activations, p = self.forward(x)
        dz = p - self.rows(y, p)
        if self.mean and self.samples in ("rows", "columns"):
            dz = dz / p.shape[1 - self.features]
        found = []
        for i in reversed(range(self.depth)):
            weight, _ = self.layer(i)
            a = activations[i]
            if self.samples in ("columns", "single_column"):
                dweight, dbias, da = a @ dz.T, dz.sum(axis=1), weight @ dz
            elif self.samples == "single":
                dweight, dbias, da = np.outer(a, dz), dz.copy(), weight @ dz
            else:
                dweight, dbias, da = a.T @ dz, dz.sum(axis=0), dz @ weight.T
            found.append(self.conventional(dweight, dbias))
            dz = da * a * (1 - a)
        return found[::-1]

    def rows(self, y, p):
        """Targets in the shape of the outputs, from whatever labels there are."""
        if self.labels == "rows":
            return y
        one_hot = np.eye(p.shape[self.features] if p.ndim == 2 else len(p), dtype=p.dtype)[np.asarray(y)]
        if self.samples == "columns":
            return one_hot.T
        return one_hot.reshape(p.shape)

    # --- ways to hand gradients over

    def pairs(self, x, y):
        return self.gradients(x, y)

    def two_lists(self, x, y):
        return [list(part) for part in zip(*self.gradients(x, y), strict=True)]

    def biases_first(self, x, y):
        dweights, dbiases = self.two_lists(x, y)
        return dbiases, dweights

    def flat(self, x, y):
        return [tensor for pair in self.gradients(x, y) for tensor in pair]

    def backwards(self, x, y):
        return self.gradients(x, y)[::-1]

    def weights_alone(self, x, y):
        return [dweight for dweight, _ in self.gradients(x, y)]

    def stored(self, x, y):
        for i, (dweight, dbias) in enumerate(self.gradients(x, y)):
            self.put(i, "dW", dweight)
            if dbias is not None:
                self.put(i, "db", dbias)

    def step(self, x, y, rate):
        for i, (dweight, dbias) in enumerate(self.gradients(x, y)):
            self.put(i, "W", self.get(i, "W") - rate * dweight)
            if dbias is not None:
                self.put(i, "b", self.get(i, "b") - rate * dbias)
