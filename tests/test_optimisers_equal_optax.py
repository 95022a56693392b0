"""Every step of every optimiser against Optax's, each parameter within the bound on its rounding error."""

import math
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mlp_ref import MLP, datasets
from mlp_ref.optimisers import SGD, Adam
from verify.evaluate import bounds
from verify.evaluate.flattening import flatten_jaxpr

optax = pytest.importorskip("optax", reason="Optax, whose optimisers are compared with, is not installed")

RATE = 0.03


class Decay(float):
    """A decay rate whose ``1 - rate**count``, Adam's correction, is rounded once.

    In float64 that difference cancels to an error of 1e-13, which no bound on the tensors' arithmetic would cover.
    """

    def __pow__(self, count):
        return Power(Fraction(float(self)) ** int(count))


class Power:
    def __init__(self, value):
        self.value = value

    def __rsub__(self, one):
        return np.float64(float(one - self.value))


PAIRS = {
    "sgd": (lambda: SGD(), lambda: optax.sgd(RATE)),
    "momentum": (lambda: SGD(0.9), lambda: optax.sgd(RATE, momentum=0.9)),
    "nesterov": (lambda: SGD(0.9, nesterov=True), lambda: optax.sgd(RATE, momentum=0.9, nesterov=True)),
    "adam": (lambda: Adam(), lambda: optax.adam(RATE, b1=Decay(0.9), b2=Decay(0.999))),
    "adam_of_other_settings": (
        lambda: Adam(0.5, 0.9, 1e-3),
        lambda: optax.adam(RATE, b1=Decay(0.5), b2=Decay(0.9), eps=1e-3),
    ),
}
each_pair = pytest.mark.parametrize("name", PAIRS)
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def in_optax(transformation, flat, gradients):
    """Return what Optax makes of `flat` (n,) by `gradients` (steps, n), and each entry's bound in their dtype.

    The count of the steps is known while JAX traces this, so that Adam's corrections are constants.
    """

    def stepped(flat, *rows):
        with jax.disable_jit(), jax.ensure_compile_time_eval():
            state = transformation.init(jnp.zeros(flat.shape))
        for gradient in rows:
            with jax.disable_jit(), jax.ensure_compile_time_eval():
                update, state = transformation.update(gradient, state)
            flat = flat + update
        return flat

    with jax.enable_x64(True):
        vector = jax.ShapeDtypeStruct(flat.shape, jnp.float64)
        program = flatten_jaxpr(jax.make_jaxpr(stepped)(*[vector] * (1 + len(gradients))))
    at = bounds.Arithmetic.judging(flat.dtype, {})
    inputs = [array.astype(np.float64) for array in (flat, *gradients)]
    ((value, bound),) = bounds.evaluate_with_bounds(program, inputs, at)
    assert np.isfinite(bound).all()
    return value, bound


def stepped(optimiser, flat, gradients):
    flat = flat.copy()
    for gradient in gradients:
        optimiser.step(flat, gradient.copy(), RATE)
    return flat


def random_steps(dtype, steps, n=300, seed=0):
    """Gradients of every size, each parameter's own, with zeros among the later ones.

    A first gradient of 0 gives Adam the root of 0, where the bound on a root is infinite.
    """
    rng = np.random.default_rng(seed)
    gradients = rng.normal(size=(steps, n)) * np.exp(5 * rng.normal(size=n))
    gradients[1:][rng.random((steps - 1, n)) < 0.1] = 0
    return rng.normal(size=n).astype(dtype), gradients.astype(dtype)


def worst(ours, value, bound):
    """Return the largest error in units of its bound."""
    return np.max(np.abs(ours.astype(np.float64) - value) / bound)


@each_dtype
@each_pair
@pytest.mark.parametrize("steps", [1, 2, 3, 10])
def test_steps_of_random_gradients(name, steps, dtype):
    ours, theirs = PAIRS[name]
    for seed in range(5):
        flat, gradients = random_steps(dtype, steps, seed=seed)
        assert worst(stepped(ours(), flat, gradients), *in_optax(theirs(), flat, gradients)) <= 1


@each_dtype
@each_pair
def test_a_hundred_steps_of_a_real_training(name, dtype):
    """The gradients are those of the training itself: Optax is given the same ones and must end where it ended."""
    ours, theirs = PAIRS[name]
    (x, y), _ = datasets.load_digits(np.float64)
    # Some pixels are 0 in every image. Turned by a random rotation, no input is.
    rotation, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(64, 64)))
    x = (x @ rotation).astype(dtype)
    net = MLP([64, 8, 10], dtype=dtype, seed=0)
    optimiser, first, gradients = ours(), net.flat.copy(), []
    for step in range(100):
        rows = slice(step * 14 % 1400, step * 14 % 1400 + 14)
        _, grads = net.loss_and_gradient(x[rows], y[rows])
        gradients.append(np.concatenate([part.ravel() for layer in grads for part in layer]))
        optimiser.step(net.flat, gradients[-1].copy(), RATE)
    value, bound = in_optax(theirs(), first, gradients)
    assert worst(net.flat, value, bound) <= 1
    # The bound says something: it is far less than what the training did.
    assert np.median(bound) < 1e6 * np.finfo(dtype).eps * np.median(np.abs(value - first))


class EpsilonOfOldMoments(Adam):
    """Adds epsilon to the root before its correction, as the paper's shorter form and scikit-learn do."""

    def _step(self, moments, gradient, rate):
        epsilon, self.epsilon = self.epsilon, self.epsilon / math.sqrt(1 - self.beta_2**self._steps)
        try:
            return super()._step(moments, gradient, rate)
        finally:
            self.epsilon = epsilon


class NoCorrection(Adam):
    def _step(self, moments, gradient, rate):
        steps, self._steps = self._steps, 10**6
        try:
            return super()._step(moments, gradient, rate)
        finally:
            self._steps = steps


MISTAKES = {
    "plain steps for momentum": (SGD, "momentum"),
    "momentum for Nesterov's": (lambda: SGD(0.9), "nesterov"),
    "another momentum": (lambda: SGD(0.9 + 1e-5), "momentum"),
    "epsilon before the correction": (EpsilonOfOldMoments, "adam"),
    "no correction": (NoCorrection, "adam"),
    "another beta_2": (lambda: Adam(beta_2=0.999 + 1e-4), "adam"),
}


@each_dtype
@pytest.mark.parametrize("mistake", MISTAKES)
def test_an_optimiser_that_is_slightly_wrong_is_outside(mistake, dtype):
    wrong, name = MISTAKES[mistake]
    flat, gradients = random_steps(dtype, 10)
    assert worst(stepped(wrong(), flat, gradients), *in_optax(PAIRS[name][1](), flat, gradients)) > 1
