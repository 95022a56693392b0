"""The network that ships, as what the oracle judges: every activation and loss of `mlp_ref` with its Spec."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from mlp_ref import loss_and_gradient
from verify.reference.spec import Spec
from verify.subject.target import Target

SPECS = {
    (hidden, loss): Spec(hidden, output, row_loss, reduction)
    for hidden in ("sigmoid", "tanh", "relu", "identity")
    for loss, output, row_loss, reduction in (
        ("cross_entropy", "softmax", "cross_entropy", "mean"),
        ("softmax_mse", "softmax", "squared_error", "mean_all"),
        ("mse", "identity", "squared_error", "mean_all"),
    )
}
"""What the names of `mlp_ref` (hidden, loss) mean in the oracle's terms."""


def mlp_ref_target(hidden: str = "sigmoid", loss: str = "cross_entropy") -> Target:
    """``mlp_ref.loss_and_gradient`` with its activation and loss chosen: its gradient and its loss value."""
    call = f"mlp_ref.loss_and_gradient(params, x, y, {hidden!r}, {loss!r})"
    source = f"import mlp_ref\ndef gradient(params, x, y):\n    return {call}[1]"
    both = partial(loss_and_gradient, hidden=hidden, loss=loss)
    return Target(_part(both, 1), _part(both, 0), f"mlp_ref {hidden}, {loss}", source)


def weighted_target(hidden: str, loss: str, l2: float) -> tuple[Target, Spec]:
    """``mlp_ref.loss_and_gradient`` with weights of rows and a penalty, and its Spec."""
    options = f"sample_weight=sample_weight, l2={l2!r}"
    call = f"mlp_ref.loss_and_gradient(params, x, y, {hidden!r}, {loss!r}, {options})"
    source = f"import mlp_ref\ndef gradient(params, x, y, sample_weight):\n    return {call}[1]"

    def both(params: Any, x: Any, y: Any, sample_weight: Any) -> tuple[Any, Any]:
        return loss_and_gradient(params, x, y, hidden, loss, sample_weight=sample_weight, l2=l2)

    name = f"mlp_ref {hidden}, {loss}, weighted, l2 {l2:g}"
    spec = replace(SPECS[hidden, loss], weights="rows", l2=l2)
    return Target(_part(both, 1), _part(both, 0), name, source), spec


def _part(both: Callable[..., tuple[Any, Any]], i: int) -> Callable[..., Any]:
    def part(*arrays: Any) -> Any:
        return both(*arrays)[i]

    return part


def all_mlp_ref_targets() -> Iterator[tuple[Target, Spec]]:
    """Every combination of activation and loss that `mlp_ref` has, with its Spec."""
    for (hidden, loss), spec in SPECS.items():
        yield mlp_ref_target(hidden, loss), spec


def places_of_mlp_ref_targets() -> Iterator[tuple[str, Spec]]:
    """Yield every combination as ``module:name``, by which `verify.load` finds it in any process, with its Spec."""
    for (hidden, loss), spec in SPECS.items():
        yield f"{__name__}:{hidden}_with_{loss}", spec


def __getattr__(name: str) -> Target:
    hidden, _, loss = name.partition("_with_")
    if (hidden, loss) not in SPECS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return mlp_ref_target(hidden, loss)
