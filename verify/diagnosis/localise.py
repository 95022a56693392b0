"""The place of a mistake that cannot be named: the first wrong tensor from the output, and its pattern."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from verify.diagnosis.evidence import Evidence
from verify.diagnosis.observation import ObservedCall, observed_tensors
from verify.evaluate.array import Array
from verify.reference.tensors import Tensor, layers_of_tensors, tensor_names
from verify.reference.truth import Truth


def _wrong_tensors(evidence: Evidence, seen: ObservedCall) -> list[int] | None:
    """Return which tensors of one call are outside their bounds, in the order of the parameters; None if none
    came back.
    """
    if seen.returned is None:
        return None
    pairs = layers_of_tensors(evidence.truth(seen.call).tensors)
    if len(seen.returned) != len(pairs):
        return list(range(2 * len(pairs)))
    wrong = []
    for i, (tensor, (value, bound), extra) in enumerate(observed_tensors(seen, seen.returned, pairs)):
        if tensor.shape != value.shape or not np.all(abs(tensor - value) <= bound + extra):
            wrong.append(i)
    return wrong


def _telling(evidence: Evidence) -> tuple[ObservedCall, list[int]] | None:
    """The first call that shows something wrong, a network with hidden layers before one without."""
    shown = [
        (seen, wrong)
        for observation in evidence.observations
        for seen in observation.seen
        if (wrong := _wrong_tensors(evidence, seen))
    ]
    return shown[0] if shown else None


def localise_tensors(evidence: Evidence) -> str:
    """Return which tensors are right and which are not, and what follows for the output delta."""
    telling = _telling(evidence)
    if telling is None:
        return "every entry is right when it is returned"
    seen, wrong = telling
    depth = len(seen.call.case.layer_sizes) - 1
    right = [name for i, name in enumerate(tensor_names(depth)) if i not in wrong]
    where = f"in {'-'.join(map(str, seen.call.case.layer_sizes))}, batch {seen.call.batch},"
    if not right:
        return f"{where} no tensor is right"
    follows = "; the last layer is, so the output delta is right" if max(wrong) < 2 * depth - 2 else ""
    return f"{where} the {_listed(right)} are right{follows}"


def _listed(tensors: Sequence[Tensor]) -> str:
    """``weight and bias of layer 1``, where both are there."""
    layers: dict[int, list[str]] = {}
    for tensor in tensors:
        layers.setdefault(tensor.layer, []).append(tensor.kind)
    return ", ".join(f"{' and '.join(kinds)} of layer {layer}" for layer, kinds in layers.items())


def localise(evidence: Evidence, tried: str) -> str:
    """Return what is known of a gradient that no mistake of the catalogue, ``tried`` alone or in pairs,
    accounts for.
    """
    lines = [f"not in the catalogue of mistakes, {tried}; what can be said:"]
    telling = _telling(evidence)
    if telling is None:
        lines.append("  each call is right when it returns; what goes wrong is between the calls")
    else:
        seen, wrong = telling
        depth = len(seen.call.case.layer_sizes) - 1
        last = max(i // 2 for i in wrong)
        first = min(i for i in wrong if i // 2 == last)
        lines.append(f"  {localise_tensors(evidence)}")
        lines.append(f"  the first that is wrong, from the output: {tensor_names(depth)[first]}")
        lines += [f"  {pattern}" for pattern in _patterns(evidence, seen, first)]
    changing = [o for o in evidence.observations if not o.repeats]
    if changing:
        share = f"{len(changing)} of {len(evidence.observations)} cases"
        lines.append(f"  the same call gives another answer the second time ({share})")
    if any(seen.returned is None for o in evidence.observations for seen in o.seen):
        raised = sum(seen.returned is None for o in evidence.observations for seen in o.seen)
        lines.append(
            f"  {raised} of {sum(len(o.seen) for o in evidence.observations)} calls raised, or returned no arrays"
        )
    return "\n".join(lines)


def _patterns(evidence: Evidence, seen: ObservedCall, i: int) -> list[str]:
    """Return how the wrong tensor is related to the right one, entry by entry within the bounds."""
    assert seen.returned is not None
    depth = len(seen.call.case.layer_sizes) - 1
    if len(seen.returned) != depth:
        return [f"the gradient has {len(seen.returned)} layers; the network has {depth}"]
    got = seen.returned[i // 2][i % 2]
    value, bound = evidence.truth(seen.call).tensors[i]
    name = tensor_names(len(seen.returned))[i]
    if got.shape != value.shape:
        if got.ndim == 2 and got.T.shape == value.shape and np.all(abs(got.T - value) <= bound):
            return [f"the {name} is right, but transposed"]
        return [f"the {name} has shape {got.shape}; the parameter has {value.shape}"]
    found = []
    if not np.all(np.isfinite(got)):
        return [f"{np.count_nonzero(~np.isfinite(got))} of its {got.size} entries are not finite"]
    if not got.any():
        return ["it is zero everywhere"]
    if got.ndim == 2 and got.shape[0] == got.shape[1] and np.all(abs(got.T - value) <= bound):
        found.append("it is right, but transposed")
    for axis, words in (
        (None, "one factor"),
        (1, "a factor of its own for each row"),
        (0, "a factor of its own for each column"),
    ):
        if axis is not None and (got.ndim < 2 or got.shape[axis] < 2):
            continue
        factor = _factor(got, value, bound, axis)
        if factor is not None:
            text = (
                f"{float(factor.flat[0]):.9g}"
                if axis is None
                else ", ".join(f"{f:.4g}" for f in factor.ravel()[:5])
            )
            found.append(f"it is the right one times {words}: {text}")
            break
    right = int(np.count_nonzero(abs(got - value) <= bound))
    if not found and right:
        found.append(f"{right} of its {got.size} entries are right")
    return found + _rows(evidence, seen, i, got)


def _factor(got: Array, value: Array, bound: Array, axis: int | None) -> Array | None:
    """The factor that turns the right tensor into this one, within the bounds; None where there is none."""
    largest = np.expand_dims(np.argmax(abs(value), axis=axis), axis) if axis is not None else None
    with np.errstate(all="ignore"):
        if largest is None:
            at = np.unravel_index(int(np.argmax(abs(value))), value.shape)
            factor, scale, room = np.asarray(got[at] / value[at]), abs(value[at]), bound[at]
        else:
            top = np.take_along_axis(value, largest, axis)
            factor, scale = np.take_along_axis(got, largest, axis) / top, abs(top)
            room = np.take_along_axis(bound, largest, axis)
        # Both the entry and the factor taken from the largest entry may be off by their bounds, scaled alike.
        allowed = abs(factor) * (2 * bound + abs(value) * 2 * room / scale)
        fits = np.all(abs(got - factor * value) <= allowed)
    return factor if fits and np.all(np.isfinite(factor)) else None


def _rows(evidence: Evidence, seen: ObservedCall, i: int, got: Array) -> list[str]:
    """Tell whether the tensor is that of a single row of the batch, or of all rows but one."""
    rows, case = seen.call.batch, seen.call.case
    if rows < 3:
        return []
    *params, x, y = seen.call.inputs()
    for words, kept in (
        ("row {} of the batch alone", lambda r: [r]),
        ("every row but {}", lambda r: [k for k in range(rows) if k != r]),
    ):
        for r in range(rows):
            part = kept(r)
            value, bound = Truth.of(evidence.spec, [*params, x[part], y[part]], case.dtype).tensors[i]
            for factor in (1.0, len(part) / rows):
                if np.all(abs(got - factor * value) <= 2 * factor * bound) and value.any():
                    return [
                        f"it is the gradient of {words.format(r)}"
                        + ("" if factor == 1 else ", divided by the whole batch")
                    ]
    return []
