"""A gradient function under test, with all that is known of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from mlp_ref.params import Layer
from verify.evaluate.array import Array
from verify.reference.spec import Spec
from verify.reference.truth import GradientFunction, SpecLike


class TargetError(ValueError):
    """A target that cannot be used: no such file or name, an error in its code, or nothing that can be called."""


@dataclass(frozen=True)
class Target:
    """The function under test, with all that is known of it.

    Parameters
    ----------
    gradient
        ``gradient(params, x, y) -> [(dweight, dbias), ...]``.
    loss
        ``loss(params, x, y) -> float``, judged too where given.
    name
        What it is called, in reports and in the lines that reproduce a finding.
    source
        Lines of Python that bring it into scope under this name.
    forward
        ``forward(params, x) -> (batch, n_out)``, the outputs after the output activation, judged too where given.
    session
        Where each call of ``gradient`` uses a network of its own: ``session()`` is a gradient function whose
        calls share one. The checks that call twice use it, since state is what they look for.
    spec
        What it is the gradient of, where nothing else is said.
    biases
        Whether its network has biases.
    layers
        The one number of layers that it can have; None where it can have any.
    labels, dtypes
        What it takes: see `verify.cases`. None: every dtype.
    notes
        What was inferred about it, for the report.
    """

    gradient: GradientFunction
    loss: Callable[[list[Layer], Array, Array], Any] | None = None
    name: str = "gradient"
    source: str = ""
    forward: Callable[[list[Layer], Array], Any] | None = None
    session: Callable[[], GradientFunction] | None = None
    spec: SpecLike | None = None
    biases: bool = True
    layers: int | None = None
    labels: str = "rows"
    dtypes: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()

    def judged_as(self, spec: SpecLike | None) -> SpecLike:
        """Return the spec that it is judged by: what is asked for, else its own, else the default one."""
        chosen = spec if spec is not None else self.spec if self.spec is not None else Spec()
        return replace(chosen, biases=False) if isinstance(chosen, Spec) and not self.biases else chosen
