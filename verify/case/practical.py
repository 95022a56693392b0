"""Networks as people train them: some of them are in every run, in each precision."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from verify.case.case import PRACTICAL, Case, labels_of_case
from verify.reference.spec import Spec

FIRST = ((784, 16, 16, 10), 32)
"""Layers and batch of the network that every run has, where the target can have three layers."""

OTHERS = (
    ((784, 10), 256),
    ((784, 32, 10), 100),
    ((784, 128, 10), 128),
    ((784, 128, 64, 10), 128),
    ((784, 300, 100, 10), 100),
    ((64, 256, 256, 10), 256),
    ((1024, 1024, 10), 80),
)
"""Layers and batch of those of which a run has one in each precision: more rows than any other case has."""


def practical_cases(
    spec: Spec | Callable[..., Any] | None,
    seed: int,
    *,
    dtypes: Sequence[str],
    labels: str = "rows",
    layers: int | None = None,
) -> list[Case]:
    """The networks of practical size that a run has: in each dtype the first, and one of the others.

    Parameters
    ----------
    spec
        What the targets must suit, as for `verify.cases`.
    seed
        Chooses the others, and fills the arrays.
    dtypes
        The precisions.
    labels
        As for `verify.cases`.
    layers
        The only number of layers that the target can have; None where it can have any.
    """
    kind, _ = labels_of_case(spec.targets if isinstance(spec, Spec) else "distribution", labels)
    weights = isinstance(spec, Spec) and spec.weighted
    choice = random.Random(f"{spec} {seed}")
    fitting = [
        [network for network in networks if layers in (None, len(network[0]) - 1)]
        for networks in ([FIRST], OTHERS)
    ]
    return [
        Case(sizes, batch, dtype, PRACTICAL, kind, "C", choice.randrange(2**24), weights)
        for dtype in dtypes
        for networks in fitting
        if networks
        for sizes, batch in [choice.choice(networks)]
    ]
