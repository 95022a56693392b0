"""What a check found: findings, counts, and the text that a person reads."""

from __future__ import annotations

import json
import math
import platform
import textwrap
from dataclasses import asdict, dataclass, field
from importlib import metadata
from typing import Any

from verify.case import Case
from verify.judge import VERDICTS, Judgement

_ON_SCREEN = 14
"""Lines of a diagnosis that a report shows: with the rest of it, they fit on a screen of 40."""


@dataclass(frozen=True)
class Finding:
    """One way in which a gradient failed, at the simplest case that shows it.

    Attributes
    ----------
    verdict, check
        A name from ``verify.judge.VERDICTS`` and one from ``verify.checks.CHECKS``.
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
    """

    verdict: str
    check: str
    detail: str
    case: Case
    judgement: Judgement | None = None
    regimes: dict[str, tuple[int, int]] = field(default_factory=dict)
    diagnosis: str = ""
    mistakes: tuple[str, ...] = ()
    reproduce: str = ""

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

    def short(self) -> str:
        """The finding in a line or two."""
        tensor = f", {self.tensor}" if self.tensor else ""
        return f"also {self.verdict}: {self.check} ({self._place()}{tensor})\n{self._wrapped()}"

    def _wrapped(self) -> str:
        return textwrap.fill(
            self.detail,
            100,
            initial_indent="  ",
            subsequent_indent="  ",
            break_long_words=False,
            break_on_hyphens=False,
        )

    def _place(self) -> str:
        layout = f", {self.case.layout} inputs" if self.case.layout != "C" else ""
        sizes = "-".join(map(str, self.case.layer_sizes))
        return f"{self.regime}: {sizes}, batch {self.case.batch}, {self.dtype}{layout}"

    def __str__(self) -> str:
        lines = [f"{self.verdict}: {self.check}", self._wrapped()]
        lines.append(f"  simplest case    {self._place()}")
        if self.judgement:
            j = self.judgement
            entry = f"[{', '.join(map(str, j.index))}]" if j.index else ""
            lines += [
                f"  where            {j.tensor}{entry}: got {j.got:.9g}, expected {j.expected:.9g}",
                f"  off by           {j.error:.2g}, {_times(j)} the bound {j.bound:.2g}",
            ]
        if self.regimes:
            lines.append("  fails in         " + _columns(self._failing()))
        if self.diagnosis:
            said = self.diagnosis.splitlines()
            lines += ["  " + line for line in said[:_ON_SCREEN]]
            if len(said) > _ON_SCREEN:
                lines.append(f"  ... and {len(said) - _ON_SCREEN} lines more: finding.diagnosis, or --json")
        if self.reproduce:
            lines += ["  reproduce:", *("    " + line for line in self.reproduce.splitlines())]
        return "\n".join(lines)

    def _failing(self) -> list[str]:
        """The regimes in which it fails, with the share of fresh cases that do, and then the others."""
        tried = {name: counts for name, counts in self.regimes.items() if counts[1]}
        if all(bad == n for bad, n in tried.values()):
            return [f"every case of every regime ({sum(n for _, n in tried.values())} fresh cases)"]
        failing = [f"{name} {bad}/{n}" for name, (bad, n) in tried.items() if bad]
        passing = [name for name, (bad, _) in tried.items() if not bad]
        return (failing or ["none of a fresh sample"]) + ([f"not in {', '.join(passing)}"] if passing else [])


def _times(judgement: Judgement) -> str:
    return "infinitely many times" if math.isinf(judgement.ratio) else f"{judgement.ratio:.2g} times"


