"""The case that a string of bytes chooses, and the Hypothesis strategy of cases."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

from verify.case.case import DTYPES, FORMATS, LAYOUTS, REGIMES, Case, labels_of_case
from verify.case.chooser import CaseChooser
from verify.reference.spec import Spec

_SIZES = (2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32)
"""Widths and batches."""


_WIDE = range(33, 65)


_LAYERS = (1, 2, 3)


_DEEP = (5, 6, 7, 8)


FEWEST_DEEP = min(_DEEP)
"""The fewest layers of a deep network."""


def _case(
    choices: bytes,
    regimes: tuple[str, ...],
    dtypes: tuple[str, ...],
    layouts: tuple[str, ...],
    targets: str,
    kinds: tuple[str, str],
    layers: int | None,
    weights: bool,
) -> Case:
    """The case that some bytes choose: each stands for one choice, and 0 for the simplest.

    A byte means the same in every regime, so that a failing case can be simplified to another regime.
    """
    of_regime, of_dtype, of_layout, of_depth, of_batch, *of_widths = choices[:-_SEED]
    regime, dtype = _one_of(regimes, of_regime), _one_of(dtypes, of_dtype)
    batch = _one_of(_SIZES, of_batch)
    drawn_depth = _one_of(_DEEP if regime == "deep" else _LAYERS, of_depth)
    depth = layers if layers is not None else 1 if regime == "no_hidden" else drawn_depth
    sizes = [_one_of(_SIZES, width) for width in of_widths[: depth + 1]]
    of_place = of_widths[-1]  # a width of the deepest networks alone
    if regime == "batch_1":
        batch = 1
    elif regime == "deep":
        sizes = [min(n, 6) for n in sizes]
    elif regime == "width_1":
        # A softmax over one class is 1 whatever the parameters: its gradient is 0 and shows nothing.
        sizes[
            _one_of(
                range(depth if targets == "distribution" or kinds[0] in _CLASSES else depth + 1), of_place
            )
        ] = 1
    elif regime == "wide":
        place = _one_of(range(depth + 1), of_place)
        sizes[place] = _one_of(_WIDE, of_widths[place])
    labels = kinds[regime == "soft_labels"]
    layout = _one_of(layouts, of_layout)
    return Case(tuple(sizes), batch, dtype, regime, labels, layout, int.from_bytes(choices[-_SEED:]), weights)


_CLASSES = ("integer", "one_hot", "soft")
"""Labels that speak of classes, of which there are two at least."""


_SEED = 3
"""The bytes of a seed."""


def _one_of(options: Sequence[Any], choice: int) -> Any:
    return options[choice % len(options)]


def cases(
    spec: Spec | Callable[..., Any] | None = None,
    *,
    regimes: Sequence[str] = tuple(REGIMES),
    dtypes: Sequence[str] = DTYPES,
    layouts: Sequence[str] = LAYOUTS,
    labels: str = "rows",
    layers: int | None = None,
) -> st.SearchStrategy[Case]:
    """A Hypothesis strategy of Cases, which shrinks towards small ordinary float64 networks.

    Parameters
    ----------
    spec
        What the targets must suit; the default Spec when not given. A user's JAX loss gets distributions.
    regimes, dtypes, layouts
        What may be drawn: names from ``REGIMES``, ``FORMATS`` and ``LAYOUTS``.
    labels
        ``rows``: y is (batch, n_out), of whatever suits the loss. Or one kind alone, where the loss is defined for
        it: ``integer`` (class labels, y is (batch,)), ``one_hot``, ``soft``, ``binary``, ``probability``, ``real``.
    layers
        The number of layers of every case; regimes that need another are not drawn. Not given: from 1 to 8.

    Raises
    ------
    ValueError
        When a name is unknown or a list is empty.
    """
    return case_chooser(
        spec, regimes=regimes, dtypes=dtypes, layouts=layouts, labels=labels, layers=layers
    ).strategy


def case_chooser(
    spec: Spec | Callable[..., Any] | None = None,
    *,
    regimes: Sequence[str] = tuple(REGIMES),
    dtypes: Sequence[str] = DTYPES,
    layouts: Sequence[str] = LAYOUTS,
    labels: str = "rows",
    layers: int | None = None,
) -> CaseChooser[Case]:
    """Return what chooses the cases: see `cases`, whose arguments and errors these are."""
    for name, given, known in (
        ("regimes", regimes, REGIMES),
        ("dtypes", dtypes, FORMATS),
        ("layouts", layouts, LAYOUTS),
    ):
        if isinstance(given, str) or not given or any(item not in known for item in given):
            raise ValueError(f"{name} must be a non-empty list from {', '.join(known)}; got {given!r}")
    targets = spec.targets if isinstance(spec, Spec) else "distribution"
    kinds = labels_of_case(targets, labels)
    if layers is not None and (isinstance(layers, bool) or not isinstance(layers, int) or layers < 1):
        raise ValueError(f"layers must be a positive integer; got {layers!r}")
    possible = suitable_regimes(regimes, labels=labels, layers=layers)
    if not possible:
        raise ValueError(
            f"none of the regimes {', '.join(regimes)} is possible with labels={labels!r}, layers={layers}"
        )
    choose = functools.partial(
        _case,
        regimes=possible,
        dtypes=tuple(dtypes),
        layouts=tuple(layouts),
        targets=targets,
        kinds=kinds,
        layers=layers,
        weights=isinstance(spec, Spec) and spec.weighted,
    )
    return CaseChooser(5 + 1 + max(_DEEP[-1], layers or 0) + _SEED, choose)


def suitable_regimes(regimes: Sequence[str], *, labels: str, layers: int | None) -> tuple[str, ...]:
    """Return the regimes that are possible with these labels and this number of layers (None: any number)."""
    impossible = {"soft_labels"} if labels in ("integer", "one_hot", "binary") else set()
    if layers is not None:
        impossible |= {"no_hidden"} if layers > 1 else set()
        impossible |= {"deep"} if layers < FEWEST_DEEP else set()
    return tuple(regime for regime in regimes if regime not in impossible)
