"""One row of a table: every peer does one task, is checked, and then timed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from verify.commands.bench.crew import CrewMember, CrewMemberFailed
from verify.commands.bench.measure import Effort, MeasuredSpread, measured_ratios, take_turns
from verify.commands.bench.peers import KINDS, OURS
from verify.commands.bench.peers.peer import PeerUnsupported
from verify.commands.bench.task import Task
from verify.commands.bench.true_results import TrueClasses, TrueResult

WRONG = "wrong: "
"""How the note on a peer begins whose result is not what it should be."""


@dataclass(frozen=True)
class BenchRow:
    """A row of the bench's results: the measurements of one task.

    Attributes
    ----------
    kind, cell, dtype, threads
        ``gradient``, ``epoch`` or ``prediction``, the name of the cell, and what all peers were given.
    checked
        What every timed result was found to lie within: ``error bound`` or ``sqrt(u)``.
    rounds
        How many turns each peer had.
    seconds
        For each peer, seconds a call.
    ratios
        For each peer but ours, its time over ours.
    notes
        For each peer that was not timed, why.
    """

    kind: str
    cell: str
    dtype: str
    threads: int
    checked: str
    rounds: int = 0
    seconds: dict[str, MeasuredSpread] = field(default_factory=dict)
    ratios: dict[str, MeasuredSpread] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)

    @property
    def ours_is_wrong(self) -> bool:
        """Tell whether this project's own result was not what it should be."""
        return self.notes.get(OURS, "").startswith(WRONG)


def measure_row(
    task: Task,
    truth: TrueResult | TrueClasses,
    members: Mapping[str, CrewMember],
    effort: Effort,
    threads: int,
) -> BenchRow:
    """Let every member do the task, compare what it returns with the truth, and time those that are right."""
    row = BenchRow(task.kind, str(task.cell), task.dtype, threads, truth.method)
    ready = {}
    for name, member in members.items():
        note = _note_on(member, task, truth)
        if note:
            row.notes[name] = note
        else:
            ready[name] = member
    taken = _times(ready, effort, row.notes)
    for member in ready.values():
        if member.name in taken:
            member.ask("drop")
    # A peer that trained on fewer rows would have taken in proportion longer for all of them.
    whole = {name: _rows_for(name, task) for name in taken}
    for name, times in taken.items():
        if task.rows is not None:
            taken[name] = [seconds * task.rows / (whole[name] or task.rows) for seconds in times]
    return replace(
        row,
        rounds=len(next(iter(taken.values()), [])),
        seconds={name: MeasuredSpread.of(times) for name, times in taken.items()},
        ratios=measured_ratios(taken, OURS) if OURS in taken else {},
    )


def _rows_for(name: str, task: Task) -> int | None:
    limit = KINDS[task.kind][name].rows_at_most
    return task.rows if task.rows is None or limit is None else min(task.rows, limit)


def _note_on(member: CrewMember, task: Task, truth: TrueResult | TrueClasses) -> str | None:
    """Prepare a member for the task and check its result; what stands in the way, or None.

    An epoch over the rows of a single batch takes one step, whatever the order of the rows: that is what is checked.
    """
    name = member.name
    try:
        if task.kind == "epoch":
            member.ask("prepare", replace(task, rows=task.cell.batch))
            result = member.ask("result")
            member.ask("prepare", replace(task, rows=_rows_for(name, task)))
        else:
            member.ask("prepare", task)
            result = member.ask("result")
    except PeerUnsupported as reason:
        return f"not possible: {reason}"
    except CrewMemberFailed as error:
        return f"failed: {error}"
    if result is None:
        return None
    loss, tensors = result
    fault = truth.fault(loss, tensors, task.dtype)
    return f"{WRONG}{fault}" if fault else None


def _times(members: dict[str, CrewMember], effort: Effort, notes: dict[str, str]) -> dict[str, list[float]]:
    """The times of all peers; one that fails on the way is noted, and the others start again."""
    while members:
        try:
            return take_turns(members, effort)
        except CrewMemberFailed as error:
            notes[error.name] = f"failed: {error}"
            members = {name: member for name, member in members.items() if name != error.name}
    return {}
