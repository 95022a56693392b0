"""The checks of a backward pass of any kind, one case at a time: its numbers and its side effects."""

from __future__ import annotations

import functools
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np

from verify.case.layers.case import LayerCase
from verify.case.layers.values import LayerArrays
from verify.checks.further_calls import second_from_first
from verify.checks.layer_choices import judged_at_ties
from verify.checks.questions import failure_of, require_within_bounds, share_memory
from verify.evaluate.array import Array
from verify.reference.backward import LayerTruth, Reference, Setting
from verify.reference.judge import Judgement, judge
from verify.reference.tensors import Tensor
from verify.subject.call import Failed, call_function
from verify.subject.layers.reading import read_layer_gradient, read_layer_outputs
from verify.subject.layers.target import LayerTarget, Returned, Run

CHECKS = {
    "runs": "returns without raising",
    "result": "returns one gradient for each differentiated input, of its shape",
    "dtype": "returns the dtype of the inputs",
    "inputs": "leaves its inputs and the cotangent as they were",
    "aliasing": "returns arrays that share no memory with its inputs or with an earlier answer",
    "forward": "the outputs equal those of the reference, every entry within its bound",
    "gradient": "equals JAX's gradient, every entry within its bound",
    "rounding": "lies within its band under random rounding, or comes closer at a higher precision",
    "repeat": "answers the same call again with the same gradient",
    "second_call": "answers a second call, same shapes and other values, correctly; the first answer stays as it was",
}
"""Every check, with what it asks, in the order in which a case is put to them."""

FOLLOW_UPS = ("gradient", "repeat", "second_call")
"""The checks that need a call of their own; each case is given one of them (the first needs none)."""


Choices = Counter[str]
"""How often each choice of a derivative at ties was made."""


@dataclass(frozen=True, eq=False)
class LayerCall:
    """One call of a backward pass: what it was given, and what it returned."""

    setting: Setting
    case: LayerCase
    arrays: LayerArrays
    returned: Returned
    gradient: list[Array]

    @functools.cached_property
    def inputs(self) -> list[Array]:
        """The reference's inputs in float64."""
        return layer_program_inputs(self.setting, self.arrays)

    @functools.cached_property
    def truth(self) -> LayerTruth:
        """The reference's outputs and gradient, with bounds."""
        return self.setting.truth(self.inputs, self.case.dtype)


def layer_program_inputs(setting: Setting, arrays: LayerArrays) -> list[Array]:
    """The inputs and cotangents as the reference's program takes them."""
    cotangent = setting.cotangent(arrays.cotangents)
    return setting.backward.inputs(tuple(arrays.inputs.values()), cotangent)


def call_layer(target: LayerTarget, run: Run, reference: Reference, case: LayerCase) -> LayerCall:
    """Call a target on a case; raise Failed where it raises, harms its inputs, or returns no gradient."""
    setting = case.setting(reference)
    arrays, untouched = layer_arguments(target, reference, case), layer_arguments(target, reference, case)
    returned = call_function(
        lambda: run(arrays.inputs, setting.options, arrays.cotangents), (), "backward pass"
    )
    _require_unchanged(arrays, untouched)
    gradient = read_layer_gradient(returned.gradient, setting, case.dtype)
    call = LayerCall(setting, case, untouched, returned, gradient)
    _require_own_memory(call, arrays)
    return call


def layer_arguments(target: LayerTarget, reference: Reference, case: LayerCase) -> LayerArrays:
    """The arrays that a target is called with."""
    arrays = case.arrays(reference)
    if target.unit_cotangent:
        arrays = arrays._replace(cotangents=[np.ones_like(cotangent) for cotangent in arrays.cotangents])
    return arrays


def examine_layer_case(
    target: LayerTarget,
    reference: Reference,
    case: LayerCase,
    follow_up: str = "gradient",
    choices: Choices | None = None,
) -> Judgement:
    """Put one case, and one follow-up, to a backward pass.

    ``choices`` counts the choices of a derivative that it made at ties, where they are not JAX's.

    Returns
    -------
    Judgement
        verified or inconclusive, with the entry closest to its bound.

    Raises
    ------
    Failed
        With the check that it did not pass.
    """
    run = target.run if follow_up == "gradient" or target.session is None else target.session()
    call = call_layer(target, run, reference, case)
    if call.returned.outputs is not None:
        outputs = read_layer_outputs(call.returned.outputs, call.setting)
        names = layer_output_names(len(outputs))
        require_within_bounds("forward", call.truth.outputs, outputs, case.dtype, names, CHECKS["forward"])
    judgement = _require_right(call, "gradient", choices=choices)
    if follow_up == "repeat":
        _require_repeated(target, run, reference, call)
    elif follow_up == "second_call":
        _require_second_call(target, run, reference, call)
    return judgement


