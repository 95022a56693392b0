"""A finding: one way in which a gradient failed, at the simplest case that shows it."""

from __future__ import annotations

import math
import textwrap
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from verify.case.case import Case
from verify.case.layers.case import LayerCase
from verify.checks import entry_plots
from verify.checks.columns import wrap_columns
from verify.checks.entries import TensorEntries, summarise_entries
from verify.checks.html.page import html_part
from verify.checks.row_shares import RowsWithShares
from verify.reference.judge import Judgement
from verify.subject.failed import Failed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ON_SCREEN = 14
"""Lines of a diagnosis that a report shows: with the rest of it, they fit on a screen of 40."""


@dataclass(frozen=True)
class FindingExample:
    """A case of a finding, and the tensors that a gradient function returned for it, for pictures."""

    case: Case | LayerCase
    entries: tuple[TensorEntries, ...] = field(repr=False)

    @classmethod
    def of(cls, case: Case | LayerCase, judgement: Judgement) -> FindingExample | None:
        """The case with a summary of what was judged; None where the entries were not kept."""
        return cls(case, summarise_entries(judgement.entries)) if judgement.entries is not None else None


@dataclass(frozen=True)
class Finding:
    """One way in which a gradient failed, at the simplest case that shows it.

    Attributes
    ----------
    verdict, check
        A name from ``verify.reference.judge.VERDICTS`` and one from ``verify.checks.table.CHECKS``.
    detail
        What the check asked, or what happened, in one sentence.
    case
        The simplest case that shows it.
    judgement
        The entry that shows it; None where the finding is not about a number.
    regimes
        For each regime, how many of a sample of fresh cases fail, and how many were tried.
    diagnosis, mistakes
        What is wrong, in words, and the names of the mistakes; empty where none is proved.
    reproduce
        Lines of Python that show the failure in a fresh interpreter.
    entries
        The tensors of the simplest case, for pictures; empty where the finding is not about a number.
    larger
        A larger case that fails too, of the fresh ones, with its tensors: patterns show there.
    rows
        How much of each row of a batch is in what was returned for it; None where rows do not account for it.
    """

    verdict: str
    check: str
    detail: str
    case: Case | LayerCase
    judgement: Judgement | None = None
    regimes: dict[str, tuple[int, int]] = field(default_factory=dict)
    diagnosis: str = ""
    mistakes: tuple[str, ...] = ()
    reproduce: str = ""
    entries: tuple[TensorEntries, ...] = field(default=(), repr=False)
    larger: FindingExample | None = field(default=None, repr=False)
    rows: RowsWithShares | None = field(default=None, repr=False)

    @property
    def regime(self) -> str:
        """The regime of the simplest failing case."""
        return self.case.regime

    @property
    def dtype(self) -> str:
        """The dtype of the simplest failing case."""
        return self.case.dtype

    @property
    def tensor(self) -> str:
        """The tensor that shows it, such as ``weight of layer 2``; empty where no number does."""
        return self.judgement.tensor if self.judgement else ""

    @property
    def error(self) -> float:
        """The error of the entry that shows it; NaN where no number does."""
        return self.judgement.error if self.judgement else math.nan

    @property
    def bound(self) -> float:
        """The bound of the entry that shows it; NaN where no number does."""
        return self.judgement.bound if self.judgement else math.nan

    def plot(self, ax: Axes | None = None, kind: str = "") -> Figure:
        """Draw the tensor that is worst, in the larger failing case where there is one; return the matplotlib figure.

        Parameters
        ----------
        ax
            Axes to draw into; by default, those of a new figure.
        kind
            ``map``: error over bound, entry by entry. ``scatter``: got against expected. Not given: both, or the
            map where axes are given.
        """
        return entry_plots.plot_entries(self.larger.entries if self.larger else self.entries, ax, kind)

    def _repr_html_(self) -> str | None:
        """The finding for a notebook; None, so that it shows text, where Jinja2 is not installed."""
        return html_part("finding", finding=_plain(self), mistakes={})

    def _repr_pretty_(self, printer: Any, _: bool) -> None:
        """The text for a notebook that shows no HTML, and for IPython."""
        printer.text(str(self))

    def short(self) -> str:
        """The finding in a line or two."""
        tensor = f", {self.tensor}" if self.tensor else ""
        return f"also {self.verdict}: {self.check} ({self._place()}{tensor})\n{_wrapped(self.detail)}"

    def _place(self) -> str:
        return f"{self.regime}: {self.case.described()}"

    def __str__(self) -> str:
        lines = [f"{self.verdict}: {self.check}", _wrapped(self.detail)]
        lines.append(f"  simplest case    {self._place()}")
        if self.judgement:
            j = self.judgement
            entry = f"[{', '.join(map(str, j.index))}]" if j.index else ""
            lines += [
                f"  where            {j.tensor}{entry}: got {j.got:.9g}, expected {j.expected:.9g}",
                f"  off by           {_off_by(j)}",
            ]
        if self.judgement and self.judgement.note:
            lines.append(_wrapped(self.judgement.note))
        if any(n for _, n in self.regimes.values()):
            lines.append("  fails in         " + wrap_columns(self._failing()))
        if self.diagnosis:
            said = self.diagnosis.splitlines()
            lines += ["  " + line for line in said[:_ON_SCREEN]]
            if len(said) > _ON_SCREEN:
                lines.append(f"  ... and {len(said) - _ON_SCREEN} lines more: finding.diagnosis, or --json")
        if self.reproduce:
            lines += ["  reproduce:", *("    " + line for line in self.reproduce.splitlines())]
        return "\n".join(lines)

    def _failing(self) -> list[str]:
        """The regimes in which it fails, with the fraction of fresh cases that do, and then the others."""
        tried = {name: counts for name, counts in self.regimes.items() if counts[1]}
        if all(bad == n for bad, n in tried.values()):
            return [f"every case of every regime ({sum(n for _, n in tried.values())} fresh cases)"]
        failing = [f"{name} {bad}/{n}" for name, (bad, n) in tried.items() if bad]
        passing = [name for name, (bad, _) in tried.items() if not bad and name != self.regime]
        return (failing or ["none of a fresh sample"]) + ([f"not in {', '.join(passing)}"] if passing else [])


def _wrapped(text: str) -> str:
    return textwrap.fill(
        text,
        100,
        initial_indent="  ",
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _plain(finding: Finding) -> dict[str, Any]:
    return {**asdict(finding), "tensor": finding.tensor}


def _off_by(judgement: Judgement) -> str:
    if judgement.banded is not None:
        sigmas = f"{judgement.banded.sigmas:.3g} sigma under random rounding"
        return f"{judgement.error:.2g}, {sigmas}; the bound is {judgement.bound:.2g}"
    return f"{judgement.error:.2g}, {_times(judgement)} the bound {judgement.bound:.2g}"


def _times(judgement: Judgement) -> str:
    return "infinitely many times" if math.isinf(judgement.ratio) else f"{judgement.ratio:.2g} times"


def as_finding(failure: Failed, case: Case | LayerCase) -> Finding:
    """A failure at a case, as a Finding."""
    judgement = failure.judgement
    finding = Finding(failure.verdict, failure.check, failure.detail, case, judgement)
    if judgement is None or judgement.entries is None:
        return finding
    # A summary in the place of the entries: a finding is kept, and written as JSON.
    entries = summarise_entries(judgement.entries)
    return replace(finding, judgement=replace(judgement, entries=None), entries=entries)
