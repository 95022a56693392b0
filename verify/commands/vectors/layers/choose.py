"""Choosing the vectors of a layer: small cases, of which few catch every mistake of its chapter."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from verify.case.layers.case import LayerCase
from verify.case.layers.cases import layer_case_refusal
from verify.case.layers.values import REGIMES
from verify.commands.vectors.cover import DEPTH, cover
from verify.commands.vectors.layers.vector import (
    LayerVector,
    draft_layer_vector,
    layer_truths,
    layer_vector_of_case,
)
from verify.diagnosis.layer_mistake_program import layer_mistake_program
from verify.diagnosis.mistakes.layers import LAYER_CATALOGUE, LayerMistake
from verify.evaluate.array import Array
from verify.evaluate.bounds import Arithmetic, evaluate_with_bounds
from verify.evaluate.program import NoRule
from verify.reference.reference import Reference
from verify.reference.shapes import Shape

_SIZES = (1, 2, 2, 3, 3, 4)
"""What is drawn for each symbol."""

_CHOICES = 4
"""The most choices of a derivative that a vector has; at more, too many answers would be accepted."""

_DEAR = 8
"""A vector of more than one answer is taken only for mistakes that others do not catch."""


def layer_cases_to_choose_from(reference: Reference, dtype: str, n: int, seed: int) -> list[LayerCase]:
    """Small cases of a layer: some n / 7 settings of sizes and options, each in every regime.

    Each value of an option comes up as often as the others. The same seed gives the same cases, in both formats.
    """
    rng = np.random.default_rng(seed)
    found: list[LayerCase] = []
    drawn = 0
    while len(found) < n:
        # Other sizes for the same options, until they can be called so; or else other options.
        case = _setting(reference, dtype, len(found) // len(REGIMES) + drawn // 100, rng)
        drawn += 1
        if layer_case_refusal(reference, case.sizes, case.options) is None:
            found += [
                replace(case, regime=regime, seed=int(rng.integers(2**24)))
                for regime in tuple(REGIMES)[: n - len(found)]
            ]
    return found


def _setting(reference: Reference, dtype: str, number: int, rng: np.random.Generator) -> LayerCase:
    sizes = {symbol: int(rng.choice(_SIZES)) for symbol in reference.symbols}
    options: list[tuple[str, Any]] = []
    for name, value in reference.options.items():
        if isinstance(value, (str, int)):
            options.append((name, Shape(str(value)).at(sizes)[0]))
        else:
            # Two options of as many values do not go through them side by side.
            turn = (number + number // len(value) * len(options)) % len(value)
            options.append((name, value[turn]))
    return LayerCase(tuple(sizes.items()), tuple(options), dtype)


@functools.cache
def layer_mistakes_to_catch(reference: Reference) -> tuple[LayerMistake, ...]:
    """The mistakes in a layer that its vectors are to catch: those that change some entry, on some of seventy cases.

    Dividing by the batch, say, changes nothing where the output is one number.
    """
    cases = layer_cases_to_choose_from(reference, "float64", 70, 0)
    drafts = [draft_layer_vector(reference, case, layer_truths(reference, case)) for case in cases]
    return tuple(
        mistake
        for mistake in LAYER_CATALOGUE
        if mistake.counts(reference) and any(_changes(mistake, each) for each in drafts)
    )


def _changes(mistake: LayerMistake, each: LayerVector) -> bool:
    wrong = _wrong_gradients(mistake, each)
    # Before it is certified, what a vector expects are the reference's own values.
    return wrong is not None and any(
        not np.array_equal(a, b, equal_nan=True) for a, b in zip(wrong, each.answers[0].expected, strict=True)
    )


def _wrong_gradients(mistake: LayerMistake, each: LayerVector) -> list[Array] | None:
    """The gradients that a mistake gives for a vector, rounded once to its format; None where it has none."""
    setting = each.reference.at(dict(each.sizes), dict(each.options))
    try:
        program = layer_mistake_program(mistake, setting)
    except (TypeError, ValueError, IndexError, NoRule):
        return None
    given = setting.backward.inputs(each.inputs, setting.cotangent(list(each.cotangents)))
    pairs = evaluate_with_bounds(program, given, Arithmetic.judging("float64", {}))
    with np.errstate(over="ignore"):
        return [value.astype(each.dtype) for value, _ in pairs]


def layer_vectors_failed_by(mistake: LayerMistake, vectors: Sequence[LayerVector]) -> list[bool]:
    """Return which vectors of a layer a mistake fails."""
    gradients = [_wrong_gradients(mistake, each) for each in vectors]
    return [
        wrong is not None and not each.accepts(wrong) for wrong, each in zip(gradients, vectors, strict=True)
    ]


def choose_layer_vectors(reference: Reference, dtype: str, n: int, seed: int) -> list[LayerVector]:
    """A group: few vectors that between them catch every mistake that any of n candidates catches.

    They are picked by `cover`, so that each mistake is caught and each kind of case is there. After the smallest comes
    one of the same shapes, where stale caches show.
    """
    mistakes = layer_mistakes_to_catch(reference)
    drafts = list(_drafts(reference, layer_cases_to_choose_from(reference, dtype, n, seed)))
    if not drafts:
        return []
    caught = np.array(
        [layer_vectors_failed_by(mistake, [one for _, one in drafts]) for mistake in mistakes]
    ).T
    kinds = _kinds([case for case, _ in drafts])
    sizes = np.array([one.size * (_DEAR if len(one.answers) > 1 else 1) for _, one in drafts])
    depth = np.repeat([DEPTH, 1], [caught.shape[1], kinds.shape[1]])
    picked = cover(np.hstack([caught, kinds]), sizes, depth)
    cases = [drafts[i][0] for i in sorted(picked, key=lambda i: int(sizes[i]))]
    again = (replace(cases[0], seed=cases[0].seed + i) for i in range(1, 20))
    cases[1:1] = [case for case, _ in itertools.islice(_drafts(reference, again), 1)]
    made = [layer_vector_of_case(reference, case, layer_truths(reference, case)) for case in cases]
    vectors = [each for each in made if each is not None]
    seen = [(mistake.name, layer_vectors_failed_by(mistake, vectors)) for mistake in mistakes]
    return [
        replace(each, flags=tuple(name for name, failed in seen if failed[i]))
        for i, each in enumerate(vectors)
    ]


def _drafts(reference: Reference, cases: Iterable[LayerCase]) -> Iterator[tuple[LayerCase, LayerVector]]:
    """Cases that have few answers, each with its draft."""
    for case in cases:
        truths = layer_truths(reference, case)
        one = draft_layer_vector(reference, case, truths)
        if one.says_something and len(one.answers) <= _CHOICES:
            yield case, one


def _kinds(cases: Sequence[LayerCase]) -> Array:
    """The kinds of cases, (cases, kinds): each value of an option, each regime, sizes that all differ from 1."""
    of = [{*case.options, case.regime, min(size for _, size in case.sizes) > 1} for case in cases]
    kinds = sorted(set().union(*of) - {False, "ties"}, key=repr)
    return np.array([[kind in own for kind in kinds] for own in of])
