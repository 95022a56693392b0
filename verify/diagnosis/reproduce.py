"""Lines of Python that show a failure in a fresh interpreter, exact to the bit."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any

from verify.case.case import Case
from verify.reference.spec import Spec
from verify.reference.truth import SpecLike
from verify.subject.target import Target


def reproduction(target: Target, spec: SpecLike, case: Case, check: str) -> str:
    """The lines that put this one case to the target, once more."""
    name = target.name if target.name.isidentifier() else "gradient"
    if isinstance(spec, Spec):
        spec_line = f"spec = {reproducing_call(spec)}"
    else:
        spec_line = f"spec = {getattr(spec, '__name__', 'loss')}  # the JAX loss you gave"
    return "\n".join(
        [
            "import verify",
            *target.source.splitlines(),
            f"case = {reproducing_call(case)}",
            spec_line,
            f'print(verify.examine({name}, case, spec, check="{check}"))',
        ]
    )


def reproducing_call(value: Any) -> str:
    """A Case or a Spec as the shortest call that gives it: what is as by default is left out."""
    items = []
    positional = True
    for field in fields(value):
        item = getattr(value, field.name)
        if field.default is not MISSING and item == field.default:
            positional = False
            continue
        items.append(repr(item) if positional and field.default is MISSING else f"{field.name}={item!r}")
    return f"verify.{type(value).__name__}({', '.join(items)})"
