"""A backward pass under test, with all that is known of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from verify.evaluate.array import Array


class TargetReturned(NamedTuple):
    """The result that a target returned for a backward pass.

    ``outputs`` are the leaves of the forward pass's result, None where there is no forward pass; ``gradient`` is as
    the code returned it; ``again`` runs the backward pass once more on the same cache, where there is one.
    """

    outputs: list[Any] | None
    gradient: Any
    again: Callable[[], Any] | None = None


Run = Callable[[Mapping[str, Any], Mapping[str, Any], list[Array]], TargetReturned]
"""``run(inputs, options, cotangents)``: inputs and options by name, a cotangent for each leaf of the outputs."""


@dataclass(frozen=True)
class LayerTarget:
    """The function under test, with all that is known of it.

    Parameters
    ----------
    gradient
        One call.
    name
        What it is called, in reports and in the lines that reproduce a finding.
    source
        Lines of Python that bring it into scope.
    arguments
        The arguments of `verify.check_backward` that say how it is called, as Python, for these lines.
    session
        Where each run makes a new layer: ``session()`` is a Run whose calls share one.
    unit_cotangent
        Whether it takes no cotangent: the derivative of a number, with the cotangent 1.
    notes
        What was inferred about it, for the report.
    """

    gradient: Run
    name: str
    source: str = ""
    arguments: str = ""
    session: Callable[[], Run] | None = None
    unit_cotangent: bool = False
    notes: tuple[str, ...] = ()
