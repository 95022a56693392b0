"""The table of the peers, which are measured beside ours. Each library's are in a file of their own, which imports it.

A file offers functions of a `Task` of `verify.commands.bench.cells`. Each returns a function without arguments, which
does the task once, is done when it returns, and returns ``(loss, layers)``: the layers of the gradient or, after an
epoch, of the parameters; or None, where there is nothing to check. A prediction returns ``(0.0, [(classes,)])``. The
batch, the labels and the parameters are the same for everyone, and each peer is given them in the form that it handles
fastest.
"""

from __future__ import annotations

from verify.commands.bench.peers.peer import Peer

OURS = "mlp_ref"
PRODUCTS = ("products", "torch_products")
"""The matrix products of one gradient, with nothing between them: ours, and PyTorch's."""


GRADIENTS = {
    OURS: Peer("net.loss_and_gradient", "numpy", "manual:manual_gradient_of_network"),
    "mlp_ref_call": Peer("the function", "numpy", "manual:manual_gradient_call"),
    "workspace": Peer("in a workspace", "numpy", "manual:manual_gradient"),
    "products": Peer("matrix products alone", "numpy", "manual:manual_products"),
    "torch_products": Peer("PyTorch's products alone", "torch", "with_torch:products_with_torch", "torch"),
    "jax_jit": Peer("JAX jit", "jax", "with_jax:gradient_with_jax"),
    "jax_sync": Peer("JAX jit, synchronous", "jax", "with_jax:gradient_synchronous_with_jax"),
    "jax_aot": Peer("JAX ahead of time", "jax", "with_jax:gradient_ahead_of_time_with_jax"),
    "jax_numpy": Peer("JAX, NumPy in and out", "jax", "with_jax:gradient_numpy_with_jax"),
    "torch": Peer("PyTorch eager", "torch", "with_torch:gradient_with_torch", "torch"),
    "autograd": Peer("HIPS autograd", "autograd", "with_autograd:gradient_with_autograd", "autograd"),
    "sklearn": Peer("scikit-learn", "sklearn", "with_sklearn:gradient_with_sklearn", "scikit-learn"),
}
"""Peers that compute a loss and its gradient."""

EPOCHS = {
    OURS: Peer("mlp_ref", "numpy", "manual:manual_epoch"),
    "gradients": Peer("gradients alone", "numpy", "manual:manual_gradients_of_epoch"),
    "rows": Peer("rows alone", "numpy", "manual:manual_rows_of_epoch"),
    "jax_step": Peer("JAX step loop", "jax", "with_jax:epoch_of_steps_with_jax"),
    "jax_scan": Peer("JAX scan", "jax", "with_jax:epoch_in_scan_with_jax"),
    "torch": Peer("PyTorch", "torch", "with_torch:epoch_with_torch", "torch"),
    "sklearn": Peer("scikit-learn", "sklearn", "with_sklearn:epoch_with_sklearn", "scikit-learn"),
    "notebook": Peer("the notebook's loop", "numpy", "manual:manual_epoch_of_notebook", rows_at_most=2048),
}
"""Peers that train for an epoch, after the parts of our own epoch."""

PREDICTIONS = {
    OURS: Peer("net.predict", "numpy", "manual:manual_prediction"),
    "jax_jit": Peer("JAX jit", "jax", "with_jax:prediction_with_jax"),
    "jax_numpy": Peer("JAX, NumPy in and out", "jax", "with_jax:prediction_numpy_with_jax"),
    "torch": Peer("PyTorch eager", "torch", "with_torch:prediction_with_torch", "torch"),
    "sklearn": Peer("scikit-learn", "sklearn", "with_sklearn:prediction_with_sklearn", "scikit-learn"),
    "onnxruntime": Peer("ONNX Runtime", "onnx onnxruntime", "with_onnxruntime:prediction_with_onnxruntime"),
}
"""Peers that predict the classes of a batch."""

KINDS = {"gradient": GRADIENTS, "epoch": EPOCHS, "prediction": PREDICTIONS}