def _require_right(
    call: LayerCall, check: str, detail: str = "", choices: Choices | None = None
) -> Judgement:
    """The gradient lies within its bounds: of JAX's derivative, or at ties of another choice of a derivative."""
    return layer_beside_truth(call, check, detail, choices)[0]


def layer_beside_truth(
    call: LayerCall, check: str, detail: str = "", choices: Choices | None = None
) -> tuple[Judgement, LayerTruth | None]:
    """`_require_right`, and the truth that the gradient lies beside; None where that is a mean of several choices."""
    names = layer_tensor_names(call.setting.reference)
    dtype = call.case.dtype
    judgement = judge(call.truth.gradient, call.gradient, dtype, names=names, reference=call.truth)
    if judgement.verdict != "wrong":
        return judgement, call.truth
    chosen = judged_at_ties(call.setting, call.inputs, call.gradient, dtype, names)
    if chosen is not None:
        name, found, truth = chosen
        if choices is not None:
            choices[name] += 1
        return found, truth
    raise failure_of(check, judgement, dtype, detail or CHECKS[check])


def layer_output_names(number: int) -> list[Tensor]:
    """The names of the leaves of the forward pass's result."""
    return [Tensor("out")] if number == 1 else [Tensor(f"out[{i}]") for i in range(number)]


def layer_tensor_names(reference: Reference) -> list[Tensor]:
    """The names of the tensors of the gradient: the gradient of ``v`` is ``dv``."""
    return [Tensor(f"d{name}") for name in reference.gradient_names]


def _require_unchanged(arrays: LayerArrays, untouched: LayerArrays) -> None:
    """The arrays that a call was given are, to the bit, what they were before."""
    for (name, now), (_, before) in zip(_named(arrays), _named(untouched), strict=True):
        if np.asarray(now).tobytes() != np.asarray(before).tobytes():
            raise Failed("inputs", "wrong", f"the call changed {name} that it was given")


def _named(arrays: LayerArrays) -> list[tuple[str, Any]]:
    named = [
        (f"the input {name}{jax.tree_util.keystr(path)}", leaf)
        for name, tree in arrays.inputs.items()
        for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]
    ]
    return named + [("the cotangent", cotangent) for cotangent in arrays.cotangents]


def _require_own_memory(call: LayerCall, arrays: LayerArrays) -> None:
    """No tensor of the gradient lies in the memory of an input.

    A gradient may be the cotangent itself, or a view of it, as that of a sum is; so two may share its memory.
    """
    inputs = [(name, leaf) for name, leaf in _named(arrays) if name != "the cotangent"]
    names = call.setting.reference.gradient_names
    for i, (name, tensor) in enumerate(zip(names, call.gradient, strict=True)):
        for other, leaf in inputs:
            if share_memory(tensor, np.asarray(leaf)):
                raise Failed("aliasing", "wrong", f"the gradient of {name} shares memory with {other}")
        if any(share_memory(tensor, np.asarray(cotangent)) for cotangent in arrays.cotangents):
            continue
        for other, before in zip(names[:i], call.gradient, strict=False):
            if share_memory(tensor, before):
                raise Failed("aliasing", "wrong", f"the gradients of {other} and of {name} share memory")


def _require_repeated(target: LayerTarget, run: Run, reference: Reference, first: LayerCall) -> None:
    """A second backward pass on the same cache, and a second call of the same numbers, give the same gradient."""
    kept = [tensor.copy() for tensor in first.gradient]
    if first.returned.again is not None:
        result = call_function(first.returned.again, (), "second backward pass on the same cache")
        again = replace(first, gradient=read_layer_gradient(result, first.setting, first.case.dtype))
        _require_same(again, kept, "a second backward pass on the same cache gives another gradient")
    second = call_layer(target, run, reference, first.case)
    _require_same(second, kept, CHECKS["repeat"])


def _require_same(second: LayerCall, kept: list[Array], detail: str) -> None:
    _require_right(second, "repeat", _second_from_first(second, kept, same=True) or detail)


def _require_second_call(target: LayerTarget, run: Run, reference: Reference, first: LayerCall) -> None:
    """A second call, with other values, is answered correctly, and leaves the first answer as it was."""
    kept = [tensor.copy() for tensor in first.gradient]
    second = call_layer(target, run, reference, next_layer_case(first.case))
    detail = _second_from_first(second, kept, same=False) or CHECKS["second_call"]
    _require_right(second, "second_call", detail)
    for name, before, now in zip(reference.gradient_names, kept, first.gradient, strict=True):
        if before.tobytes() != now.tobytes():
            raise Failed(
                "second_call", "wrong", f"a second call overwrote the first call's gradient of {name}"
            )


def next_layer_case(case: LayerCase) -> LayerCase:
    """The case of a second call, after this one: other values."""
    return replace(case, seed=case.seed + 1)


def _second_from_first(second: LayerCall, first: list[Array], same: bool) -> str:
    names = layer_tensor_names(second.setting.reference)
    return second_from_first(first, second.gradient, second.truth.gradient, second.case.dtype, same, names)
