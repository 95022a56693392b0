"""A set of mistakes as a hypothesis about what was observed: refuted by one entry outside its bound."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mlp_ref.params import Layer
from verify.case.case import Call
from verify.diagnosis.bounded import Bounded, bounded
from verify.diagnosis.mistakes.mistake import Mistake, compose_mistakes, wrong_gradient
from verify.diagnosis.mistakes.right_backprop import (
    RIGHT,
    BackpropNet,
    BackpropPieces,
    backprop_backward,
    backprop_forward,
)
from verify.diagnosis.observation import Observation, ObservedCall, Tensors, observed_same, observed_tensors
from verify.reference.judge import vacuous
from verify.reference.spec import Spec
from verify.reference.tensors import layers_of_tensors
from verify.reference.truth import Truth, tensors_of

Kinds = tuple[int, ...]
"""Which tensors of a layer: 0 for its weight, 1 for its bias."""

BOTH: Kinds = (0, 1)

# The pieces that the last layer's tensors do not depend on, for its bias and its weight.
_BELOW = frozenset({"back", "slope"})


@dataclass
class Evidence:
    """The observations of a gradient function, and what has been computed about them, shared by all hypotheses."""

    spec: Spec
    observations: list[Observation]
    _inputs: dict[Call, list[Bounded]] = field(default_factory=dict)
    _deltas: dict[Any, Any] = field(default_factory=dict)
    _nets: dict[Any, BackpropNet] = field(default_factory=dict)
    _truths: dict[Call, Truth] = field(default_factory=dict)
    _partly: dict[tuple[Any, ...], bool] = field(default_factory=dict)
    _tried: list[tuple[Mistake, ...]] = field(
        default_factory=list
    )  # kept, since they are known by their identity

    def explains(self, mistakes: Sequence[Mistake], kinds: Kinds = BOTH) -> bool:
        """Tell whether these mistakes account for every call of every observation, entry by entry.

        ``kinds`` says of which tensors: all, or (for mistakes without a memory) the weights or biases alone.
        """
        self._tried.append(tuple(mistakes))
        with np.errstate(all="ignore"):
            return self._explains(mistakes, kinds)

    def _explains(self, mistakes: Sequence[Mistake], kinds: Kinds) -> bool:
        pure = tuple(mistake for mistake in mistakes if not mistake.state)
        stateful = [mistake for mistake in mistakes if mistake.state]
        if any(m.draws for m in stateful) and self._all_repeat:
            return False
        if not all(m.draws or m.first_call_right for m in stateful) and self.leaves_all_untouched:
            return False
        if all(mistake.first_call_right for mistake in stateful) and not self._first_call(pure, kinds):
            return False
        if stateful:
            return all(self._replayed(observation, mistakes) for observation in self._telling_first)
        return all(self._pure(observation, pure, kinds) for observation in self._telling_first)

    @functools.cached_property
    def _telling_first(self) -> list[Observation]:
        """The observations, those first that the right gradient does not account for: they refute soonest."""
        return sorted(self.observations, key=lambda observation: self._pure(observation, (), BOTH))

    def proves(self, mistakes: Sequence[Mistake]) -> bool:
        """Tell whether, somewhere, they predict something that the right gradient cannot be."""
        with np.errstate(all="ignore"):
            return any(self._separates(observation, mistakes) for observation in self.observations)

    @functools.cached_property
    def _all_repeat(self) -> bool:
        return all(observation.repeats for observation in self.observations)

    @functools.cached_property
    def leaves_all_untouched(self) -> bool:
        """Tell whether no call changed what it, or an earlier one, was given."""
        return all(seen.inputs_untouched for observation in self.observations for seen in observation.seen)

    @functools.cached_property
    def leaves_results(self) -> bool:
        """Tell whether no call changed what an earlier one returned."""
        return all(observed_same(seen.returned, seen.kept) for o in self.observations for seen in o.seen)

    # --- predictions

    def given(self, call: Call) -> list[Bounded]:
        """Return what a call was given: weight, bias, ..., x, y."""
        if call not in self._inputs:
            self._inputs[call] = [bounded(array, call.case.dtype) for array in call.inputs()]
        return self._inputs[call]

    def net(self, call: Call, pieces: BackpropPieces = RIGHT) -> BackpropNet:
        """The forward pass of a call."""
        if (call, pieces.keep) not in self._nets:
            *params, x, y = self.given(call)
            self._nets[call, pieces.keep] = backprop_forward(
                pieces, self.spec, layers_of_tensors(params), x, y
            )
        return self._nets[call, pieces.keep]

    def _backward(self, call: Call, pieces: BackpropPieces) -> Iterator[Layer]:
        """The layers' gradients in a call, last layer first; an output delta is computed once."""
        net = self.net(call, pieces)
        key = call, pieces.keep, pieces.output, pieces.delta
        if key not in self._deltas:
            self._deltas[key] = pieces.delta(net, pieces.output(net))
        known = self._deltas[key]
        return backprop_backward(replace(pieces, output=lambda _: None, delta=lambda _, __: known), net)

    def predicted(self, call: Call, mistakes: Sequence[Mistake]) -> list[Layer] | None:
        """The gradient that mistakes of formula make in one call; None where they raise."""
        pieces = compose_mistakes(mistakes)
        try:
            return pieces.finish(list(self._backward(call, pieces))[::-1])
        except (ValueError, IndexError):
            return None

    def truth(self, call: Call) -> Truth:
        """JAX's gradient in one call."""
        if call not in self._truths:
            self._truths[call] = Truth.of(self.spec, call.inputs(), call.case.dtype)
        return self._truths[call]

    # --- comparisons

    def _first_call(self, pure: tuple[Mistake, ...], kinds: Kinds) -> bool:
        """Tell whether mistakes of formula account for the very first call, the cheapest tensors first."""
        seen = self.observations[0].seen[0]
        if seen.returned is not None and not any("finish" in mistake.pieces for mistake in pure):
            for tensor, blind in ((1, _BELOW | {"weight"}), (0, _BELOW | {"bias"})):
                relevant = tuple(m for m in pure if not m.pieces.keys() <= blind)
                if tensor in kinds and not self._last_layer(seen, tensor, relevant):
                    return False
        key = ("first", kinds, *sorted(id(m) for m in pure))
        if key not in self._partly:
            self._partly[key] = self._agrees(seen, seen.returned, self.predicted(seen.call, pure), kinds)
        return self._partly[key]

    def _last_layer(self, seen: ObservedCall, tensor: int, mistakes: tuple[Mistake, ...]) -> bool:
        key = (tensor, *sorted(id(m) for m in mistakes))
        if key not in self._partly:
            assert seen.returned is not None
            pieces = compose_mistakes(mistakes)
            try:
                predicted: Any = next(self._backward(seen.call, pieces))[tensor]
                extra = seen.extra[-1][tensor] if seen.extra else 0.0
                self._partly[key] = predicted.contains(seen.returned[-1][tensor], extra)
            except (ValueError, IndexError):
                self._partly[key] = False
        return self._partly[key]

    def _pure(self, observation: Observation, mistakes: Sequence[Mistake], kinds: Kinds) -> bool:
        """A formula alone: it answers each call for itself, and leaves everything as it was."""
        for seen in observation.seen:
            predicted = self.predicted(seen.call, mistakes)
            if not self._agrees(seen, seen.returned, predicted, kinds):
                return False
            if not observed_same(seen.returned, seen.kept):
                return False
            if not seen.inputs_untouched:
                return False
        return True

    def _agrees(
        self, seen: ObservedCall, result: Tensors | None, predicted: list[Layer] | None, kinds: Kinds = BOTH
    ) -> bool:
        if result is None or predicted is None:
            return result is None and predicted is None
        if len(result) != len(predicted):
            return False
        return all(
            tensor.contains(got, extra)
            for i, (got, tensor, extra) in enumerate(observed_tensors(seen, result, predicted))
            if i % 2 in kinds
        )

    def _replayed(self, observation: Observation, mistakes: Sequence[Mistake]) -> bool:
        """A function with a memory, or side effects: the same calls are made of it, with fresh bounded arrays."""
        function = wrong_gradient(self.spec, *mistakes)
        draws = next((m.draws for m in mistakes if m.draws), None)
        pure = wrong_gradient(self.spec, *(m for m in mistakes if not m.draws))
        made = []
        for seen in observation.seen:
            *params, x, y = (array.copy() for array in self.given(seen.call))
            layers = layers_of_tensors(params)
            try:
                if draws:
                    results = list(draws(pure, layers, x, y))
                    result = next((r for r in results if self._agrees(seen, seen.returned, r)), None)
                    if result is None:
                        return False
                else:
                    result = function(layers, x, y)
            except (ValueError, IndexError):
                result = None
            if not self._agrees(seen, seen.returned, result):
                return False
            made.append((seen, result, [*params, x, y]))
        for seen, result, left in made:  # after the last call
            if not self._agrees(seen, seen.kept, result):
                return False
            now = seen.left if seen.left[-1].ndim > 1 else seen.left[:-1]
            if not all(array.contains(tensor) for tensor, array in zip(now, left, strict=False)):
                return False
        return True

    def _separates(self, observation: Observation, mistakes: Sequence[Mistake]) -> bool:
        if any(mistake.state for mistake in mistakes):
            return True  # the right gradient has no memory and draws nothing: the calls refute it
        return any(self._differs(seen, mistakes) for seen in observation.seen)

    def _differs(self, seen: ObservedCall, mistakes: Sequence[Mistake]) -> bool:
        """Tell whether they predict, for a call, something outside the bounds of the right gradient.

        A call counts only where no bound of the prediction is too wide to say something.
        """
        predicted = self.predicted(seen.call, mistakes)
        if seen.returned is None or predicted is None:
            return False
        separated = False
        tensors: list[Any] = tensors_of(predicted)
        truth = self.truth(seen.call).tensors
        for (value, _), tensor in zip(truth, tensors, strict=True):
            if tensor.shape != value.shape or not np.all(np.isfinite(tensor.value)):
                return True
        for (value, bound), tensor in zip(truth, tensors, strict=True):
            if vacuous(np.maximum(abs(tensor.value), abs(value)), tensor.widened, seen.call.case.dtype):
                return False
            separated |= bool(np.any(abs(tensor.value - value) > tensor.widened + bound))
        return separated
