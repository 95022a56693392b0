"""Search the choices at ties for those that give a gradient: for each tie, the shares of its choices."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from verify.evaluate.array import Array
from verify.evaluate.tie_choices import OWN, Choice, MeanChoice, coupled_tie_choices
from verify.evaluate.ties import Tie


def solve_choice_shares(
    ties: Sequence[Tie], evaluate: Callable[[Choice], tuple[Array, Array]], found: Array
) -> Iterator[MeanChoice]:
    """Solve for the shares of choices that come close to a gradient: the closest choice, the closest mean, and what
    that is near to.

    Parameters
    ----------
    ties
        The ties.
    evaluate
        The gradient of a choice, all tensors in one vector, and its bound.
    found
        The gradient that is looked for.

    Notes
    -----
    The effect of each tie's choices is measured by itself, beside one choice for all; where ties lie behind one
    another, the effects multiply, and the one that came closest takes its place.
    """
    beside: Choice = (OWN,) * len(ties)
    for _ in range(_ROUNDS):
        value, bound = evaluate(beside)
        if not np.isfinite(value).all():
            return
        effects = {
            (t, number): evaluate((*beside[:t], number, *beside[t + 1 :]))[0] - value
            for t, tie in enumerate(ties)
            for number in range(len(tie.choices))
            if number != beside[t]
        }
        shares, even = _closest(ties, beside, effects, found - value, bound)
        nearest = tuple(int(np.argmax(of_tie)) for of_tie in shares)
        yield MeanChoice((1.0,), (nearest,))  # one choice says more than a mean
        for found_shares in (_near(shares), shares, even):
            yield coupled_tie_choices(found_shares)
        if nearest == beside:
            return
        beside = nearest


_ROUNDS = 4


def _closest(
    ties: Sequence[Tie], beside: Choice, effects: Mapping[tuple[int, int], Array], wanted: Array, bound: Array
) -> tuple[list[Array], list[Array]]:
    """The shares of each tie's choices whose effects sum to what is wanted, as closely as can be.

    Twice, since several may do, and their roundings differ: with few choices, and with shares as even as can be.
    """
    shares = [np.eye(len(tie.choices))[number] for tie, number in zip(ties, beside, strict=True)]
    even = list(shares)
    moved = [
        np.flatnonzero(
            np.logical_or.reduce([effects[t, n] != 0 for n in range(len(tie.choices)) if n != beside[t]])
        )
        for t, tie in enumerate(ties)
    ]
    size = np.max([abs(effect) for effect in effects.values()], axis=0)
    room = bound + 2.0**-50 * size  # of an exact entry: the roundings of the effects
    for group in _together(moved):
        rows = np.unique(np.concatenate([moved[t] for t in group]))
        rows = rows[np.isfinite(bound[rows])]  # elsewhere, any number is within the bound
        if not rows.size:
            continue
        columns = [(t, n) for t in group for n in range(len(ties[t].choices))]
        none = np.zeros(rows.size)
        of_choices = np.array([effects[c][rows] if c in effects else none for c in columns]).T
        of_tie = np.array([[float(t == u) for u, _ in columns] for t in group])
        with np.errstate(all="ignore"):  # an infinite effect makes the target NaN
            matrix = of_choices / room[rows, np.newaxis]
            largest = abs(matrix).max()
            target = np.concatenate([wanted[rows] / room[rows] / largest, np.ones(len(group))])
        if not np.isfinite(target).all():
            continue
        solution = _least_squares(np.concatenate([matrix / largest, of_tie]), target)
        of_rows = of_choices, of_tie, wanted[rows], room[rows]
        alike = of_tie.T @ (1 / of_tie.sum(axis=1))
        for start, result in ((solution, shares), (_evenly(*of_rows, alike), even)):
            refined = _refined(*of_rows, start)
            for t in group:
                part = np.array([x for (u, _), x in zip(columns, refined, strict=True) if u == t])
                if part.any():
                    result[t] = part
    return shares, even


def _least_squares(matrix: Array, target: Array) -> Array:
    """The closest combination of columns with no negative factor; zeros where it is not found."""
    from scipy.optimize import nnls  # slow to import, and rarely needed

    try:
        solution: Array = nnls(matrix, target, maxiter=_STEPS * matrix.shape[1])[0]
    except RuntimeError:  # more steps than allowed
        return np.zeros(matrix.shape[1])
    return solution


def _refined(effects: Array, of_tie: Array, wanted: Array, room: Array, shares: Array) -> Array:
    """Shares without the rounding errors of the search: one step of iterative refinement, on those that are not 0."""
    fixed = [int(np.argmax(shares * own)) for own in of_tie]  # they have what the others leave
    free = [k for k in np.flatnonzero(shares) if k not in fixed]
    if not free:
        return shares
    leaving = np.array([fixed[int(np.argmax(of_tie[:, k]))] for k in free])
    moves = effects[:, free] - effects[:, leaving]
    left = 1 - of_tie.astype(np.longdouble) @ np.where(np.isin(np.arange(len(shares)), fixed), 0, shares)
    exact = shares.astype(np.longdouble)
    exact[fixed] = left
    residual = wanted - effects.astype(np.longdouble) @ exact
    step, *_ = np.linalg.lstsq(
        moves / room[:, np.newaxis], np.asarray(residual / room, dtype=float), rcond=None
    )
    refined = shares.copy()
    refined[free] = np.maximum(shares[free] + step, 0.0)
    refined[fixed] = 0.0
    of_free = of_tie @ refined
    refined /= np.maximum(of_tie.T @ of_free, 1.0)
    refined[fixed] = np.maximum(1 - of_free, 0.0)
    return refined


def _evenly(effects: Array, of_tie: Array, wanted: Array, room: Array, shares: Array) -> Array:
    """Shares near to these: a step towards what is wanted, and again from a little of each, while some are cut at 0."""
    for _ in range(_STEPS):
        nearer = _refined(effects, of_tie, wanted, room, shares)
        if nearer.all():
            return nearer
        shares = np.where(nearer == 0, _BARELY, nearer)
        shares /= of_tie.T @ (of_tie @ shares)
    return nearer


_BARELY = 1e-3
_STEPS = 30


def _together(moved: Sequence[Array]) -> list[list[int]]:
    """The ties in groups that move no entry in common."""
    group_of: dict[int, int] = {}
    groups: dict[int, list[int]] = {}
    for t, entries in enumerate(moved):
        joined = {group_of[entry] for entry in entries.tolist() if entry in group_of}
        members = [t, *(u for g in joined for u in groups.pop(g))]
        groups[t] = sorted(members)
        for u in members:
            group_of.update(dict.fromkeys(moved[u].tolist(), t))
    return list(groups.values())


def _near(shares: Sequence[Array]) -> list[Array]:
    """Shares that are nearly 0, a half or 1 as just that, where they still sum to 1."""
    near = []
    for of_tie in shares:
        rounded = np.where(abs(2 * of_tie - np.rint(2 * of_tie)) < _NEARLY, np.rint(2 * of_tie) / 2, of_tie)
        near.append(rounded if math.isclose(rounded.sum(), 1) else of_tie)
    return near


_NEARLY = 1e-3
