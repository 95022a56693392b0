"""Choosing vectors: small cases drawn for a spec, of which few catch every mistake that any of them catches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from verify.case.case import LABELS, REGIMES, Case
from verify.case.cases import suitable_regimes
from verify.commands.vectors.cover import cover
from verify.commands.vectors.vector import Vector, failed_vectors, flagged_vectors, vector_of_case
from verify.diagnosis.mistakes import CATALOGUE, Mistake, wrong_gradient
from verify.reference.spec import Spec
from verify.reference.truth import Truth, tensors_of

RELEASE = (
    Spec(),
    Spec("relu"),
    Spec("relu", "softmax", "squared_error"),
    Spec("tanh", "identity", "squared_error", "mean_all"),
    Spec("leaky_relu", "sigmoid", "binary_cross_entropy", "sum", l2=0.1),
    Spec("identity", "tanh", "squared_error", "half_mean"),
    Spec("tanh", "softmax", "cross_entropy", "half_mean_all"),
    Spec("sigmoid", "sigmoid", "squared_error", "half_sum"),
)
"""The specs of the release set: every activation, every output with every loss of its own, every reduction."""

_DEPTHS = {"float64": 6, "float32": 4}
"""Layers of a deep network; in float32 the bounds of a deeper one say nothing."""


def vectors_to_choose_from(spec: Spec, dtype: str, n: int, seed: int) -> list[Case]:
    """Small cases of every regime that has small ones, in turn: the same ones for the same seed."""
    rng = np.random.default_rng([seed, dtype == "float32"])
    regimes = [
        name for name in suitable_regimes(tuple(REGIMES), labels="rows", layers=None) if name != "wide"
    ]
    usual, soft = LABELS[spec.targets]
    found = []
    for i in range(n):
        regime = regimes[i % len(regimes)]
        depth = {"no_hidden": 1, "deep": _DEPTHS[dtype]}.get(regime, int(rng.integers(1, 4)))
        sizes = [int(size) for size in rng.integers(2, 4 if regime == "deep" else 6, depth + 1)]
        if regime == "width_1":
            sizes[int(rng.integers(depth))] = 1
        batch = 1 if regime == "batch_1" else int(rng.integers(2, 6))
        labels = soft if regime == "soft_labels" else usual
        found.append(Case(tuple(sizes), batch, dtype, regime, labels, "C", int(rng.integers(2**24))))
    return found


def mistakes_to_catch(spec: Spec) -> list[Mistake]:
    """The mistakes that vectors are to catch: those of the catalogue that are mistakes for a spec, each with
    every constant that it has there.
    """
    return [variant for mistake in CATALOGUE if mistake.counts(spec) for variant in mistake.variants]


def _fails(spec: Spec, mistake: Mistake, vectors: Sequence[Vector]) -> list[bool]:
    """Return which vectors of a group a mistake fails; one that draws at random, those that some draw fails."""
    if mistake.draws is None:
        return failed_vectors(vectors, wrong_gradient(spec, mistake))
    right = wrong_gradient(spec)
    return [
        not all(
            each.accepts(gradient)
            for gradient in mistake.draws(right, each.layers(each.params), each.x.copy(), each.y.copy())
        )
        for each in vectors
    ]


def choose_vectors(spec: Spec, dtype: str, n: int, seed: int) -> list[Vector]:
    """A group: few vectors that between them catch every mistake that any of n candidates catches.

    They are picked by `cover`. After the smallest come one of the same shapes and one of fewer rows, where stale caches
    and reused buffers show.
    """
    mistakes = mistakes_to_catch(spec)
    drafts = [draft for case in vectors_to_choose_from(spec, dtype, n, seed) if (draft := _draft(spec, case))]
    caught = np.array([[_fails(spec, m, [draft])[0] for m in mistakes] for _, _, draft in drafts])
    sizes = np.array([draft.size for _, _, draft in drafts])
    picked = cover(caught, sizes)
    cases = [drafts[i][0] for i in picked]
    first = min((case for case in cases if case.batch > 2), key=_numbers, default=None)
    if first is not None:
        cases += [
            replace(first, seed=first.seed + 1),
            replace(first, seed=first.seed + 2, batch=first.batch - 1),
        ]
        cases.sort(key=lambda case: (case.layer_sizes, case.batch) != (first.layer_sizes, first.batch))
    made = [vector_of_case(spec, case, Truth.of(spec, case.inputs(), dtype)) for case in cases]
    vectors = [each for each in made if each is not None]
    return flagged_vectors(vectors, [(m.name, _fails(spec, m, vectors)) for m in mistakes])


def _numbers(case: Case) -> int:
    return sum(a * b for a, b in zip(case.layer_sizes, case.layer_sizes[1:], strict=False))


def _draft(spec: Spec, case: Case) -> tuple[Case, Truth, Vector] | None:
    """A vector as it will be, with the reference's own values in place of certified ones, which take longer."""
    truth = Truth.of(spec, case.inputs(), case.dtype)
    if not all(np.isfinite(value).all() and np.isfinite(bound).all() for value, bound in truth.tensors):
        return None
    params, x, y, *_ = case.arrays()
    joined = [np.concatenate([pair[i].ravel() for pair in truth.tensors]) for i in range(2)]
    flat_params = np.concatenate([tensor.ravel() for tensor in tensors_of(params)])
    expected, bound = (part.astype(case.dtype) for part in joined)
    return case, truth, Vector(spec, case.dtype, case.layer_sizes, flat_params, x, y, expected, bound)
