"""Inference of what the user did not say about a network: by shapes where it has arrays, and by trying it.

A network of pairwise unequal widths, with a batch of another size, runs in few conventions besides its own: NumPy
refuses most mixtures of shapes. Where several run, the one that agrees best with the reference is taken. That is no
favour to a wrong gradient: a reading is a matter of axes, and whatever it is, every case is judged under it.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from verify.case.case import LABELS as LABELS_OF
from verify.case.case import Case
from verify.evaluate.array import Array
from verify.reference.judge import judge
from verify.reference.spec import Spec
from verify.reference.truth import SpecLike, Truth, tensors_of
from verify.subject.adapt.adapted_network import AdaptedNetwork
from verify.subject.adapt.description import Description
from verify.subject.adapt.reading import (
    ASSIGNMENTS,
    BIASES,
    EACH,
    FORMS,
    LABELS,
    ORIENTATIONS,
    SAMPLES,
    Reading,
)
from verify.subject.adapt.slots import slots
from verify.subject.answered_call import widen_by_recovery
from verify.subject.failed import Failed

WIDTHS = (8, 5, 3, 12, 14, 17, 20, 23, 26, 29, 32)
"""Widths of the probe: no two equal, nor equal to another plus the one of a folded bias, nor to the batch."""
BATCH = 11


class InferredReading(NamedTuple):
    """A reading, the dtypes that it allows (None: any), what the report says of it, and the description it is of.

    The description is the user's, or that with its layers counted from 0.
    """

    reading: Reading
    dtypes: tuple[str, ...] | None
    notes: tuple[str, ...]
    described: Description


def infer_reading(described: Description, spec: SpecLike) -> InferredReading:
    """The reading under which a network is judged: what the user said, and the best of the rest.

    A network of batches also runs with one sample at a time, and mistakes about the batch do not show then. So what
    takes a batch, and returns gradients of the weights in their shapes, is judged on batches unless the user says
    otherwise.
    """
    depth = min(described.layers or 2, len(WIDTHS) - 1)
    dtype = _dtype(described, depth)
    labels = LABELS_OF[spec.targets][0] if isinstance(spec, Spec) else "one_hot"
    probe = Case(WIDTHS[: depth + 1], BATCH, dtype or "float64", labels=labels, seed=1)
    tried = [_tried(described, candidate, probe, spec) for candidate in _candidates(described, probe, spec)]
    from_zero = _counted_from_zero(described)
    if from_zero is not None and not any(fit.runs for fit, _ in tried):
        others = [
            _tried(from_zero, candidate, probe, spec) for candidate in _candidates(from_zero, probe, spec)
        ]
        if any(fit.runs for fit, _ in others):
            described, tried = from_zero, others
    best, reading = max(tried, key=lambda scored: scored[0])  # the first of the best
    rivals = {other.samples for fit, other in tried if fit.runs and fit[1:3] >= best[1:3]} - {reading.samples}
    notes = _notes(described, reading, probe, best.runs, set() if best.right else rivals)
    if described is from_zero:
        notes = ("layers counted from 0", *notes)
    only = (dtype,) if dtype is not None and reading.assignment == "in_place" else None
    if only and described.dtypes is None:
        notes = (
            *notes,
            f"{dtype} only: parameters are set in place, in arrays that the network made {dtype}",
        )
    return InferredReading(reading, only, notes, described)


def _counted_from_zero(described: Description) -> Description | None:
    """The description with the layers of its parameters counted from 0; None where they are not counted."""
    weights, biases = described.weights, described.biases
    if isinstance(weights, str):
        weights = weights.replace("{}", "{0}")
    if isinstance(biases, str):
        biases = biases.replace("{}", "{0}")
    if (weights, biases) == (described.weights, described.biases):
        return None
    return replace(described, weights=weights, biases=biases)


def _dtype(described: Description, depth: int) -> str | None:
    """The dtype of the weights that a new network has; None where it has none yet."""
    for shape, dtype in _made(described, depth, "weights"):
        if len(shape) == 2 and dtype in ("float32", "float64"):
            return dtype
    return None


def _made(described: Description, depth: int, argument: str) -> list[tuple[tuple[int, ...], str]]:
    """Shapes and dtypes of the arrays of a new network; empty where there are none yet."""
    path = getattr(described, argument)
    if path is None:
        return []
    try:
        with _quietly():
            network = described.make(list(WIDTHS[: depth + 1]))
            arrays = [np.asarray(place.get()) for place in slots(network, path, depth, argument)]
        return [(array.shape, str(array.dtype)) for array in arrays if array.dtype.kind == "f"]
    except Exception:  # the trial, or the first case, shows what is wrong
        return []


def _candidates(described: Description, probe: Case, spec: SpecLike) -> Iterator[Reading]:
    """The readings that what was said, and the shapes of a new network's arrays, leave open; likely ones first."""
    depth = len(probe.layer_sizes) - 1
    n_in, n_out = probe.layer_sizes[:2]
    biases = (
        ["none", "folded_last", "folded_first"] if described.biases is None else ["flat", "row", "column"]
    )
    orientations = list(ORIENTATIONS)
    for shape, _ in _made(described, depth, "weights")[:1]:
        orientations = [
            name
            for name, axes in (("in_out", shape), ("out_in", shape[::-1]))
            if axes in ((n_in, n_out), (n_in + 1, n_out))
        ] or orientations
        if described.biases is None:
            biases = biases[1:] if n_in + 1 in shape else ["none"]
    for shape, _ in _made(described, depth, "biases")[:1]:
        exact = {(n_out,): "flat", (1, n_out): "row", (n_out, 1): "column"}
        biases = [exact[shape]] if shape in exact else biases
    integers = isinstance(spec, Spec) and spec.targets != "real"
    choices: dict[str, list[Any]] = {
        "labels": ["rows", "integer"] if integers else ["rows"],
        "orientation": orientations,
        "bias": biases,
        "samples": list(SAMPLES),
        "assignment": list(ASSIGNMENTS),
    }
    choices.update({name: [value] for name, value in described.said.items()})
    for values in itertools.product(*choices.values()):
        reading = Reading(**dict(zip(choices, values, strict=True)))
        yield reading
        if reading.folded:
            yield replace(reading, ones=True)


