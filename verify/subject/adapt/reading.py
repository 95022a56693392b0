"""A reading: how a network's arrays, batches and gradients are to be understood, and the way there and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlp_ref.params import Layer
from verify.evaluate.array import Array

ORIENTATIONS = {"in_out": "weights (in, out)", "out_in": "weights (out, in)"}
BIASES = {
    "flat": "biases (n,)",
    "row": "biases (1, n)",
    "column": "biases (n, 1)",
    "none": "no biases",
    "folded_last": "biases folded into the weights, last",
    "folded_first": "biases folded into the weights, first",
}
SAMPLES = {
    "rows": "samples in rows",
    "columns": "samples in columns",
    "single": "one sample (n,) at a time",
    "single_column": "one sample (n, 1) at a time",
    "single_row": "one sample (1, n) at a time",
}
LABELS = {
    "rows": "targets as rows",
    "integer": "targets as integers",
    "one_hot": "targets as one-hot rows",
    "soft": "targets as distributions",
    "binary": "targets of zeros and ones",
    "probability": "targets between 0 and 1",
    "real": "targets of any numbers",
}
EACH = {"mean": "gradients for each sample, averaged", "sum": "gradients for each sample, added up"}
ASSIGNMENTS = {"replace": "parameters replaced", "in_place": "parameters set in place"}
FORMS = {
    "pairs": "gradients as (dweight, dbias) pairs",
    "lists": "gradients as (dweights, dbiases)",
    "biases_first": "gradients as (dbiases, dweights)",
    "flat": "gradients as dweight, dbias, dweight, ...",
    "weights": "gradients as dweights",
    "named": "",
}
"""How a call's result is to be taken apart; ``named``: by the paths that the user gave."""


