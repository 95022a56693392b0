"""A network with a reading: calls of it in our conventions."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mlp_ref.params import Layer
from verify.evaluate.array import Array
from verify.reference.tensors import tensor_names
from verify.reference.truth import Gradient, GradientFunction
from verify.subject.adapt import recovery
from verify.subject.adapt.description import Description
from verify.subject.adapt.reading import Reading, reading_shapes
from verify.subject.adapt.slots import Slot, slots
from verify.subject.failed import Failed
from verify.subject.recovered import Recovered

Networks = Callable[[Sequence[Layer]], Any]
"""A source of networks for parameters of given shapes: a new one each time, or one that is kept."""


class AdaptedNetwork:
    """A described network, as ``gradient(params, x, y)``, ``loss(params, x, y)`` and ``forward(params, x)``.

    Parameters
    ----------
    described
        What the user said.
    reading
        The conventions.
    sums
        Whether single samples add up to the batch, or average to it.
    """

    def __init__(self, described: Description, reading: Reading, sums: bool) -> None:
        self.described, self.reading, self.sums = described, reading, sums

    def gradient(self, params: Sequence[Layer], x: Array, y: Array) -> Gradient:
        """The gradient, by a network made for this call."""
        return self._gradient(self._new, params, x, y)

    def session(self) -> GradientFunction:
        """A gradient function whose calls share one network, as long as the layer sizes stay the same."""
        return functools.partial(self._gradient, self._kept())

    def loss(self, params: Sequence[Layer], x: Array, y: Array) -> Any:
        """The loss, by a network made for this call."""
        assert self.described.loss is not None
        values = [
            self.described.loss(self._prepared(self._new, params)[0], *part)
            for part in self.reading.batches(x, y)
        ]
        return values[0] if len(values) == 1 else sum(values) / self._divisor(len(values))

    def forward(self, params: Sequence[Layer], x: Array) -> Any:
        """The outputs, by a network made for this call."""
        assert self.described.forward is not None
        network, _ = self._prepared(self._new, params)
        return self.reading.outputs(
            [self.described.forward(network, *part) for part in self.reading.batches(x)]
        )

    def first_result(self, params: Sequence[Layer], x: Array, y: Array) -> tuple[list[Any], list[Any]] | Any:
        """Return what one call returned, or the tensors that the user's names lead to: what inference looks at."""
        assert self.described.call is not None
        network, _ = self._prepared(self._new, params)
        result = self.described.call(network, *next(self.reading.batches(x, y)))
        return self._named(network, result, len(params)) if self.described.gradients is not None else result

    def _new(self, params: Sequence[Layer]) -> Any:
        return self.described.make([len(params[0].weight), *(len(layer.bias) for layer in params)])

    def _kept(self) -> Networks:
        kept: dict[tuple[int, ...], Any] = {}

        def network(params: Sequence[Layer]) -> Any:
            sizes = (len(params[0].weight), *(len(layer.bias) for layer in params))
            if sizes not in kept:
                kept[sizes] = self._new(params)
            return kept[sizes]

        return network

    def _gradient(self, networks: Networks, params: Sequence[Layer], x: Array, y: Array) -> Gradient:
        one = self._returned if self.described.update is None else self._stepped
        parts = [one(networks, params, *part) for part in self.reading.batches(x, y)]
        if not self.reading.samples.startswith("single"):
            return parts[0]
        divisor = self._divisor(len(parts))
        recovered = [part for part in parts if isinstance(part, Recovered)]
        if recovered:
            return recovery.recovered_mean(recovered, divisor)
        return [
            Layer(*(sum(t[1:], start=t[0]) / divisor for t in zip(*layer, strict=True)))
            for layer in zip(*parts, strict=True)
        ]

    def _divisor(self, samples: int) -> int:
        return 1 if self.sums else samples

    def _returned(self, networks: Networks, params: Sequence[Layer], x: Any, y: Any) -> Gradient:
        assert self.described.call is not None
        network, given = self._prepared(networks, params)
        result = self.described.call(network, x, y)
        if self.described.gradients is not None:
            tensors = self._named(network, result, len(params))
        else:
            try:
                tensors = self.reading.taken_apart(result, len(params))
            except ValueError as error:
                weights, biases = self.reading.tensors(params)
                wanted = reading_shapes(list(zip(weights, biases, strict=True)) if biases else weights)
                raise ValueError(f"{error}; wanted are {wanted}, or the same in lists") from error
        self._require_kept(
            network, given, "inputs", "the call changed the {} of the network, which it was to differentiate"
        )
        stored = self.described.gradients is not None and result is None
        gradient = self.reading.layers(*tensors)
        self._require_apart(network, gradient)
        # What a network stores is its own to overwrite; what it returns is not.
        return [Layer(*(np.array(tensor) for tensor in layer)) for layer in gradient] if stored else gradient

    def _stepped(self, networks: Networks, params: Sequence[Layer], x: Any, y: Any) -> Recovered:
        assert self.described.update is not None
        found: Recovered | None = None
        for rate in reversed(self.described.learning_rates):
            network, _ = self._prepared(networks, params)
            self.described.update(network, x, y, rate)
            after = self.reading.layers(*self._tensors(network, len(params)))
            before = self.reading.layers(*self.reading.tensors(params))
            found = recovery.recovered_gradient(before, after, rate, found)
        assert found is not None
        return found

    def _prepared(self, networks: Networks, params: Sequence[Layer]) -> tuple[Any, list[Array]]:
        """A network that holds the parameters, and what was set, to compare with later."""
        network = networks(params)
        weights, biases = self.reading.tensors(params)
        in_place = self.reading.assignment == "in_place"
        for place, array in zip(self._places(network, len(params)), weights + biases, strict=True):
            place.put(array.copy(), in_place)
        given = weights + biases
        self._require_kept(
            network,
            given,
            "parameters",
            "the {} was set, and is another when read: the network keeps it otherwise",
        )
        return network, given

    def _places(self, network: Any, count: int) -> list[Slot]:
        weights = slots(network, self.described.weights, count, "weights")
        if self.described.biases is None:
            return weights
        return weights + slots(network, self.described.biases, count, "biases")

    def _tensors(self, network: Any, count: int) -> tuple[list[Any], list[Any]]:
        found = [place.get() for place in self._places(network, count)]
        return found[:count], found[count:]

    def _named(self, network: Any, result: Any, count: int) -> tuple[list[Any], list[Any]]:
        assert self.described.gradients is not None
        holder = network if result is None else result
        found = [
            [place.get() for place in slots(holder, path, count, "gradients")]
            for path in self.described.gradients
        ]
        return found[0], (found[1] if len(found) > 1 else [])

    def _require_kept(self, network: Any, given: list[Array], check: str, detail: str) -> None:
        """Fail a check where the network's parameters are not what was set, to the bit."""
        count = len(given) if self.described.biases is None else len(given) // 2
        weights, biases = tensor_names(count)[::2], tensor_names(count)[1::2]
        names = weights if self.described.biases is None else weights + biases
        for name, array, place in zip(names, given, self._places(network, count), strict=True):
            now = np.asarray(place.get())
            if now.shape == array.shape and np.array_equal(now, array, equal_nan=True):
                continue
            if now.dtype != array.dtype and np.array_equal(now, array.astype(now.dtype)):
                raise Failed(
                    "parameters",
                    "imprecise",
                    f"the network keeps the {name} in {now.dtype}: {array.dtype} numbers were rounded as they were set "
                    f"(dtypes=('{now.dtype}',) judges {now.dtype} alone)",
                )
            raise Failed(check, "wrong", detail.format(name))

    def _require_apart(self, network: Any, gradient: Gradient) -> None:
        names = tensor_names(len(gradient))
        kept = [np.asarray(place.get()) for place in self._places(network, len(gradient))]
        for name, tensor in zip(names, (tensor for layer in gradient for tensor in layer), strict=True):
            if any(np.may_share_memory(tensor, array) and np.shares_memory(tensor, array) for array in kept):
                detail = f"the gradient of the {name} shares memory with a parameter of the network"
                raise Failed("aliasing", "wrong", detail)
