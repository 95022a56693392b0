"""Who is measured: a table of the peers. Each library's are in a file of their own, which imports it.

A file offers functions of a `Task` of `verify.commands.bench.cells`. Each returns a function without arguments, which
does the task once, is done when it returns, and returns ``(loss, layers)``: the layers of the gradient or, after an
epoch, of the parameters; or None, where there is nothing to check. A prediction returns ``(0.0, [(classes,)])``. The
batch, the labels and the parameters are the same for everyone, and each peer is given them in the form that it handles
fastest.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from verify.commands.bench.task import Task

Step = Callable[[], Any]

OURS = "mlp_ref"
FLOOR = "products"


@dataclass(frozen=True)
class Peer:
    """A peer: one column of the results of the bench.

    Parameters
    ----------
    title
        What a reader sees.
    library
        The module that must be importable; ``numpy`` where nothing else is needed. Several are separated by spaces.
    source
        ``file:function`` in this package.
    install
        What ``pip install`` needs to be told.
    rows_at_most
        For an epoch that takes minutes: train on this many rows and scale the time up.
    """

    title: str
    library: str
    source: str
    install: str = ""
    rows_at_most: int | None = None

    @property
    def available(self) -> bool:
        """True where the library is installed."""
        return all(importlib.util.find_spec(name) is not None for name in self.library.split())

    def prepare(self, task: Task) -> Step:
        """The function that does the task once."""
        file, name = self.source.split(":")
        step: Step = getattr(importlib.import_module(f"verify.commands.bench.peers.{file}"), name)(task)
        return step


GRADIENTS = {
    OURS: Peer("net.loss_and_gradient", "numpy", "manual:gradient_of_a_network"),
    "mlp_ref_call": Peer("the function", "numpy", "manual:manual_gradient_call"),
    "workspace": Peer("in a workspace", "numpy", "manual:manual_gradient"),
    FLOOR: Peer("matrix products alone", "numpy", "manual:manual_products"),
    "jax_jit": Peer("JAX jit", "jax", "with_jax:gradient_with_jax"),
    "jax_sync": Peer("JAX jit, synchronous", "jax", "with_jax:gradient_synchronous_with_jax"),
    "jax_aot": Peer("JAX ahead of time", "jax", "with_jax:gradient_ahead_of_time_with_jax"),
    "jax_numpy": Peer("JAX, NumPy in and out", "jax", "with_jax:gradient_numpy_with_jax"),
    "torch": Peer("PyTorch eager", "torch", "with_torch:gradient_with_torch", "torch"),
    "autograd": Peer("HIPS autograd", "autograd", "with_autograd:gradient_with_autograd", "autograd"),
    "sklearn": Peer("scikit-learn", "sklearn", "with_sklearn:gradient_with_sklearn", "scikit-learn"),
}
"""Who computes a loss and its gradient."""

EPOCHS = {
    OURS: Peer("mlp_ref", "numpy", "manual:manual_epoch"),
    "gradients": Peer("gradients alone", "numpy", "manual:gradients_of_an_epoch"),
    "rows": Peer("rows alone", "numpy", "manual:rows_of_an_epoch"),
    "jax_step": Peer("JAX step loop", "jax", "with_jax:epoch_of_steps_with_jax"),
    "jax_scan": Peer("JAX scan", "jax", "with_jax:epoch_in_scan_with_jax"),
    "torch": Peer("PyTorch", "torch", "with_torch:epoch_with_torch", "torch"),
    "sklearn": Peer("scikit-learn", "sklearn", "with_sklearn:epoch_with_sklearn", "scikit-learn"),
    "notebook": Peer("the notebook's loop", "numpy", "manual:epoch_of_the_notebook", rows_at_most=2048),
}
"""Who trains for an epoch, after what an epoch is made of."""

PREDICTIONS = {
    OURS: Peer("net.predict", "numpy", "manual:manual_prediction"),
    "jax_jit": Peer("JAX jit", "jax", "with_jax:prediction_with_jax"),
    "jax_numpy": Peer("JAX, NumPy in and out", "jax", "with_jax:prediction_numpy_with_jax"),
    "torch": Peer("PyTorch eager", "torch", "with_torch:prediction_with_torch", "torch"),
    "sklearn": Peer("scikit-learn", "sklearn", "with_sklearn:prediction_with_sklearn", "scikit-learn"),
    "onnxruntime": Peer("ONNX Runtime", "onnx onnxruntime", "with_onnxruntime:prediction_with_onnxruntime"),
}
"""Who predicts the classes of a batch."""

KINDS = {"gradient": GRADIENTS, "epoch": EPOCHS, "prediction": PREDICTIONS}


class PeerUnsupported(Exception):
    """A peer cannot do a task; the message says why."""
