"""JAX: its derivative of the project's own reference, called in each of the ways that its users have.

On a CPU, JAX hands each call to another thread by default, which costs a small network more than its gradient.
``jax_sync`` and the epochs are told not to, which is JAX at its best; the others keep the default.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from verify.commands.bench.peers.peer import Step
from verify.commands.bench.task import Task
from verify.reference.network import network_forward, network_loss_of
from verify.reference.spec import Spec


def _value_and_grad(task: Task) -> Callable[..., Any]:
    reference = network_loss_of(Spec(hidden=task.hidden))

    # Labels as integers and the rows made inside: as fast as rows made outside, and as fast as taking
    # the labels' entries of log_softmax.
    def loss(params: Any, x: jax.Array, y: jax.Array) -> jax.Array:
        return reference(params, x, jax.nn.one_hot(y, task.n_out, dtype=x.dtype))

    return jax.value_and_grad(loss)


def _start(task: Task, *, asynchronous: bool = True) -> tuple[Any, Any, Any]:
    """Set JAX up for the task, and put its arrays on the device."""
    config: Any = jax.config
    config.update("jax_enable_x64", task.dtype == "float64")
    config.update("jax_cpu_enable_async_dispatch", asynchronous)
    params, x, y = task.arrays()
    arrays: tuple[Any, Any, Any] = jax.device_put((params, x, y.astype(np.int32)))
    return arrays


def _until_ready(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Step:
    def step() -> Any:
        loss, grads = function(*arguments)
        # The results of one program are ready together; to ask each of them takes longer than a small gradient.
        loss.block_until_ready()
        return loss, grads

    return step


def gradient_with_jax(task: Task) -> Step:
    """``jax.jit(jax.value_and_grad(loss))`` on arrays that are on the device already."""
    arrays = _start(task)
    return _until_ready(jax.jit(_value_and_grad(task)), arrays)


def gradient_synchronous_with_jax(task: Task) -> Step:
    """The same, in the calling thread."""
    arrays = _start(task, asynchronous=False)
    return _until_ready(jax.jit(_value_and_grad(task)), arrays)


def gradient_ahead_of_time_with_jax(task: Task) -> Step:
    """The same as `gradient_with_jax`, lowered and compiled before the first call."""
    arrays = _start(task)
    return _until_ready(jax.jit(_value_and_grad(task)).lower(*arrays).compile(), arrays)


def gradient_numpy_with_jax(task: Task) -> Step:
    """NumPy arrays in, NumPy arrays out, and everything else at its default."""
    _start(task)
    params, x, y = task.arrays()
    function = jax.jit(_value_and_grad(task))
    return lambda: jax.tree.map(np.asarray, function(params, x, y))


def _classes(task: Task) -> Callable[..., Any]:
    return jax.jit(lambda params, x: jnp.argmax(network_forward(params, x, task.hidden), axis=1))


def prediction_with_jax(task: Task) -> Step:
    """The most probable classes by ``jax.jit``, of arrays that are on the device already."""
    params, x, _ = _start(task)
    classes = _classes(task)
    return lambda: (0.0, [(classes(params, x).block_until_ready(),)])


def prediction_numpy_with_jax(task: Task) -> Step:
    """The same, with NumPy arrays in and out."""
    params, _, _ = _start(task)  # a network is kept on the device; what it is asked about is not
    _, x, _ = task.arrays()
    classes = _classes(task)
    return lambda: (0.0, [(np.asarray(classes(params, x)),)])


def _sgd_step(task: Task) -> Callable[..., Any]:
    """One step over the rows of a batch, which adds its loss to the sum."""
    value_and_grad = _value_and_grad(task)

    def step(params: Any, total: jax.Array, x: jax.Array, y: jax.Array) -> Any:
        loss, grads = value_and_grad(params, x, y)
        params = jax.tree.map(lambda p, g: p - task.learning_rate * g, params, grads)
        return params, total + loss * len(x)

    return step


def epoch_of_steps_with_jax(task: Task) -> Step:
    """Shuffle on the device, then one call of a compiled step for each batch."""
    params, x, y = _start(task, asynchronous=False)
    rng = np.random.default_rng(0)
    sgd_step = _sgd_step(task)
    shuffled = jax.jit(lambda order: (x[order], y[order]))

    @partial(jax.jit, static_argnames="size", donate_argnames=("params", "total"))
    def step_at(params: Any, total: jax.Array, xs: jax.Array, ys: jax.Array, start: int, size: int) -> Any:
        batch = (jax.lax.dynamic_slice_in_dim(array, start, size) for array in (xs, ys))
        return sgd_step(params, total, *batch)

    def step() -> tuple[Any, Any]:
        nonlocal params
        xs, ys = shuffled(rng.permutation(len(x)))
        total = jnp.zeros((), x.dtype)
        for start in range(0, len(x), task.cell.batch):
            size = min(task.cell.batch, len(x) - start)
            params, total = step_at(params, total, xs, ys, np.int32(start), size)
        return float(total) / len(x), params

    return step


def epoch_in_scan_with_jax(task: Task) -> Step:
    """The whole epoch as one compiled program: ``jax.lax.scan`` over the full batches, then the rest."""
    params, x, y = _start(task, asynchronous=False)
    rng = np.random.default_rng(0)
    sgd_step = _sgd_step(task)
    steps, rest = divmod(len(x), task.cell.batch)

    @partial(jax.jit, donate_argnames="params")
    def run(params: Any, x: jax.Array, y: jax.Array, order: jax.Array) -> Any:
        xs, ys = x[order], y[order]
        full = steps * task.cell.batch
        batches = (xs[:full].reshape(steps, task.cell.batch, -1), ys[:full].reshape(steps, -1))
        state = (params, jnp.zeros((), x.dtype))
        state, _ = jax.lax.scan(lambda state, batch: (sgd_step(*state, *batch), None), state, batches)
        return sgd_step(*state, xs[full:], ys[full:]) if rest else state

    def step() -> tuple[Any, Any]:
        nonlocal params
        params, total = run(params, x, y, rng.permutation(len(x)))
        return float(total) / len(x), params

    return step
