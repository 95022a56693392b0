"""The oracle: JAX's derivative, with a derived bound for every entry, judges a hand-written gradient."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from verify.adapters import adapt
    from verify.assertions import assert_gradient
    from verify.case import Arrays, Case, cases
    from verify.checks import Target
    from verify.diagnose import Diagnosis, explain
    from verify.judge import Judgement
    from verify.oracle import check, examine
    from verify.report import Finding, Report
    from verify.spec import Spec
    from verify.target import load

__all__ = [
    "Arrays",
    "Case",
    "Diagnosis",
    "Finding",
    "Judgement",
    "Report",
    "Spec",
    "Target",
    "adapt",
    "assert_gradient",
    "cases",
    "check",
    "examine",
    "explain",
    "load",
]

# Where each name lives. It is imported on first use, so that `import verify` loads neither JAX nor Hypothesis.
_HOMES = {
    "Arrays": "verify.case",
    "Case": "verify.case",
    "Diagnosis": "verify.diagnose",
    "Finding": "verify.report",
    "Judgement": "verify.judge",
    "Report": "verify.report",
    "Spec": "verify.spec",
    "Target": "verify.checks",
    "adapt": "verify.adapters",
    "assert_gradient": "verify.assertions",
    "cases": "verify.case",
    "check": "verify.oracle",
    "examine": "verify.oracle",
    "explain": "verify.diagnose",
    "load": "verify.target",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'verify' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
