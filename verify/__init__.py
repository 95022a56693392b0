"""The oracle: JAX's derivative, with a derived bound for every entry, judges a hand-written gradient."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from verify.case.arrays import Arrays
    from verify.case.case import Case
    from verify.case.cases import cases
    from verify.case.layers.case import LayerCase
    from verify.checks.finding import Finding
    from verify.diagnosis.diagnose import Diagnosis, explain
    from verify.oracle.assertion import assert_gradient
    from verify.oracle.backward import check_backward, examine_backward
    from verify.oracle.check import check, examine
    from verify.oracle.report import Report
    from verify.oracle.sweep.sweep import sweep
    from verify.reference.judge import Judgement
    from verify.reference.spec import Spec
    from verify.subject.adapt import adapt
    from verify.subject.external_program import Program
    from verify.subject.layers.frameworks import jax_layer, torch_layer
    from verify.subject.layers.objects import layer_object
    from verify.subject.load import load
    from verify.subject.target import Target

__all__ = [
    "Arrays",
    "Case",
    "Diagnosis",
    "Finding",
    "Judgement",
    "LayerCase",
    "Program",
    "Report",
    "Spec",
    "Target",
    "adapt",
    "assert_gradient",
    "cases",
    "check",
    "check_backward",
    "examine",
    "examine_backward",
    "explain",
    "jax_layer",
    "layer_object",
    "load",
    "sweep",
    "torch_layer",
]

# Where each name lives. It is imported on first use, so that `import verify` loads neither JAX nor Hypothesis.
_HOMES = {
    "Arrays": "verify.case.arrays",
    "Case": "verify.case.case",
    "Diagnosis": "verify.diagnosis.diagnose",
    "Finding": "verify.checks.finding",
    "Judgement": "verify.reference.judge",
    "LayerCase": "verify.case.layers.case",
    "Program": "verify.subject.external_program",
    "Report": "verify.oracle.report",
    "Spec": "verify.reference.spec",
    "Target": "verify.subject.target",
    "adapt": "verify.subject.adapt",
    "assert_gradient": "verify.oracle.assertion",
    "cases": "verify.case.cases",
    "check": "verify.oracle.check",
    "check_backward": "verify.oracle.backward",
    "examine": "verify.oracle.check",
    "examine_backward": "verify.oracle.backward",
    "explain": "verify.diagnosis.diagnose",
    "jax_layer": "verify.subject.layers.frameworks",
    "layer_object": "verify.subject.layers.objects",
    "load": "verify.subject.load",
    "sweep": "verify.oracle.sweep.sweep",
    "torch_layer": "verify.subject.layers.frameworks",
}


def __getattr__(name: str) -> Any:
    if name == "mistakes":
        return import_module("verify.diagnosis.mistakes")
    if name not in _HOMES:
        raise AttributeError(f"module 'verify' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
