"""Calls of a user's function: made with care, their results brought into the one form that is judged."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlp_ref.params import Layer
from verify.case.arrays import Arrays, WeightedArrays
from verify.case.case import Call
from verify.evaluate.array import Array
from verify.evaluate.bounds import Pair
from verify.evaluate.formats import is_floating_format, is_numeric_format
from verify.reference.judge import Judgement
from verify.reference.truth import Gradient, GradientFunction, SpecLike, Truth, tensors_of
from verify.subject.target import Target


class Failed(Exception):
    """A case that a gradient did not pass: the check, a verdict, one sentence, and the numbers if there are any."""

    def __init__(self, check: str, verdict: str, detail: str, judgement: Judgement | None = None) -> None:
        super().__init__(check, verdict, detail, judgement)
        self.check, self.verdict, self.detail, self.judgement = check, verdict, detail, judgement


class NotCalled(Failed):
    """A case that was not put to the target, which is called no more: nothing is known of it."""

    def __init__(self, detail: str) -> None:
        super().__init__("runs", "crashed", detail)


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


def call_function(function: Callable[..., Any], arrays: Sequence[Any], what: str = "gradient") -> Any:
    """The result of a user's function; what it raises becomes a Failed with verdict ``crashed``."""
    try:
        with np.errstate(all="ignore"):
            return function(*arrays)
    except Failed:  # an adapter's finding
        raise
    except (Exception, SystemExit) as error:  # an exit would end the run as if all were well
        detail = f"the {what} raised {type(error).__name__}: {_first_line(error)}{_place(error)}"
        raise Failed("runs", "crashed", detail) from error


def _first_line(error: BaseException) -> str:
    try:
        return str(error).strip().partition("\n")[0]
    except Exception:  # whatever an exception of the user's raises when it is asked for its words
        return "(it has no text)"


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f" (line {trace.tb_lineno} of {trace.tb_frame.f_code.co_filename})" if trace else ""


def as_gradient(result: Any, params: Sequence[Layer]) -> Gradient:
    """A user's result as layers of arrays, once its structure, shapes and dtypes are found to be right."""
    if result is None:
        raise _crash("the gradient returned None; it must return [(dweight, dbias), ...]")
    kind = type(result).__name__
    try:
        layers = [tuple(layer) for layer in result]
    except TypeError:
        raise _crash(f"the gradient returned {kind}, not [(dweight, dbias), ...]") from None
    except (Exception, SystemExit) as error:  # a generator runs the user's code as it is read
        said = f"{type(error).__name__}: {_first_line(error)}"
        raise _crash(f"the gradient returned {kind}, which raised {said} when it was read") from error
    if len(layers) != len(params):
        raise _crash(f"the gradient returned {len(layers)} layers; the network has {len(params)}")
    gradient = []
    for number, (layer, expected) in enumerate(zip(layers, params, strict=True), start=1):
        if len(layer) != 2:
            raise _crash(f"layer {number} of the gradient has {len(layer)} items, not (dweight, dbias)")
        named = zip(("weight", "bias"), layer, expected, strict=True)
        gradient.append(
            Layer(*(_as_tensor(f"the d{name} of layer {number}", *pair) for name, *pair in named))
        )
    if isinstance(result, Recovered):
        return Recovered(gradient, result.error, result.other, result.rates)
    return gradient


def _as_tensor(where: str, tensor: Any, parameter: Array) -> Array:
    try:
        array = np.asarray(tensor)
    except Exception as error:  # an object may raise whatever it likes when made into an array
        raise _crash(f"{where} is no array: {_first_line(error)}") from error
    if not is_numeric_format(array.dtype):
        raise _crash(f"{where} has dtype {array.dtype}; it must be {parameter.dtype}")
    if array.shape != parameter.shape:
        detail = f"{where} has shape {array.shape}; the parameter has {parameter.shape}"
        raise Failed("result", "wrong", detail)
    if array.dtype != parameter.dtype:
        detail = f"{where} is {array.dtype}; the parameters are {parameter.dtype}"
        hint = (
            f" (dtypes=('{array.dtype}',) judges {array.dtype} alone)"
            if is_floating_format(array.dtype)
            else ""
        )
        raise Failed("dtype", "wrong", detail + hint)
    return array


def _crash(detail: str) -> Failed:
    return Failed("result", "crashed", detail)


def widen_by_recovery(truth: Truth, gradient: Gradient) -> list[Pair]:
    """The truth's pairs; for a Recovered gradient, with the recovery's own error in the bounds."""
    if not isinstance(gradient, Recovered):
        return truth.tensors
    errors = tensors_of(gradient.error)
    return [(value, bound + error) for (value, bound), error in zip(truth.tensors, errors, strict=True)]


@dataclass(frozen=True, eq=False)
class AnsweredCall:
    """One call of a target, with what it returned and what it should have.

    Parameters
    ----------
    target, spec
        The target under test, and what it is judged as the gradient of.
    function
        The gradient function that was called: of the target, or of a session of its own.
    call
        The arrays that it was called with.
    arrays
        These arrays, as the call left them.
    gradient
        The gradient that it returned.
    """

    target: Target
    spec: SpecLike
    function: GradientFunction
    call: Call
    arrays: Arrays | WeightedArrays
    gradient: Gradient

    @classmethod
    def of(cls, target: Target, spec: SpecLike, function: GradientFunction, call: Call) -> AnsweredCall:
        """Make the call; raise Failed where it raises, or returns no gradient."""
        arrays = call.arrays()
        return cls(
            target, spec, function, call, arrays, as_gradient(call_function(function, arrays), arrays.params)
        )

    @property
    def dtype(self) -> str:
        """The dtype of the parameters."""
        return self.call.case.dtype

    @functools.cached_property
    def truth(self) -> Truth:
        """The reference's loss and gradient for this call."""
        return _truth(self.spec, self.call)

    @functools.cached_property
    def pairs(self) -> list[Pair]:
        """The gradient's (value, bound) pairs, with what recovering it from a step may have cost in the bounds."""
        return widen_by_recovery(self.truth, self.gradient)


@functools.lru_cache(maxsize=2)
def _truth(spec: SpecLike, call: Call) -> Truth:
    """The truth about a call; kept, since the next call is often to the same call."""
    return Truth.of(spec, call.inputs(), call.case.dtype)
