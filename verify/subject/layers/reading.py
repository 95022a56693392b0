"""The result of a backward pass, read as one array for each tensor of the gradient."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from verify.evaluate.array import Array
from verify.reference.reference import Setting
from verify.subject.failed import Failed


def read_layer_gradient(result: Any, setting: Setting, dtype: str) -> list[Array]:
    """Read the tensors of a layer's gradient in the order of ``reference.gradient_names``,
    each of the input's shape and dtype.

    An array where one input is differentiated; else one for each differentiated input, or for each input (what
    stands for one that is not differentiated is not read); or a dictionary with names such as ``x``, ``dx`` or
    ``grad_x``.

    Raises
    ------
    Failed
        When it is none of these, or has another shape or dtype.
    """
    reference = setting.reference
    if result is None:
        raise Failed("result", "crashed", "the backward pass returned None; it must return the gradient")
    wanted = reference.differentiated
    tensors: list[Array] = []
    for name, item in zip(wanted, _items(result, wanted, list(reference.shapes), setting), strict=True):
        tensors += _tensors(f"the gradient of {name}", item, setting.shapes[name], dtype)
    return tensors


def _items(result: Any, wanted: tuple[str, ...], inputs: list[str], setting: Setting) -> list[Any]:
    if isinstance(result, Mapping):
        return [_by_name(result, name) for name in wanted]
    if len(wanted) == 1 and not isinstance(result, (tuple, list)):
        return [result]
    if len(wanted) == 1 and isinstance(setting.shapes[wanted[0]], list) and isinstance(result, list):
        return [result]
    if not isinstance(result, (tuple, list)):
        said = f"the backward pass returned {type(result).__name__}; it must return one gradient each of "
        raise Failed("result", "crashed", said + ", ".join(wanted))
    if len(result) == len(wanted):
        return list(result)
    if len(result) == len(inputs):
        return [item for name, item in zip(inputs, result, strict=True) if name in wanted]
    raise Failed(
        "result",
        "crashed",
        f"the backward pass returned {len(result)} items; it must return one gradient each of {', '.join(wanted)}",
    )


def _by_name(result: Mapping[str, Any], name: str) -> Any:
    for key in (name, f"d{name}", f"d_{name}", f"grad_{name}", f"{name}_grad"):
        if key in result:
            return result[key]
    raise Failed("result", "crashed", f"the gradient has no {name!r}; it has {', '.join(map(str, result))}")


def _tensors(where: str, item: Any, shape: Any, dtype: str) -> list[Array]:
    """The leaves of one input's gradient, which has the structure of the input's shapes."""
    if isinstance(shape, Mapping):
        if not isinstance(item, Mapping) or set(item) != set(shape):
            raise Failed("result", "crashed", f"{where} must be a dictionary of {', '.join(sorted(shape))}")
        return [
            tensor
            for key in sorted(shape)
            for tensor in _tensors(f"{where}[{key!r}]", item[key], shape[key], dtype)
        ]
    if not all(isinstance(size, int) for size in shape):
        if not isinstance(item, (tuple, list)) or len(item) != len(shape):
            raise Failed("result", "crashed", f"{where} must be a sequence of {len(shape)} gradients")
        return [
            tensor
            for i, (inner, size) in enumerate(zip(item, shape, strict=True))
            for tensor in _tensors(f"{where}[{i}]", inner, size, dtype)
        ]
    return [_tensor(where, item, shape, dtype)]


def _tensor(where: str, item: Any, shape: tuple[int, ...], dtype: str) -> Array:
    try:
        array = np.asarray(item)
    except Exception as error:  # an object may raise whatever it likes when made into an array
        raise Failed("result", "crashed", f"{where} is no array: {error}") from error
    if array.dtype.kind not in "fiub":
        raise Failed("result", "crashed", f"{where} has dtype {array.dtype}; it must be {dtype}")
    if array.shape != shape:
        raise Failed("result", "wrong", f"{where} has shape {array.shape}; the input has {shape}")
    if array.dtype != np.dtype(dtype):
        hint = f" (dtypes=('{array.dtype}',) judges {array.dtype} alone)" if array.dtype.kind == "f" else ""
        raise Failed("dtype", "wrong", f"{where} is {array.dtype}; the inputs are {dtype}{hint}")
    return array


def read_layer_outputs(found: list[Any], setting: Setting) -> list[Array]:
    """The outputs of a forward pass, each of the shape that the reference's has.

    Raises
    ------
    Failed
        When one is no array, or has another shape.
    """
    arrays = []
    for item, shape in zip(found, setting.outputs, strict=True):
        array = np.asarray(item)
        if array.dtype.kind not in "fiub":
            raise Failed(
                "result", "crashed", f"the forward pass returned {type(item).__name__}, not an array"
            )
        if array.shape != shape and not (array.size == 1 and shape == ()):
            raise Failed("forward", "wrong", f"the output has shape {array.shape}; it must have {shape}")
        arrays.append(array.reshape(shape))
    return arrays


def is_one_number(value: Any) -> bool:
    """Tell if a value in a result is one number: a Python number, or an array of one entry."""
    if isinstance(value, (bool, str, bytes)) or value is None:
        return False
    try:
        array = np.asarray(value)
    except Exception:  # an object may raise whatever it likes when made into an array
        return False
    return array.dtype.kind in "fiu" and array.size == 1
