"""Calls of a user's function: made with care, their results brought into the one form that is judged."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from mlp_ref.params import Layer
from verify.case.arrays import Arrays, WeightedArrays
from verify.case.case import Call
from verify.evaluate import xla
from verify.evaluate.array import Array
from verify.evaluate.bounds import Pair
from verify.evaluate.formats import is_floating_format, is_numeric_format
from verify.reference.derivative import loss_function
from verify.reference.outputs import truth_of_outputs
from verify.reference.spec import Spec
from verify.reference.tensors import LOSS, OUTPUTS, Tensor, tensor_names
from verify.reference.truth import Gradient, GradientFunction, SpecLike, Truth, tensors_of
from verify.subject.failed import Failed
from verify.subject.recovered import Recovered
from verify.subject.target import Target


class CallTimes(threading.local):
    """The times of a thread's calls of user's functions, in seconds.

    ``began``: when the call that is under way began; None where none is. ``longest``: the longest that returned.
    """

    began: float | None = None
    longest: float = 0.0


CALL_TIMES = CallTimes()


def call_function(function: Callable[..., Any], arrays: Sequence[Any], what: str = "gradient") -> Any:
    """The result of a user's function; what it raises becomes a Failed with verdict ``crashed``."""
    CALL_TIMES.began = began = time.perf_counter()
    try:
        with np.errstate(all="ignore"):
            result = function(*arrays)
        CALL_TIMES.began, CALL_TIMES.longest = None, max(CALL_TIMES.longest, time.perf_counter() - began)
        return result
    except Failed:  # an adapter's finding
        CALL_TIMES.began = None
        raise
    except (Exception, SystemExit) as error:  # an exit would end the run as if all were well
        CALL_TIMES.began = None
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


def widen_by_recovery(pairs: list[Pair], gradient: Any) -> list[Pair]:
    """The pairs of a gradient; for a Recovered one, with the recovery's own error in the bounds."""
    if not isinstance(gradient, Recovered):
        return pairs
    errors = tensors_of(gradient.error)
    return [(value, bound + error) for (value, bound), error in zip(pairs, errors, strict=True)]


@dataclass(frozen=True, eq=False)
class Answered:
    """One call of a target, with what it returned and what it should have.

    Parameters
    ----------
    target, spec
        The target under test, and the Spec or JAX loss of its network; or the Reference of a layer.
    function
        The function that was called: of the target, or of a session of its own.
    call
        What it was called with.
    arrays
        These arrays, as the call left them.
    gradient
        The gradient that it returned.
    """

    target: Any
    spec: Any
    function: Callable[..., Any]
    call: Any
    arrays: Any
    gradient: Any
    truth_of: ClassVar[Callable[..., Truth]]

    @property
    def dtype(self) -> str:
        """The dtype of the gradient."""
        return str(self.call.case.dtype)

    @functools.cached_property
    def truth(self) -> Truth:
        """The reference's values and gradient for this call."""
        return _truth(self.truth_of, self.spec, self.call)

    @functools.cached_property
    def pairs(self) -> list[Pair]:
        """The gradient's (value, bound) pairs, with what recovering it from a step may have cost in the bounds."""
        return widen_by_recovery(self.truth.tensors, self.gradient)


@functools.lru_cache(maxsize=2)
def _truth(truth_of: Callable[..., Truth], spec: Any, call: Any) -> Truth:
    """The truth about a call; kept, since the next call is often to the same call."""
    return truth_of(spec, call)


