"""The report of a check: findings, counts, and the text that a person reads."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from importlib import metadata
from typing import TYPE_CHECKING, Any

from verify.case.case import PRACTICAL
from verify.checks.columns import wrap_columns
from verify.checks.finding import Finding, FindingExample
from verify.checks.html.page import html_page, html_part
from verify.diagnosis.mistakes import formulas
from verify.oracle import error_plots
from verify.oracle.error_histogram import ErrorHistogram
from verify.oracle.precision import ShownPrecision, precision_lines
from verify.oracle.random_rounding_summary import RandomRoundingSummary
from verify.reference.judge import VERDICTS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Report:
    """The result of ``verify.check``.

    Attributes
    ----------
    target, spec
        What was judged, and as the gradient of what.
    cases, seed
        How many cases were asked for; the seed that draws the same ones again.
    judged, inconclusive
        For each regime, how many cases were judged, and how many of them were inconclusive.
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
    failed
        How many of the judged cases failed, where the run went on after the first: in a sweep.
    notes
        What was inferred about the target, such as the orientation of its weights.
    precision
        For each dtype and kind of tensor, how far the gradients of the verified cases lie at most from the exact
        ones, certified, in units of the tensor's largest entry: the median over the cases, and the worst.
    errors
        How large the errors of all cases' entries were, counted by regime, in two units.
    nearest
        The case that came closest to its bounds; None where none was judged.
    random_rounding
        What the model of random rounding said; None where it was not asked.
    left
        What was left undone, and why.
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
    failed: int | None = None
    notes: tuple[str, ...] = ()
    precision: dict[str, dict[str, ShownPrecision]] = field(default_factory=dict)
    errors: tuple[ErrorHistogram, ...] = field(default=(), repr=False)
    nearest: FindingExample | None = field(default=None, repr=False)
    random_rounding: RandomRoundingSummary | None = None
    left: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """The worst verdict of the findings; without any, ``verified`` if some case was conclusive."""
        if self.findings:
            return max((finding.verdict for finding in self.findings), key=VERDICTS.index)
        return "verified" if sum(self.judged.values()) > sum(self.inconclusive.values()) else "inconclusive"

    @property
    def ok(self) -> bool:
        """Tell whether the verdict is ``verified``."""
        return self.verdict == "verified"

    def __str__(self) -> str:
        judged, vague = sum(self.judged.values()), sum(self.inconclusive.values())
        share = f"{vague / judged:.1%}" if judged else "none"
        practical = self.judged.get(PRACTICAL, 0)
        done = "passed before one failed" if self.findings else f"of {self.cases} judged"
        if self.failed is not None:
            done = f"of {self.cases} judged, {self.failed} failed"
        if practical:
            done += f", and {practical} of practical size"
        counted = f"{judged - practical} {done}, in {self.seconds:.1f} s (seed {self.seed})"
        lines = [
            f"{self._heading()}: {self.target} as the gradient of {self.spec}",
            f"  cases            {counted}; inconclusive {vague} ({share})",
        ]
        if any(self.evaluators.values()):
            ran = ", ".join(f"{name} {n}" for name, n in self.evaluators.items() if n)
            lines.append(f"  evaluated by     {ran}")
        lines += [f"  {'read as' if i == 0 else '':17}{note}" for i, note in enumerate(self.notes)]
        if self.interrupted:
            lines.append("  interrupted      what follows is what was found until then")
        lines += [f"  left undone      {what}" for what in self.left]
        if self.closest:
            worst = ", ".join(f"{kind} {ratio:.2f}" for kind, ratio in self.closest.items())
            lines.append(f"  closest to bound {worst}  (1 would be the bound itself)")
        if self.precision and not self.findings:
            lines += [
                f"  {'shown right to' if i == 0 else '':17}{line}"
                for i, line in enumerate(precision_lines(self.precision))
            ]
            lines.append(f"{'':19}(certified, of each tensor's largest entry; median over the cases)")
        if self.random_rounding and not self.findings:
            under = self.random_rounding.told()
            lines += [f"  {'random rounding' if i == 0 else '':17}{line}" for i, line in enumerate(under)]
        if self.judged and not self.findings:
            lines.append("  regimes          " + wrap_columns(self._regimes()))
        if self.findings:  # one in full: it fits on a screen, and the others are often its consequences
            first, *others = self.findings
            lines += ["", str(first), *([""] if others else []), *(finding.short() for finding in others)]
        return "\n".join(lines)

    def _heading(self) -> str:
        if self.interrupted and not self.findings:
            return f"INTERRUPTED, {self.verdict} so far"
        return self.verdict.upper()

    def _regimes(self) -> list[str]:
        counted = []
        for name, n in self.judged.items():
            vague = self.inconclusive.get(name, 0)
            counted.append(f"{name} {n}" + (f" ({vague} inconclusive)" if vague else ""))
        return counted

    def to_dict(self) -> dict[str, Any]:
        """Plain data: what ``to_json`` writes."""
        plain = self.with_entries()
        for data in [plain, *plain["findings"]]:
            for name in ("nearest", "entries", "larger", "rows"):
                data.pop(name, None)
        return plain

    def with_entries(self) -> dict[str, Any]:
        """Plain data, with the entries that pictures are drawn from: what ``to_html`` shows."""
        plain = asdict(self)
        plain.update(verdict=self.verdict, ok=self.ok, versions=report_versions())
        for finding, data in zip(self.findings, plain["findings"], strict=True):
            data.update(regime=finding.regime, dtype=finding.dtype, tensor=finding.tensor)
        return plain

    def to_html(self) -> str:
        """The report as an HTML page that stands alone: no network, no script; light and dark.

        Raises
        ------
        ModuleNotFoundError
            Where Jinja2 is not installed: ``pip install jinja2``.
        """
        return html_page(self.with_entries(), str(self), self._mistakes())

    def plot(self, ax: Axes | None = None, unit: str = "bound") -> Figure:
        """Draw how large the errors of all cases' entries were, and return the matplotlib figure.

        Parameters
        ----------
        ax
            Axes to draw into; by default, those of a new figure.
        unit
            ``bound``: each error in units of its bound. ``u``: of u times the largest entry of its tensor.
        """
        return error_plots.plot_errors(self.errors, ax, unit)

    def _repr_html_(self) -> str | None:
        """The report for a notebook; None, so that it shows text, where Jinja2 is not installed."""
        return html_part("report", report=self.with_entries(), text=str(self), mistakes=self._mistakes())

    def _repr_pretty_(self, printer: Any, _: bool) -> None:
        """The text for a notebook that shows no HTML, and for IPython."""
        printer.text(str(self))

    def _mistakes(self) -> dict[str, dict[str, str]]:
        return formulas(name for finding in self.findings for name in finding.mistakes)

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


def report_versions() -> dict[str, str]:
    """Versions of Python and of the packages that a verdict rests on."""
    packages = ("mlp-ref", "numpy", "jax", "jaxlib", "hypothesis", "python-flint")
    return {"python": platform.python_version(), **{name: _version(name) for name in packages}}


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:  # run from a checkout
        return "not installed"


def options_drawn(options: Mapping[str, Any], cases: Iterable[Any]) -> tuple[str, ...]:
    """The line of a report that says the options of the cases that were put: names and values."""
    drawn: dict[str, set[Any]] = {}
    for case in cases if options else ():
        for name, value in case.options:
            drawn.setdefault(name, set()).add(value)
    parts = []
    for name, values in drawn.items():
        choice = options[name]
        declared = sorted(values) if isinstance(choice, (str, int)) else choice
        ordered = [value for value in declared if value in values]
        shown = [*(repr(value) for value in ordered[:8]), *["..."] * (len(ordered) > 8)]
        parts.append(f"{name} {', '.join(shown)}")
    return (f"options drawn: {'; '.join(parts)}",) if parts else ()
