"""The Hypothesis strategy that draws a layer's cases, and simplifies those that fail to the smallest shapes."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import jax
from hypothesis import assume
from hypothesis import strategies as st

from verify.case.case import DTYPES, LAYOUTS
from verify.case.layers.case import LayerCase
from verify.case.layers.values import REGIMES
from verify.reference.derivative import CALLS_NUMPY
from verify.reference.reference import Reference
from verify.reference.shapes import Shape, shape_leaves

_SIZES = (1, 2, 3, 4, 5, 3, 4, 2, 6, 7)
"""Sizes in the order in which a failing case is simplified."""

_SEED = 3
"""The bytes of a seed."""


def layer_cases(
    reference: Reference,
    *,
    regimes: Sequence[str] = tuple(REGIMES),
    dtypes: Sequence[str] = DTYPES,
    layouts: Sequence[str] = LAYOUTS,
) -> st.SearchStrategy[LayerCase]:
    """A Hypothesis strategy of LayerCases, which shrinks towards sizes of 1, first options and ordinary values.

    Sizes and options at which the reference cannot be called are not drawn.

    Raises
    ------
    ValueError
        When a name is unknown or a list is empty.
    """
    for name, given, known in (
        ("regimes", regimes, REGIMES),
        ("dtypes", dtypes, DTYPES),
        ("layouts", layouts, LAYOUTS),
    ):
        if isinstance(given, str) or not given or any(item not in known for item in given):
            raise ValueError(f"{name} must be a non-empty list from {', '.join(known)}; got {given!r}")
    length = 3 + len(reference.symbols) + len(reference.options) + _SEED
    make = functools.partial(_case, reference, tuple(regimes), tuple(dtypes), tuple(layouts))

    @st.composite
    def cases(draw: Any) -> LayerCase:
        # One string of bytes, as in `verify.case.cases`: each stands for one choice, and 0 for the simplest.
        case = make(draw(st.binary(min_size=length, max_size=length)))
        assume(_possible(reference, case))
        return case

    return cases()


def _case(
    reference: Reference,
    regimes: tuple[str, ...],
    dtypes: tuple[str, ...],
    layouts: tuple[str, ...],
    choices: bytes,
) -> LayerCase:
    """The case that some bytes choose."""
    of_regime, of_dtype, of_layout, *rest = choices[:-_SEED]
    sizes = tuple(
        (symbol, _SIZES[choice % len(_SIZES)])
        for symbol, choice in zip(reference.symbols, rest, strict=False)
    )
    options = tuple(
        (name, _option(value, choice, dict(sizes)))
        for (name, value), choice in zip(reference.options.items(), rest[len(sizes) :], strict=True)
    )
    return LayerCase(
        sizes,
        options,
        dtypes[of_dtype % len(dtypes)],
        regimes[of_regime % len(regimes)],
        layouts[of_layout % len(layouts)],
        int.from_bytes(choices[-_SEED:]),
    )


def _option(value: Any, choice: int, sizes: dict[str, int]) -> Any:
    return Shape(value).at(sizes)[0] if isinstance(value, str) else value[choice % len(value)]


def _possible(reference: Reference, case: LayerCase) -> bool:
    """Tell whether the reference can be called at the sizes and with the options of a case, and gives any number."""
    return layer_case_refusal(reference, case.sizes, case.options) is None


@functools.lru_cache(maxsize=4096)
def layer_case_refusal(
    reference: Reference, sizes: tuple[tuple[str, int], ...], options: tuple[tuple[str, Any], ...]
) -> str | None:
    """The reason why the reference cannot be called at these sizes with these options; None where it can."""
    if any(0 in shape or min(shape, default=1) < 0 for shape in _shapes(reference, dict(sizes))):
        return "an input has no entry"
    try:
        setting = reference.at(dict(sizes), dict(options))
    except jax.errors.TracerArrayConversionError:
        return CALLS_NUMPY
    except Exception as error:  # whatever a person's function raises at sizes that do not suit it
        return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
    return None if all(0 not in shape for shape in setting.outputs) else "the result has no entry"


def _shapes(reference: Reference, sizes: dict[str, int]) -> list[tuple[int, ...]]:
    return [
        shape.at(sizes) for name, tree in reference.shapes.items() for _, shape in shape_leaves(tree, name)
    ]
