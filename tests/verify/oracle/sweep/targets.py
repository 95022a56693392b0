"""Gradient functions that other processes load by the name of this file."""

import os
import time

import mlp_ref


def right(params, x, y):
    return mlp_ref.loss_and_gradient(params, x, y)[1]


def doubled_bias(params, x, y):
    return [(weight, 2 * bias) for weight, bias in right(params, x, y)]


def is_rare(params, x):
    """One case of the first hundred, and none of its parts."""
    return (len(x), x.shape[1], len(params)) == (32, 20, 2)


def rarely_doubled(params, x, y):
    return doubled_bias(params, x, y) if is_rare(params, x) else right(params, x, y)


def deadly(params, x, y):
    """Ends its process in one case of the first hundred."""
    if is_rare(params, x):
        os._exit(1)
    return right(params, x, y)


def slow(params, x, y):
    time.sleep(0.01)
    return right(params, x, y)
