"""A gradient beside the other choices of a derivative, where numbers tie: see `verify.evaluate.tie_choices`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from verify.evaluate import tie_choices
from verify.evaluate.array import Array
from verify.evaluate.bounds.arithmetic import REFERENCE_ROUNDOFF, Pair
from verify.evaluate.choice_shares import solve_choice_shares
from verify.evaluate.decided_ties import decide_ties, undecided_ties
from verify.evaluate.ties import Tie, tie_directions, tie_outcomes_towards, tied_operations, ties_of
from verify.reference.judge import Judgement, judge, roots
from verify.reference.tensors import Tensor
from verify.reference.truth import Truth

TOO_MANY = f"more than {tie_choices.MOST} choices at ties: not each was tried by itself"
"""What a judgement notes where no choice that was tried gives the gradient, and not all were."""

NEARLY = "a choice at ties gives nearly this gradient, but not within its bound"
"""What a judgement notes where the error beside the closest choice is under sqrt(u) of its tensor."""


def judged_at_ties(
    truth: Truth, gradient: list[Array], names: Sequence[Tensor]
) -> tuple[str, Judgement, Truth | None] | None:
    """Judge a gradient, which is not the reference's, by other choices at ties.

    Parameters
    ----------
    truth
        The reference's.
    gradient, names
        The tensors, of the dtype that the truth's bounds are for, and their names.

    Returns
    -------
    tuple of str, Judgement and Truth, or None
        The choice, in words, the judgement beside it, and the truth of it, where it is one alone; None where
        no choice gives this gradient. Where a choice gives it to sqrt(u) but not within its bound, and where there
        are more ties than can be decided one by one, the judgement is inconclusive.
    """
    program, inputs, dtype = truth.program, truth.inputs, truth.dtype
    where = tied_operations(program, inputs)
    if not where:
        return None

    # Its bounds hold every choice: what they do not hold is none.
    widest = truth.by(undecided_ties(program, where), dtype).tensors
    if judge(widest, gradient, dtype, names=names).verdict == "wrong":
        return None
    shapes = [np.shape(inputs[program.inputs.index(slot)]) for slot in program.differentiated]
    for name, direction in tie_directions(shapes):
        decided = decide_ties(program, where, tie_outcomes_towards(program, inputs, direction, where))
        other = truth.by(decided, dtype)
        found = judge(other.tensors, gradient, dtype, names=names, reference=other)
        if found.verdict != "wrong":
            return name, found, other
    ties = ties_of(program, where)
    search = _Search(truth, where, ties)
    near: tuple[str, Judgement, None] | None = None
    flat = np.concatenate([np.ravel(tensor).astype(float) for tensor in gradient])
    for mean in search.tried(flat):
        pairs, alone = search.pairs(mean)
        found = judge(pairs, gradient, dtype, names=names, reference=alone)
        if found.verdict != "wrong":
            return mean.described(ties), found, alone
        if near is None and _near(found, dtype):
            near = NEARLY, replace(found, verdict="inconclusive", note=NEARLY), None
    if near is not None:
        return near
    if tie_choices.count_tie_choices(ties) > tie_choices.MOST:
        vague = judge(widest, gradient, dtype, names=names)
        return TOO_MANY, replace(vague, verdict="inconclusive", note=TOO_MANY), None
    return None


def _near(judgement: Judgement, dtype: npt.DTypeLike) -> bool:
    """Tell if no entry is off by more than sqrt(u) of its tensor's largest."""
    assert judgement.entries is not None
    share, least_scale = roots(np.dtype(dtype))
    ends = np.cumsum([math.prod(shape) for shape in judgement.entries.shapes])[:-1]
    tensors = zip(
        *(np.split(part, ends) for part in (judgement.entries.got, judgement.entries.expected)), strict=True
    )
    return all(
        float(abs(got - expected).max(initial=0.0))
        <= share * max(float(abs(expected).max(initial=0.0)), least_scale)
        for got, expected in tensors
    )


class _Search:
    """The choices at the ties of one call, and what gradients they give."""

    def __init__(self, truth: Truth, where: dict[int, Array], ties: list[Tie]) -> None:
        self.truth, self.where, self.ties = truth, where, ties

    def tried(self, gradient: Array) -> Iterator[tie_choices.MeanChoice]:
        """Choices that may give a gradient."""
        yield from tie_choices.tie_choices_alike(self.ties)
        if tie_choices.count_tie_choices(self.ties) <= tie_choices.MOST:
            yield from solve_choice_shares(self.ties, self._evaluate, gradient)

    def pairs(self, mean: tie_choices.MeanChoice) -> tuple[list[Pair], Truth | None]:
        """The gradient of a mean of choices with its bounds; of one choice also what knows of the exact gradient.

        A backward pass is linear in what comes back, and its bound convex in it: the bound of a mean is the mean of the
        bounds, with one rounding more wherever a slope is between two, and those of taking the mean here.
        """
        if len(mean.choices) == 1:
            truth = self._truth(mean.choices[0])
            return truth.tensors, truth
        parts = [self._truth(choice, between=True).tensors for choice in mean.choices]
        slack = (len(parts) + 3) * REFERENCE_ROUNDOFF
        pairs = []
        for of_tensor in zip(*parts, strict=True):
            weighted = list(zip(mean.weights, of_tensor, strict=True))
            value = np.sum([weight * v for weight, (v, _) in weighted], axis=0)
            bound = np.sum([weight * (e + slack * (abs(v) + e)) for weight, (v, e) in weighted], axis=0)
            pairs.append((value, bound))
        return pairs, None

    def _truth(self, choice: tie_choices.Choice, between: bool = False) -> Truth:
        outcomes = tie_choices.tie_choice_outcomes(self.ties, choice, self.where)
        decided = decide_ties(self.truth.program, self.where, outcomes, between)
        return self.truth.by(decided, self.truth.dtype)

    def _evaluate(self, choice: tie_choices.Choice) -> tuple[Array, Array]:
        pairs = self._truth(choice).tensors
        return tuple(np.concatenate([np.ravel(p[i]) for p in pairs]) for i in (0, 1))  # type: ignore[return-value]