class InferenceFit(NamedTuple):
    """The fit of a reading, the better the larger.

    ``batches``: it takes a batch at once, and the gradients of the weights have their shapes. ``matched``: how
    many tensors have the right shape. ``cosine``: how parallel they are to the reference's. ``right``: whether they
    are within their bounds. ``runs``: it does not raise.
    """

    batches: bool
    matched: int
    cosine: float
    right: bool
    runs: bool


def _tried(
    described: Description, reading: Reading, probe: Case, spec: SpecLike
) -> tuple[InferenceFit, Reading]:
    """Return how well a reading fits, and the reading with the form of its gradients found."""
    if reading.labels != "rows":
        probe = replace(probe, labels=reading.labels)
    if isinstance(spec, Spec):
        spec = replace(spec, biases=spec.biases and reading.bias != "none")
    sums = described.sums(spec)
    params, x, y, *_ = probe.arrays()
    try:
        with _quietly():
            if described.update is None:
                result = AdaptedNetwork(described, reading, sums).first_result(params, x, y)
                reading = _formed(described, reading, result, params)
            gradient = AdaptedNetwork(described, reading, sums).gradient(params, x, y)
            if reading.each:
                truth = Truth.of(spec, probe.inputs(), probe.dtype)
                added = AdaptedNetwork(described, replace(reading, each="sum"), sums).gradient(params, x, y)
                if _distance(added, truth) < _distance(gradient, truth):
                    reading, gradient = replace(reading, each="sum"), added
        matched = [a.shape == b.shape for a, b in zip(tensors_of(gradient), tensors_of(params), strict=True)]
        batches = all(matched[::2]) and not reading.samples.startswith("single")
        if not all(matched):
            return InferenceFit(batches, sum(matched), -1.0, right=False, runs=True), reading
        truth = Truth.of(spec, probe.inputs(), probe.dtype)
        cosine = _cosine(tensors_of(gradient), tensors_of(truth.gradient))
        right = (
            judge(widen_by_recovery(truth.tensors, gradient), tensors_of(gradient), probe.dtype).verdict
            == "verified"
        )
        return InferenceFit(batches, len(matched), cosine, right, runs=True), reading
    except Failed as failure:
        # Parameters that cannot be set are the worst: what was run was another network.
        return InferenceFit(
            False, -2 if failure.check == "parameters" else -1, -1.0, right=False, runs=False
        ), reading
    except Exception:  # this reading is not the network's
        return InferenceFit(False, -1, -1.0, right=False, runs=False), reading


