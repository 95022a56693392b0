"""The recipe of a layer's case: the sizes, options, dtype, regime, layout and seed of one call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import numpy.typing as npt

from verify.case.arrays import array_in_layout
from verify.case.layers.values import LayerArrays, fill_layer_values
from verify.evaluate.array import Array
from verify.reference.reference import Reference, Setting


@dataclass(frozen=True)
class LayerCase:
    """A recipe for one call of a layer's backward pass.

    Parameters
    ----------
    sizes
        A pair (symbol, size) for each symbol of the shapes.
    options
        A pair (name, value) for each option.
    dtype
        ``float64`` or ``float32``.
    regime
        One of ``verify.case.layers.values.REGIMES``.
    layout
        One of ``verify.case.case.LAYOUTS``.
    seed
        Fills the arrays.
    """

    sizes: tuple[tuple[str, int], ...]
    options: tuple[tuple[str, Any], ...] = ()
    dtype: str = "float64"
    regime: str = "ordinary"
    layout: str = "C"
    seed: int = 0

    def setting(self, reference: Reference) -> Setting:
        """The reference at the sizes and with the options of the case."""
        return reference.at(dict(self.sizes), dict(self.options))

    def arrays(self, reference: Reference) -> LayerArrays:
        """Fresh inputs and cotangents, in the layout of the case."""
        inputs, cotangents = fill_layer_values(self.setting(reference), self.dtype, self.regime, self.seed)
        return LayerArrays(
            {name: _laid_out(tree, self.layout) for name, tree in inputs.items()},
            [_laid_out(cotangent, self.layout) for cotangent in cotangents],
        )

    @property
    def extent(self) -> tuple[int, int]:
        """Return how large the case is, to compare it with others: the sum of its sizes."""
        return 0, sum(size for _, size in self.sizes)

    def described(self) -> str:
        """The sizes, options, dtype and layout in a few words."""
        sizes = " ".join(f"{symbol}={size}" for symbol, size in self.sizes)
        options = ", ".join(f"{name}={value}" for name, value in self.options)
        layout = f"{self.layout} inputs" if self.layout != "C" else ""
        return ", ".join(part for part in (sizes, options, self.dtype, layout) if part)


@dataclass(frozen=True)
class LayerCall:
    """One call of a backward pass: see `verify.case.case.Call`.

    Parameters
    ----------
    reference
        The function whose derivative it must return.
    case
        The recipe of the arrays.
    unit_cotangent
        Whether every cotangent is 1.
    """

    reference: Reference
    case: LayerCase
    unit_cotangent: bool = False

    @property
    def setting(self) -> Setting:
        """The reference at the sizes and with the options of the case."""
        return self.case.setting(self.reference)

    def arrays(self, dtype: npt.DTypeLike | None = None) -> LayerArrays:
        """Return fresh arrays, in the layout of the case; or copies in another ``dtype``, integers as they are."""
        arrays = self.case.arrays(self.reference)
        if self.unit_cotangent:
            arrays = arrays._replace(cotangents=[np.ones_like(cotangent) for cotangent in arrays.cotangents])
        if dtype is None or np.dtype(dtype) == np.dtype(self.case.dtype):
            return arrays

        def convert(leaf: Any) -> Any:
            return leaf.copy() if leaf.dtype.kind in "iu" else leaf.astype(dtype)

        return LayerArrays(
            {name: jax.tree.map(convert, tree) for name, tree in arrays.inputs.items()},
            [convert(cotangent) for cotangent in arrays.cotangents],
        )

    def inputs(self) -> list[Array]:
        """Return the same numbers as the reference's program takes them, in float64."""
        arrays, setting = self.arrays(), self.setting
        return setting.backward.inputs(tuple(arrays.inputs.values()), setting.cotangent(arrays.cotangents))


def _laid_out(tree: Any, layout: str) -> Any:
    if isinstance(tree, dict):
        return {key: _laid_out(item, layout) for key, item in tree.items()}
    if isinstance(tree, (list, tuple)):
        return type(tree)(_laid_out(item, layout) for item in tree)
    return array_in_layout(tree, layout) if tree.ndim else tree.copy()
