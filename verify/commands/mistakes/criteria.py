"""Other ways of checking a gradient, run on the same mistakes and the same cases.

Every criterion is used as its documentation shows it, with its default tolerances where it has any.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mlp_ref.params import Layer
from verify.case.case import Case
from verify.diagnosis.mistakes.mistake import GradientOf
from verify.diagnosis.mistakes.right_backprop import RIGHT, backprop_forward, right_divisor, right_output
from verify.evaluate.array import Array
from verify.reference.spec import Spec
from verify.reference.tensors import layers_of_tensors
from verify.reference.truth import Truth, tensors_of

Criterion = Callable[[GradientOf, Spec, Case], bool]
"""``criterion(gradient, spec, case)``: whether it accepts the gradient on a case. What it raises is a rejection."""

STEP, THRESHOLD = 1e-6, 1e-5
"""Of the plain finite difference: the step, and the relative difference of norms from which it rejects."""


def loss_for_criteria(spec: Spec, params: list[Layer], x: Array, y: Array) -> float:
    """The loss for the criteria, in plain NumPy: the function that a finite difference probes."""
    net = backprop_forward(RIGHT, spec, params, x, y)
    z = net.z[-1]
    if spec.loss == "cross_entropy":
        top = z.max(axis=1, keepdims=True)
        total = (y * (top + np.log(np.exp(z - top).sum(axis=1, keepdims=True)) - z)).sum()
    elif spec.loss == "binary_cross_entropy":
        total = (np.maximum(z, 0) + np.log1p(np.exp(-abs(z))) - y * z).sum()
    else:
        total = ((right_output(net) - y) ** 2).sum()
    penalty = sum(0.5 * spec.l2 * (weight**2).sum() for weight, _ in params)
    return float(total / right_divisor(spec, len(y), y.shape[1]) + penalty)


def _function(spec: Spec, case: Case) -> tuple[Callable[..., float], list[Array], Array, Array]:
    """The loss as a function of the parameters' tensors, and what it is called with."""
    params, x, y, *_ = case.arrays()
    return (
        (lambda *tensors: loss_for_criteria(spec, layers_of_tensors(tensors), x, y)),
        tensors_of(params),
        x,
        y,
    )


def _finite_difference(gradient: GradientOf, spec: Spec, case: Case) -> bool:
    """Central differences; ``norm(a - n) / (norm(a) + norm(n))`` of the whole gradient, as courses teach it."""
    function, tensors, x, y = _function(spec, case)
    analytic = np.concatenate([t.ravel() for t in tensors_of(gradient(layers_of_tensors(tensors), x, y))])
    numeric = []
    for tensor in tensors:
        for index in np.ndindex(tensor.shape):
            kept = tensor[index]
            tensor[index] = kept + STEP
            above = function(*tensors)
            tensor[index] = kept - STEP
            below = function(*tensors)
            tensor[index] = kept
            numeric.append((above - below) / (2 * STEP))
    expected = np.array(numeric)
    difference = np.linalg.norm(analytic - expected)
    return bool(difference <= THRESHOLD * (np.linalg.norm(analytic) + np.linalg.norm(expected)))


def _allclose(gradient: GradientOf, spec: Spec, case: Case) -> bool:
    """``np.allclose`` with JAX's gradient, default tolerances."""
    truth = Truth.of(spec, case.inputs(), case.dtype)
    return all(
        np.allclose(got, value)
        for got, (value, _) in zip(tensors_of(gradient(*case.arrays())), truth.tensors, strict=True)
    )


def _jax_check_vjp(gradient: GradientOf, spec: Spec, case: Case) -> bool:
    """``jax.test_util.check_vjp``, default tolerances: one random direction a call."""
    import jax
    from jax.test_util import check_vjp

    function, tensors, x, y = _function(spec, case)

    def plain(*values: Any) -> Array:
        return np.asarray(function(*map(np.asarray, values)))

    def with_gradient(*values: Any) -> tuple[Array, Callable[[Any], tuple[Array, ...]]]:
        made = tensors_of(gradient(layers_of_tensors([np.array(value) for value in values]), x, y))
        return plain(*values), lambda ct: tuple(float(ct) * tensor for tensor in made)

    with jax.enable_x64(True):
        check_vjp(plain, with_gradient, tuple(tensors))  # type: ignore[no-untyped-call]
    return True


def _torch_gradcheck(gradient: GradientOf, spec: Spec, case: Case) -> bool:
    """``torch.autograd.gradcheck`` of a custom Function, default tolerances."""
    import torch

    function, tensors, x, y = _function(spec, case)

    class Custom(torch.autograd.Function):  # type: ignore[misc,unused-ignore]
        @staticmethod
        def forward(ctx: Any, *values: Any) -> Any:
            ctx.save_for_backward(*values)
            return torch.tensor(function(*(value.detach().numpy() for value in values)), dtype=torch.float64)

        @staticmethod
        def backward(ctx: Any, *ct: Any) -> Any:
            values = [value.detach().numpy().copy() for value in ctx.saved_tensors]
            return tuple(
                ct[0] * torch.tensor(t) for t in tensors_of(gradient(layers_of_tensors(values), x, y))
            )

    inputs = [torch.tensor(tensor, requires_grad=True) for tensor in tensors]
    return bool(torch.autograd.gradcheck(Custom.apply, inputs))


CRITERIA: dict[str, Criterion] = {
    "np.allclose": _allclose,
    "finite difference": _finite_difference,
    "jax check_vjp": _jax_check_vjp,
    "torch gradcheck": _torch_gradcheck,
}


def installed_criteria() -> dict[str, Criterion]:
    """The criteria that can be run here."""
    try:
        import torch  # noqa: F401
    except ImportError:
        return {name: criterion for name, criterion in CRITERIA.items() if not name.startswith("torch")}
    return dict(CRITERIA)


def criterion_rejects(criterion: Criterion, gradient: GradientOf, spec: Spec, cases: list[Case]) -> bool:
    """Tell whether a criterion rejects a gradient on some case."""
    for case in cases:
        try:
            with np.errstate(all="ignore"):
                if not criterion(gradient, spec, case):
                    return True
        except Exception:  # whatever it raises, its user is told that something is wrong
            return True
    return False
