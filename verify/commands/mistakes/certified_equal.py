"""Mistakes that make the right gradient, or that of others, on small cases: compared in certified balls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flint
import numpy as np

from verify.case.case import LABELS, Case
from verify.diagnosis.mistakes import Mistake, wrong_gradient
from verify.evaluate import balls
from verify.reference.derivative import traced_derivative
from verify.reference.spec import Spec
from verify.reference.tensors import layers_of_tensors
from verify.reference.truth import tensors_of


def small_cases(spec: Spec) -> list[Case]:
    """Cases on which gradients are compared in balls: unequal and equal widths, with and without hidden layers."""
    labels = LABELS[spec.targets][1]
    sizes = ((2, 3, 2), (3, 3), (3, 3, 3, 3), (4, 2, 3))
    return [Case(s, 1 + i, regime="soft_labels", labels=labels, seed=i) for i, s in enumerate(sizes)]


def certified_equal(
    spec: Spec, mistakes: Sequence[Mistake], cases: Sequence[Case], others: Sequence[Mistake] | None = None
) -> bool | None:
    """Tell whether mistakes make the right gradient (or that of others) on some cases, in balls; None where
    balls cannot.

    Every ball must meet the other, and both be so narrow that what they could still differ by is far below any
    rounding. Where the one raises, so must the other.
    """
    if any(mistake.state or "keep" in mistake.pieces for mistake in (*mistakes, *(others or ()))):
        return None
    for case in cases:
        with flint.ctx.workprec(192):
            wrong = _in_balls(spec, mistakes, case)
            if others is None:
                right: list[Any] | None = balls.evaluate_in_balls(
                    traced_derivative(spec, case.sizes), case.inputs(), case.sizes
                )[1:]
            else:
                right = _in_balls(spec, others, case)
            if wrong is None or right is None:
                if others is None:
                    return None
                if (wrong is None) != (right is None):
                    return False
                continue
            for made, true in zip(wrong, right, strict=True):
                if made.shape != true.shape or not all(map(_alike, made.flat, true.flat)):
                    return False
    return True


def _in_balls(spec: Spec, mistakes: Sequence[Mistake], case: Case) -> list[Any] | None:
    """The gradient that mistakes make, as arrays of balls; None where it cannot be made."""
    *params, x, y = (balls.exact_balls(array) for array in case.inputs())
    try:
        return tensors_of(wrong_gradient(spec, *mistakes)(layers_of_tensors(params), x, y))
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError):
        return None


def _alike(a: Any, b: Any) -> bool:
    difference = flint.arb(a) - flint.arb(b)
    return bool(difference.contains(0)) and float(difference.rad()) <= np.ldexp(1.0, -100)