class AnsweredCall(Answered):
    """The answer of a gradient of a network."""

    target: Target
    spec: SpecLike
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

    def second_pass(self) -> None:
        """Return None: there is no cache on which the backward pass could run once more."""

    @functools.cached_property
    def tensors(self) -> list[Array]:
        """The tensors of the gradient: weight, bias, weight, bias, ..."""
        return tensors_of(self.gradient)

    @property
    def names(self) -> Sequence[Tensor]:
        """The names of the tensors of the gradient."""
        return tensor_names(len(self.gradient))

    @property
    def subjects(self) -> list[str]:
        """The parameters that they are the gradients of, in a sentence."""
        return [f"the {name}" for name in self.names]

    @staticmethod
    def given(arrays: Any) -> list[Array]:
        """The arrays of a call, which the gradient may not be: the parameters, x, y, and the rows' weights."""
        params, *rows = arrays
        return [*tensors_of(params), *rows]

    @staticmethod
    def lent(_: Any) -> list[Array]:
        """The arrays of a call that the gradient may be."""
        return []

    @property
    def given_names(self) -> list[str]:
        """The names of the arrays of a call, in a sentence."""
        return [*self.subjects, *self.arrays._fields[1:]]

    def forward(self) -> tuple[list[Pair], list[Array]] | None:
        """Return what the outputs of the user's own forward pass must be and are; None where there is none."""
        function, case = self.target.forward, self.call.case
        if function is None:
            return None
        if not isinstance(self.spec, Spec):
            raise TypeError(
                "forward= can be judged only where spec is a Spec: a JAX loss does not say its outputs"
            )
        arrays = self.call.arrays()
        result = call_function(function, (arrays.params, arrays.x), "forward pass")
        require_unchanged(self, arrays, "forward pass")
        found, expected = np.asarray(result), (case.batch, case.layer_sizes[-1])
        if not is_numeric_format(found.dtype):
            kind = type(result).__name__
            raise Failed("forward", "crashed", f"the forward pass returned {kind}, not an array")
        if found.shape != expected:
            said = f"the outputs have shape {found.shape}; they must have {expected}"
            raise Failed("forward", "wrong", said)
        return self.truth_of(self.spec, self.call, "forward").outputs, [found]

    @staticmethod
    def truth_of(spec: SpecLike, call: Call, check: str = "gradient") -> Truth:
        """The truth that a check compares with: the loss and the gradient, or the outputs."""
        inputs = call.inputs()
        if check != "forward":
            return Truth.of(spec, inputs, call.case.dtype)
        assert isinstance(spec, Spec)
        return truth_of_outputs(spec, inputs, call.case.dtype)

    @staticmethod
    def names_of(call: Any, check: str = "gradient") -> list[Tensor]:
        """The names of this truth's pairs."""
        return [OUTPUTS] if check == "forward" else [LOSS, *tensor_names(len(call.case.layer_sizes) - 1)]

    @staticmethod
    def evaluated_by_xla(spec: SpecLike, call: Call) -> list[Array]:
        """The loss and the gradient as XLA computes them, in the dtype of the call."""
        params, x, y, *weights = call.arrays()
        if call.case.labels == "integer":
            y = np.eye(call.case.layer_sizes[-1], dtype=x.dtype)[y]
        loss, gradient = xla.evaluate_by_xla(loss_function(spec), params, x, y, *weights)
        return [loss, *tensors_of(gradient)]

    @staticmethod
    def recomputed(
        target: Target, function: GradientFunction, call: Call, check: str, place: int, dtype: npt.DTypeLike
    ) -> list[Array]:
        """The array at a place of this truth as the target gives it in another dtype."""
        arrays = call.arrays(dtype)
        if check == "loss":
            assert target.loss is not None
            value = np.asarray(target.loss(*arrays), dtype=dtype)  # a loss may be a Python float
            return [value.reshape(()) if value.size == 1 else value]
        if check == "forward":
            assert target.forward is not None
            return [np.array(target.forward(arrays.params, arrays.x))]
        return [np.array(tensors_of(function(*arrays))[place - 1])]


def require_unchanged(answer: Any, arrays: Any, what: str) -> None:
    """Raise Failed unless some arrays are, to the bit, those of the call of an answer."""
    untouched = answer.call.arrays()
    pairs = zip(
        [*answer.given(arrays), *answer.lent(arrays)],
        [*answer.given(untouched), *answer.lent(untouched)],
        strict=True,
    )
    for i, (now, before) in enumerate(pairs):
        if now.tobytes() != before.tobytes():
            raise Failed("inputs", "wrong", f"the {what} changed {answer.given_names[i]} that it was given")
