"""The notebook that this project began with, as a small network of our own: its three wrong formulas, all at once.

Columns are samples, as there: weights are (n_out, n_in), activations (n, batch).
"""

import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def softmax(z):
    e = np.exp(z - z.max(axis=0, keepdims=True))
    return e / e.sum(axis=0, keepdims=True)


class Network:
    """Sigmoid layers, a softmax at the end, and the mean squared error over all outputs of all samples."""

    def __init__(self, weights, biases):
        self.weights, self.biases = weights, biases

    def gradients(self, x, y):
        activations = [x]
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            activations.append(sigmoid(weight @ activations[-1] + bias))
        p = softmax(self.weights[-1] @ activations[-1] + self.biases[-1])

        # The mean runs over every entry of p, but only the batch is divided by.
        dp = 2 * (p - y) / y.shape[1]
        # The softmax is differentiated like a sigmoid.
        delta = dp * p * (1 - p)
        dweights, dbiases = [], []
        for i in reversed(range(len(self.weights))):
            dweights.append(delta @ activations[i].T)
            # One column a sample: never summed.
            dbiases.append(delta)
            if i:
                a = activations[i]
                delta = (self.weights[i].T @ delta) * a * (1 - a)
        return dweights[::-1], dbiases[::-1]


def gradient(params, x, y):
    """The network's gradient in the conventions of `verify`: rows are samples, weights are (n_in, n_out)."""
    network = Network([weight.T for weight, _ in params], [bias[:, np.newaxis] for _, bias in params])
    dweights, dbiases = network.gradients(x.T, y.T)
    return [(dweight.T, dbias.T) for dweight, dbias in zip(dweights, dbiases, strict=True)]