@dataclass(frozen=True)
class Reading:
    """Conventions of a network, each a name from the tables above.

    ``ones``: the network expects the 1 that meets folded biases to be part of x. ``backwards``: it lists gradients
    from the last layer to the first. ``each``: it returns a gradient for each sample, along a first axis; a name from
    `EACH` says how they make the batch's, and nothing that there is no such axis.
    """

    orientation: str = "in_out"
    bias: str = "flat"
    samples: str = "rows"
    labels: str = "rows"
    assignment: str = "replace"
    ones: bool = False
    form: str = "pairs"
    backwards: bool = False
    each: str = ""

    @property
    def folded(self) -> bool:
        """Tell whether biases are a row (or a column) of the weights."""
        return self.bias.startswith("folded")

    def tensors(self, params: Sequence[Layer]) -> tuple[list[Array], list[Array]]:
        """Fresh weights and biases in the network's conventions; no biases where it keeps none apart."""
        weights, biases = [], []
        for weight, bias in params:
            if self.bias == "folded_last":
                weight = np.concatenate([weight, bias[np.newaxis]])
            elif self.bias == "folded_first":
                weight = np.concatenate([bias[np.newaxis], weight])
            weights.append(np.array(weight if self.orientation == "in_out" else weight.T, order="C"))
            if self.bias in ("flat", "row", "column"):
                shape = {"flat": (-1,), "row": (1, -1), "column": (-1, 1)}[self.bias]
                biases.append(np.array(bias).reshape(shape))
        return weights, biases

    def layers(self, weights: Sequence[Any], biases: Sequence[Any]) -> list[Layer]:
        """Tensors in the network's conventions, as layers in ours.

        Folded biases are taken out; where there are none they are zeros. A bias of n numbers in any shape is (n,);
        what has an unexpected shape stays as it is, for the check of shapes to name.
        """
        found = []
        if self.each:
            weights, biases = (
                [getattr(np.asarray(t), self.each)(axis=0) for t in kind] for kind in (weights, biases)
            )
        for i, tensor in enumerate(weights):
            weight = np.asarray(tensor)
            if self.orientation == "out_in" and weight.ndim == 2:
                weight = weight.T
            if self.folded and weight.ndim == 2:
                first = self.bias == "folded_first"
                bias, weight = weight[0 if first else -1], weight[1:] if first else weight[:-1]
            elif self.bias == "none":
                bias = np.zeros(weight.shape[-1:], dtype=weight.dtype)
            else:
                bias = np.asarray(biases[i])
                if bias.ndim == 2 and 1 in bias.shape and bias.size == weight.shape[-1]:
                    bias = bias.reshape(-1)
            found.append(Layer(weight, bias))
        return found

    def batches(self, x: Array, y: Array | None = None) -> Iterator[tuple[Any, ...]]:
        """The calls that a batch x (batch, n_in), y (batch, n_out) or (batch,) takes: one, or one a sample."""
        if self.ones:
            one = np.ones((len(x), 1), dtype=x.dtype)
            x = np.concatenate([one, x] if self.bias == "folded_first" else [x, one], axis=1)
        if not self.samples.startswith("single"):
            both = (x,) if y is None else (x, y)
            yield tuple(array.T if self.samples == "columns" else array for array in both)
            return
        shape = {"single": (-1,), "single_row": (1, -1), "single_column": (-1, 1)}[self.samples]
        for i in range(len(x)):
            sample = x[i].reshape(shape)
            if y is None:
                yield (sample,)
            else:
                yield sample, (int(y[i]) if y.ndim == 1 else y[i].reshape(shape))

    def outputs(self, results: Sequence[Any]) -> Any:
        """The results of a forward pass, one a call, as (batch, n_out)."""
        if self.samples.startswith("single"):
            return np.stack([np.asarray(result).reshape(-1) for result in results])
        return np.asarray(results[0]).T if self.samples == "columns" else results[0]

    def taken_apart(self, result: Any, count: int) -> tuple[list[Any], list[Any]]:
        """The weights' gradients and the biases', first layer first, from what a call returned.

        Raises
        ------
        ValueError
            When the result does not have this reading's form.
        """
        if result is None:
            raise ValueError("the call returned None: name where the gradients are stored (gradients=)")
        try:
            weights, biases = self._parts(
                list(result.values()) if isinstance(result, Mapping) else _without_scalars(list(result))
            )
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"the call's result is not {FORMS[self.form]}; it has the shapes {reading_shapes(result)}"
            ) from error
        if len(weights) != count or len(biases) not in (0, count):
            raise ValueError(
                f"the call's result holds {len(weights)} layers; the network has {count}; "
                f"it has the shapes {reading_shapes(result)}"
            )
        return (weights[::-1], biases[::-1]) if self.backwards else (weights, biases)

    def _parts(self, items: list[Any]) -> tuple[list[Any], list[Any]]:
        if self.form == "weights":
            return items, []
        if self.form in ("lists", "biases_first"):
            first, second = (list(item) for item in items)
            return (first, second) if self.form == "lists" else (second, first)
        pairs = [tuple(pair) for pair in items] if self.form == "pairs" else []
        if self.form == "flat":
            pairs = list(zip(items[::2], items[1::2], strict=True))
        return [weight for weight, _ in pairs], [bias for _, bias in pairs]


def _without_scalars(items: list[Any]) -> list[Any]:
    """Return what is beside a loss: the items that are no single numbers, or what is in the one that is none."""
    kept = [item for item in items if not (np.isscalar(item) or getattr(item, "shape", None) == ())]
    if len(kept) == len(items) or len(kept) != 1:
        return kept
    return list(kept[0].values()) if isinstance(kept[0], Mapping) else list(kept[0])


def reading_shapes(result: Any, depth: int = 3) -> str:
    """The shapes of the arrays in a result, as they are nested: ``[((3, 4), (4,)), ((4, 2), (2,))]``."""
    if hasattr(result, "shape"):
        return str(tuple(result.shape)) if result.shape else "a number"
    if np.isscalar(result):
        return "a number" if not isinstance(result, str) else "a text"
    if isinstance(result, Mapping) and depth:
        return (
            "{" + ", ".join(f"{key}: {reading_shapes(item, depth - 1)}" for key, item in result.items()) + "}"
        )
    if isinstance(result, (list, tuple)) and depth:
        inside = ", ".join(reading_shapes(item, depth - 1) for item in result[:8]) + (
            ", ..." if len(result) > 8 else ""
        )
        return f"[{inside}]" if isinstance(result, list) else f"({inside})"
    return type(result).__name__