def _formed(described: Description, reading: Reading, result: Any, params: Any) -> Reading:
    """The reading with the form of a call's result: the one that gives most tensors the shape of a parameter."""
    if described.gradients is not None:
        return replace(reading, form="named")
    apart = reading.bias in ("flat", "row", "column")
    forms = ("pairs", "lists", "biases_first", "flat") if apart else ("weights",)
    expected = [tensor.shape for layer in params for tensor in layer]
    best, most = replace(reading, form=forms[0]), -1
    for form, backwards in itertools.product(forms, (False, True)):
        candidate = replace(reading, form=form, backwards=backwards)
        try:
            layers = candidate.layers(*candidate.taken_apart(result, len(params)))
        except Exception:  # not of this form
            continue
        matched = sum(t.shape == shape for t, shape in zip(tensors_of(layers), expected, strict=True))
        if matched > most:
            best, most = candidate, matched
    if most <= 0 and reading.samples in ("rows", "columns") and not reading.each:
        each = _formed(described, replace(reading, each="mean"), result, params)
        return each if _fits(each, result, params) else best
    return best


def _fits(reading: Reading, result: Any, params: Any) -> bool:
    """Tell whether a result, read so, has the shapes of the parameters."""
    try:
        layers = reading.layers(*reading.taken_apart(result, len(params)))
    except Exception:  # not of this form
        return False
    return all(a.shape == b.shape for a, b in zip(tensors_of(layers), tensors_of(params), strict=True))


def _distance(gradient: Any, truth: Truth) -> float:
    """Return how far a gradient is from the reference's: that of samples averaged, or added up, is the nearer."""
    pairs = zip(tensors_of(gradient), tensors_of(truth.gradient), strict=True)
    return float(sum(np.linalg.norm(np.ravel(a).astype(np.float64) - np.ravel(b)) for a, b in pairs))


def _cosine(a: list[Array], b: list[Array]) -> float:
    left, right = (np.concatenate([np.ravel(t).astype(np.float64) for t in tensors]) for tensors in (a, b))
    scale = float(np.linalg.norm(left) * np.linalg.norm(right))
    # The sign is a mistake's affair, not a reading's; rounded, so that equals are told apart by their order.
    return round(abs(float(left @ right)) / scale, 6) if np.isfinite(scale) and scale > 0 else -1.0


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Silence the warnings and prints of readings that do not fit."""
    with warnings.catch_warnings(), np.errstate(all="ignore"), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def _notes(
    described: Description, reading: Reading, probe: Case, ran: bool, rivals: set[str]
) -> tuple[str, ...]:
    """Return what was inferred, from what, and how else samples could be read, in lines for the report."""
    tables = {"orientation": ORIENTATIONS, "bias": BIASES, "samples": SAMPLES, "labels": LABELS}
    found = [table[getattr(reading, name)] for name, table in tables.items() if name not in described.said]
    if described.update is not None:
        rates = " and ".join(f"{rate:g}" for rate in described.learning_rates)
        found.append(f"gradient recovered from steps at learning rate {rates}")
    elif FORMS[reading.form]:
        found.append(FORMS[reading.form] + (", last layer first" if reading.backwards else ""))
    if reading.each:
        found.append(EACH[reading.each])
    if reading.assignment == "in_place":
        found.append(ASSIGNMENTS["in_place"])
    if reading.ones:
        found.append("x with ones")
    sizes = f"{'-'.join(map(str, probe.layer_sizes))}, batch {probe.batch}"
    source = f"inferred on {sizes}" if ran else f"no reading ran on {sizes}; this is the first that was tried"
    notes = [*_lines(found), f"({source})"] if found else []
    if rivals:
        also = ", or ".join(f"{SAMPLES[name]} (samples='{name}')" for name in SAMPLES if name in rivals)
        notes.append(f"(it would also run with {also})")
    return tuple(notes)


def _lines(phrases: list[str], width: int = 80) -> list[str]:
    lines = [""]
    for phrase in phrases:
        if lines[-1] and len(lines[-1]) + len(phrase) + 2 > width:
            lines.append("")
        lines[-1] += ("; " if lines[-1] else "") + phrase
    return lines
