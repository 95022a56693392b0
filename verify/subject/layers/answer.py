"""The answer of a backward pass of any kind to one call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np
import numpy.typing as npt

from verify.case.layers.case import LayerCall
from verify.case.layers.values import LayerArrays
from verify.evaluate import xla
from verify.evaluate.array import Array
from verify.evaluate.bounds import Pair
from verify.reference.reference import Reference
from verify.reference.tensors import Tensor
from verify.reference.truth import Truth
from verify.subject.answered_call import Answered, AnsweredCall, call_function
from verify.subject.layers.reading import read_layer_gradient, read_layer_outputs
from verify.subject.layers.target import LayerTarget, Run, TargetReturned


@dataclass(frozen=True, eq=False)
class LayerAnswer(Answered):
    """The answer of a backward pass of any kind: see `verify.subject.answered_call.AnsweredCall`.

    Parameters
    ----------
    returned
        What it returned, with the outputs of the forward pass where there are some.
    """

    target: LayerTarget
    spec: Reference
    call: LayerCall
    arrays: LayerArrays
    gradient: list[Array]
    returned: TargetReturned

    @classmethod
    def of(cls, target: LayerTarget, spec: Reference, function: Run, call: LayerCall) -> LayerAnswer:
        """Make the call; raise Failed where it raises, or returns no gradient."""
        arrays, setting = call.arrays(), call.setting
        given = arrays.inputs, setting.options, arrays.cotangents
        returned = call_function(function, given, "backward pass")
        gradient = read_layer_gradient(returned.gradient, setting, call.case.dtype)
        return cls(target, spec, function, call, arrays, gradient, returned)

    def second_pass(self) -> LayerAnswer | None:
        """Run the backward pass once more on the same cache, where there is one."""
        if self.returned.again is None:
            return None
        result = call_function(self.returned.again, (), "second backward pass on the same cache")
        return replace(self, gradient=read_layer_gradient(result, self.call.setting, self.dtype))

    @property
    def tensors(self) -> list[Array]:
        """The tensors of the gradient, in the order of the reference's inputs."""
        return self.gradient

    @property
    def names(self) -> Sequence[Tensor]:
        """The names of the tensors of the gradient: that of ``v`` is ``dv``."""
        return [Tensor(f"d{name}") for name in self.subjects]

    @property
    def subjects(self) -> Sequence[str]:
        """The inputs that they are the gradients of."""
        return self.spec.gradient_names

    @staticmethod
    def given(arrays: Any) -> list[Array]:
        """The arrays of a call, which the gradient may not be: the inputs, leaf by leaf."""
        leaves: list[Array] = jax.tree.leaves(list(arrays.inputs.values()))
        return leaves

    @staticmethod
    def lent(arrays: Any) -> list[Array]:
        """The arrays of a call that the gradient may be, as that of a sum is: the cotangents."""
        cotangents: list[Array] = arrays.cotangents
        return cotangents

    @property
    def given_names(self) -> list[str]:
        """The names of the arrays of a call, in a sentence."""
        inputs = [
            f"the input {name}{jax.tree_util.keystr(path)}"
            for name, tree in self.arrays.inputs.items()
            for path, _ in jax.tree_util.tree_flatten_with_path(tree)[0]
        ]
        return inputs + ["the cotangent"] * len(self.arrays.cotangents)

    def forward(self) -> tuple[list[Pair], list[Array]] | None:
        """Return what the outputs of the forward pass must be and are; None where there is no forward pass."""
        if self.returned.outputs is None:
            return None
        return self.truth.outputs, read_layer_outputs(self.returned.outputs, self.call.setting)

    @staticmethod
    def truth_of(_spec: Reference, call: LayerCall, _check: str = "gradient") -> Truth:
        """The truth that a check compares with: the outputs and the gradient."""
        return call.setting.truth(call.inputs(), call.case.dtype)

    @staticmethod
    def names_of(call: Any, _check: str = "gradient") -> list[Tensor]:
        """The names of this truth's pairs."""
        number = len(call.setting.outputs)
        outputs = ["out"] if number == 1 else [f"out[{i}]" for i in range(number)]
        return [Tensor(name) for name in (*outputs, *(f"d{name}" for name in call.reference.gradient_names))]

    @staticmethod
    def evaluated_by_xla(_spec: Reference, call: LayerCall) -> list[Array]:
        """The outputs and the gradient as XLA computes them, in the dtype of the call."""
        arrays, setting = call.arrays(), call.setting
        cotangent = setting.cotangent(arrays.cotangents)
        return xla.evaluate_backward_by_xla(setting.backward, tuple(arrays.inputs.values()), cotangent)

    @staticmethod
    def recomputed(
        _target: LayerTarget, function: Run, call: LayerCall, check: str, place: int, dtype: npt.DTypeLike
    ) -> list[Array]:
        """The array at a place of this truth as the target gives it in another dtype, once for each pass."""
        arrays, setting = call.arrays(dtype), call.setting
        returned = function(arrays.inputs, setting.options, arrays.cotangents)
        if check == "forward":
            assert returned.outputs is not None
            return [np.array(read_layer_outputs(returned.outputs, setting)[place], dtype=dtype)]
        results: list[Any] = [returned.gradient]
        if check == "repeat" and returned.again is not None:
            results.append(returned.again())
        i = place - len(setting.outputs)
        return [np.array(read_layer_gradient(result, setting, str(np.dtype(dtype)))[i]) for result in results]


Answer = AnsweredCall | LayerAnswer
"""The answer of a target of either kind."""
