"""Derivatives of PyTorch and JAX as targets: an autograd.Function, a module's parameters, a custom rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from verify.reference.reference import Reference, Setting
from verify.subject.layers.functions import function_options_passed
from verify.subject.layers.own_options import options_reaching, require_options_known
from verify.subject.layers.target import LayerTarget, TargetReturned


@dataclass(frozen=True)
class TorchLayer:
    """A function of PyTorch tensors, differentiated by PyTorch: what `verify.torch_layer` returns."""

    function: Callable[..., Any]
    name: str

    def target(self, setting: Setting) -> LayerTarget:
        """The target that the function is, against a reference at some sizes."""
        reference = setting.reference
        import torch

        passed = function_options_passed(self.function, reference, "forward")
        reached = options_reaching(self.function, passed(reference.options))
        own = require_options_known(reference, [(self.name, reached)])

        def run(
            inputs: Mapping[str, Any], options: Mapping[str, Any], cotangents: list[Any]
        ) -> TargetReturned:
            tensors = {
                name: jax.tree.map(lambda array, name=name: self._tensor(array, name, reference), tree)
                for name, tree in inputs.items()
            }
            more, keywords = passed(options)
            result = self.function(*tensors.values(), *more, **keywords)
            found = list(result) if isinstance(result, (tuple, list)) else [result]
            wanted = [leaf for name in reference.differentiated for leaf in jax.tree.leaves(tensors[name])]
            weights = [torch.from_numpy(np.array(weight)) for weight in cotangents]
            gradients = torch.autograd.grad(found, wanted, weights, allow_unused=True, retain_graph=True)
            arrays = iter(
                [
                    np.zeros_like(leaf.detach().numpy()) if grad is None else grad.detach().numpy()
                    for leaf, grad in zip(wanted, gradients, strict=True)
                ]
            )
            gradient = {
                name: jax.tree.map(lambda _: next(arrays), tensors[name]) for name in reference.differentiated
            }
            return TargetReturned([output.detach().numpy() for output in found], gradient)

        return LayerTarget(run, self.name, notes=("differentiated by torch.autograd.grad", *own))

    def _tensor(self, array: Any, name: str, reference: Reference) -> Any:
        import torch

        tensor = torch.from_numpy(
            np.array(array, order="C")
        )  # PyTorch has no reversed and no read-only arrays
        return tensor.requires_grad_(name in reference.differentiated)


def torch_layer(function: Any) -> TorchLayer:
    """Say that a layer is PyTorch's, for `verify.check_backward`: its gradients are those of ``torch.autograd``.

    Parameters
    ----------
    function
        A ``torch.autograd.Function`` (its ``apply`` is called with the inputs, and then the options, in order), or
        any function of tensors, given the inputs in order and the options by name. For a ``torch.nn.Module``, a
        function that calls it with its parameters: ``lambda x, w, b: torch.func.functional_call(module,
        {"weight": w, "bias": b}, (x,))``.

    Raises
    ------
    TypeError
        When it is neither.
    """
    import torch

    if isinstance(function, type) and issubclass(function, torch.autograd.Function):
        apply: Any = getattr(function, "apply")  # noqa: B009 - it is untyped

        def called(*inputs: Any, **options: Any) -> Any:
            return apply(*inputs, *options.values())

        return TorchLayer(called, function.__name__)
    if not callable(function) or isinstance(function, type):
        raise TypeError(f"function must be an autograd.Function or a function of tensors; got {function!r}")
    return TorchLayer(function, getattr(function, "__name__", "torch_layer"))


@dataclass(frozen=True)
class JaxLayer:
    """A JAX function with a rule of its own, differentiated by ``jax.vjp``."""

    function: Callable[..., Any]
    name: str

    def target(self, setting: Setting) -> LayerTarget:
        """The target that the function is, against a reference at some sizes."""
        reference = setting.reference
        passed = function_options_passed(self.function, reference, "cache")
        reached = options_reaching(self.function, passed(reference.options))
        own = require_options_known(reference, [(self.name, reached)])

        def run(
            inputs: Mapping[str, Any], options: Mapping[str, Any], cotangents: list[Any]
        ) -> TargetReturned:
            with jax.enable_x64(True), jax.default_device(jax.local_devices(backend="cpu")[0]):
                arrays = {name: jax.tree.map(jax.numpy.asarray, tree) for name, tree in inputs.items()}

                def of_floats(*differentiated: Any) -> Any:
                    chosen = dict(zip(reference.differentiated, differentiated, strict=True))
                    return self.function(*{**arrays, **chosen}.values(), **options)

                result, pullback = jax.vjp(of_floats, *(arrays[name] for name in reference.differentiated))
                leaves, structure = jax.tree.flatten(result)
                gradient = pullback(jax.tree.unflatten(structure, [jax.numpy.asarray(c) for c in cotangents]))
                found = [np.asarray(leaf) for leaf in leaves]
                return TargetReturned(
                    found, jax.tree.map(np.array, dict(zip(reference.differentiated, gradient, strict=True)))
                )

        return LayerTarget(run, self.name, notes=("differentiated by jax.vjp", *own))


def jax_layer(function: Callable[..., Any]) -> JaxLayer:
    """Say that a layer is a JAX function, with rules of its own, for `verify.check_backward`."""
    return JaxLayer(function, getattr(function, "__name__", "jax_layer"))
