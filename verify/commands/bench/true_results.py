"""The check of a peer's result, before it is timed.

The reference is JAX's derivative. Where that is quickly done it is evaluated with the bound on the rounding error of
every entry, and a result must lie within it. A bound is vacuous for a wide network in float32, and costs several
times the gradient; there the reference is computed in float64, and each entry must lie within sqrt(u) of the largest
entry of its tensor, where u is the unit roundoff of the dtype. A mistake is larger than either.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mlp_ref.params import Layer
from verify.commands.bench.cells import one_hot
from verify.commands.bench.task import Task
from verify.evaluate.array import Array
from verify.reference.spec import Spec

# JAX is imported where it computes: a process with JAX's threads in it does not hear every Ctrl-C, and the one that
# compares and waits must.

QUICKLY_DONE = 500_000_000
"""Multiplications of a gradient up to which its bounds are computed: about a second."""

BOUNDED, SCALED = "error bound", "sqrt(u)"


@dataclass(frozen=True)
class TrueResult:
    """The result that a task must return.

    Attributes
    ----------
    loss
        The loss.
    tensors
        The expected tensors, float64: of the gradient, or of the parameters after one step of an epoch.
    allowed
        For each entry, how far off it may be.
    method
        ``error bound`` or ``sqrt(u)``.
    """

    loss: float
    tensors: list[Array]
    allowed: list[Array]
    method: str

    def fault(self, loss: float, tensors: list[Array], dtype: str) -> str | None:
        """Return what is wrong with a result, in one line; None where nothing is."""
        if len(tensors) != len(self.tensors):
            return f"expected {len(self.tensors)} tensors, got {len(tensors)}"
        for i, (got, expected, allowed) in enumerate(zip(tensors, self.tensors, self.allowed, strict=True)):
            name = f"{('weight', 'bias')[i % 2]} of layer {i // 2 + 1}"
            if got.shape != expected.shape or got.dtype != dtype:
                return f"{name}: expected {expected.shape} {dtype}, got {got.shape} {got.dtype}"
            error = abs(got - expected)
            if not np.all(error <= allowed):
                place = np.unravel_index(
                    int(np.argmax(np.nan_to_num(error / allowed, nan=np.inf))), error.shape
                )
                where = [int(i) for i in place]
                return f"{name}{where}: expected {expected[place]:.9g}, got {got[place]:.9g}"
        if not abs(loss - self.loss) <= _sqrt_u(dtype) * abs(self.loss):
            return f"loss: expected {self.loss:.9g}, got {loss:.9g}"
        return None


@dataclass(frozen=True)
class TrueClasses:
    """The classes that a prediction must return: of every row one whose logit is the largest, up to rounding.

    Attributes
    ----------
    logits
        In float64, (rows, classes).
    method
        ``sqrt(u)``.
    """

    logits: Array
    method: str = SCALED

    def fault(self, _loss: float, tensors: list[Array], dtype: str) -> str | None:
        """Return what is wrong with the classes, in one line; None where nothing is."""
        (classes,) = tensors
        rows, n = self.logits.shape
        if classes.shape != (rows,) or classes.dtype.kind not in "iu":
            return f"classes: expected {rows} integers, got {classes.shape} {classes.dtype}"
        if classes.min() < 0 or classes.max() >= n:
            return f"classes: expected 0 to {n - 1}, got {classes.min()} to {classes.max()}"
        below = self.logits.max(axis=1) - self.logits[np.arange(rows), classes]
        row = int(below.argmax())
        if below[row] > _sqrt_u(dtype) * abs(self.logits).max():
            return f"class of row {row}: expected {self.logits[row].argmax()}, got {classes[row]}"
        return None


def true_result_of(task: Task) -> TrueResult | TrueClasses:
    """Return what the task must return; for an epoch, with the rows of one batch, which is one step in any order."""
    if task.kind == "prediction":
        return _classes(task)
    if task.kind == "epoch":
        task = replace(task, rows=task.cell.batch)
    params, x, labels = task.arrays()
    exact = [Layer(*(np.asarray(tensor, np.float64) for tensor in layer)) for layer in params]
    x = np.asarray(x, np.float64)
    y = one_hot(labels, task.n_out, np.float64)
    truth = _bounded(task, exact, x, y) if task.cell.multiplications <= QUICKLY_DONE else None
    if truth is None:
        truth = _scaled(task, exact, x, y)
    return _after_a_step(truth, exact, task) if task.kind == "epoch" else truth


def _classes(task: Task) -> TrueClasses:
    import jax

    from verify.reference.network import network_forward

    params, x, _ = task.arrays()
    with jax.enable_x64(True):
        wide = [Layer(*(np.asarray(tensor, np.float64) for tensor in layer)) for layer in params]
        logits = jax.jit(network_forward, static_argnames="hidden")(
            wide, np.asarray(x, np.float64), hidden=task.hidden
        )
        return TrueClasses(np.asarray(logits))


def _bounded(task: Task, params: list[Layer], x: Array, y: Array) -> TrueResult | None:
    from verify.evaluate import bounds
    from verify.evaluate.bounds.arithmetic import Arithmetic
    from verify.reference.derivative import traced_derivative
    from verify.reference.judge import vacuous

    sizes = {"b": len(x), **{f"n{i}": n for i, n in enumerate(task.cell.layer_sizes)}}
    inputs = [tensor for layer in params for tensor in layer] + [x, y]
    program = traced_derivative(Spec(hidden=task.hidden), sizes)
    (loss, _), *pairs = bounds.evaluate_with_bounds(program, inputs, Arithmetic.judging(task.dtype, sizes))
    if any(vacuous(value, bound, task.dtype) for value, bound in pairs):
        return None
    values, allowed = (list(arrays) for arrays in zip(*pairs, strict=True))
    return TrueResult(float(loss), values, allowed, BOUNDED)


def _scaled(task: Task, params: list[Layer], x: Array, y: Array) -> TrueResult:
    from verify.evaluate import xla
    from verify.reference.network import network_loss_of

    loss, layers = xla.evaluate_by_xla(network_loss_of(Spec(hidden=task.hidden)), params, x, y)
    tensors = [tensor for layer in layers for tensor in layer]
    allowed = [np.full_like(tensor, _sqrt_u(task.dtype) * abs(tensor).max()) for tensor in tensors]
    return TrueResult(float(loss), tensors, allowed, SCALED)


def _after_a_step(truth: TrueResult, params: list[Layer], task: Task) -> TrueResult:
    """The parameters after a step, ``before - learning_rate * gradient``, with its roundings."""
    u = float(np.finfo(task.dtype).eps) / 2
    before = [tensor for layer in params for tensor in layer]
    tensors, allowed = [], []
    for parameter, gradient, error in zip(before, truth.tensors, truth.allowed, strict=True):
        moved = task.learning_rate * gradient
        tensors.append(parameter - moved)
        # The rate, its product with the gradient and the difference are rounded; the mean may be taken here.
        allowed.append(task.learning_rate * error + 4 * u * abs(moved) + u * (abs(parameter) + abs(moved)))
    return TrueResult(truth.loss, tensors, allowed, truth.method)


def _sqrt_u(dtype: str) -> float:
    return float(np.sqrt(np.finfo(dtype).eps / 2))
