"""A gradient that was recovered from a step of the parameters."""

from __future__ import annotations

from collections.abc import Sequence

from mlp_ref.params import Layer


class Recovered(list[Layer]):
    """A gradient that was not handed over but recovered from a step of the parameters: layers, with an error each.

    Parameters
    ----------
    layers
        (dweight, dbias) of every layer.
    error
        What the recovery may have added to each entry, of the shapes of ``layers``: it is added to the bounds.
    other
        The gradient recovered from a step with another learning rate, where there was one. An update that is
        not linear in the rate shows as a difference between the two.
    rates
        The learning rates of the two.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        error: Sequence[Layer],
        other: Recovered | None = None,
        rates: tuple[float, ...] = (),
    ) -> None:
        super().__init__(layers)
        self.error, self.other, self.rates = list(error), other, rates