@dataclass(frozen=True)
class Report:
    """What ``verify.check`` found.

    Attributes
    ----------
    target, spec
        What was judged, and as the gradient of what.
    cases, seed
        How many cases were asked for; the seed that draws the same ones again.
    judged, inconclusive
        For each regime, how many cases were judged, and in how many of them a bound said nothing.
    evaluators
        For each evaluator, how many cases it ran.
    closest
        For each kind of tensor, the entry that came closest to its bound: its error in units of the bound.
    findings
        The ways in which it failed, worst first.
    seconds
        How long it took.
    interrupted
        Whether it was stopped before its end; what it found until then is there.
    notes
        What was inferred about the target, such as the orientation of its weights.
    """

    target: str
    spec: str
    cases: int
    seed: int
    judged: dict[str, int]
    inconclusive: dict[str, int]
    evaluators: dict[str, int]
    closest: dict[str, float]
    findings: tuple[Finding, ...]
    seconds: float
    interrupted: bool = False
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """The worst verdict of the findings; without any, ``verified`` if some case was conclusive."""
        if self.findings:
            return max((finding.verdict for finding in self.findings), key=VERDICTS.index)
        return "verified" if sum(self.judged.values()) > sum(self.inconclusive.values()) else "inconclusive"

    @property
    def ok(self) -> bool:
        """Whether the verdict is ``verified``."""
        return self.verdict == "verified"

    def __str__(self) -> str:
        judged, vague = sum(self.judged.values()), sum(self.inconclusive.values())
        share = f"{vague / judged:.1%}" if judged else "none"
        done = "passed before one failed" if self.findings else f"of {self.cases} judged"
        counted = f"{judged} {done}, in {self.seconds:.1f} s (seed {self.seed})"
        lines = [
            f"{self.verdict.upper()}: {self.target} as the gradient of {self.spec}",
            f"  cases            {counted}; inconclusive {vague} ({share})",
        ]
        if any(self.evaluators.values()):
            ran = ", ".join(f"{name} {n}" for name, n in self.evaluators.items() if n)
            lines.append(f"  evaluated by     {ran}")
        lines += [f"  {'read as' if i == 0 else '':17}{note}" for i, note in enumerate(self.notes)]
        if self.interrupted:
            lines.append("  interrupted      what follows is what was found until then")
        if self.closest:
            worst = ", ".join(f"{kind} {ratio:.2f}" for kind, ratio in self.closest.items())
            lines.append(f"  closest to bound {worst}  (1 would be the bound itself)")
        if self.judged and not self.findings:
            lines.append("  regimes          " + _columns(self._regimes()))
        if self.findings:  # one in full: it fits on a screen, and the others are often its consequences
            first, *others = self.findings
            lines += ["", str(first), *([""] if others else []), *(finding.short() for finding in others)]
        return "\n".join(lines)

    def _regimes(self) -> list[str]:
        counted = []
        for name, n in self.judged.items():
            vague = self.inconclusive.get(name, 0)
            counted.append(f"{name} {n}" + (f" ({vague} inconclusive)" if vague else ""))
        return counted

    def to_dict(self) -> dict[str, Any]:
        """Plain data: what ``to_json`` writes."""
        plain = asdict(self)
        plain.update(verdict=self.verdict, ok=self.ok, versions=versions())
        for finding, data in zip(self.findings, plain["findings"], strict=True):
            data.update(regime=finding.regime, dtype=finding.dtype, tensor=finding.tensor)
        return plain

    def to_json(self, indent: int | None = 2) -> str:
        """The report as JSON; numbers that JSON lacks are the strings ``"nan"``, ``"inf"`` and ``"-inf"``."""
        return json.dumps(_without_specials(self.to_dict()), indent=indent)


def _without_specials(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _without_specials(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [_without_specials(value) for value in data]
    if isinstance(data, float) and data - data != 0:
        return str(data)
    return data


def _columns(items: list[str], width: int = 80) -> str:
    """Items separated by commas, wrapped to a width, continued under the first."""
    lines = [""]
    for item in items:
        if lines[-1] and len(lines[-1]) + len(item) + 2 > width:
            lines.append("")
        lines[-1] += (", " if lines[-1] else "") + item
    return (",\n" + " " * 19).join(lines)


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that a verdict rests on."""
    packages = ("mlp-ref", "numpy", "jax", "jaxlib", "hypothesis", "python-flint")
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in packages}}
