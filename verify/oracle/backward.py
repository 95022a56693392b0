"""check_backward(): a search for a case that a backward pass fails, and a report of what it found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.database import ExampleDatabase

from verify.case.case import DTYPES, LAYOUTS
from verify.case.layers.case import LayerCase
from verify.case.layers.cases import layer_cases
from verify.case.layers.values import REGIMES
from verify.checks.finding import Finding
from verify.checks.random_rounding import FALSE_ALARM
from verify.checks.table import LAYER_FOLLOW_UPS
from verify.diagnosis.layer_diagnosis import explain_layer
from verify.evaluate.budget import Budget
from verify.oracle.report import Report
from verify.oracle.search import Progress
from verify.oracle.trial import Trial
from verify.reference.judge import Judgement
from verify.reference.layers import NAMES, reference_in_table
from verify.reference.reference import Reference
from verify.subject.layers.load import as_layer_target, as_reference


def check_backward(
    backward: Any,
    *,
    forward: Callable[..., Any] | None = None,
    reference: Callable[..., Any] | str | Reference | None = None,
    shapes: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
    integers: Mapping[str, int | str] | None = None,
    choices: Mapping[str, Sequence[float]] | None = None,
    constants: Sequence[str] = (),
    positive: Sequence[str] = (),
    cases: int = 300,
    seed: int = 0,
    dtypes: Sequence[str] | None = None,
    regimes: Sequence[str] = tuple(REGIMES),
    layouts: Sequence[str] = LAYOUTS,
    checks: Sequence[str] = LAYER_FOLLOW_UPS,
    xla: int = 2,
    certified: int = 4,
    database: ExampleDatabase | None = None,
    progress: Progress | None = None,
    diagnose: bool = True,
    false_alarm: float = FALSE_ALARM,
    seconds: float | None = None,
) -> Report:
    """Judge a backward pass of any kind: JAX's derivative, with a derived bound for every entry, decides.

    Parameters
    ----------
    backward
        With ``forward``: ``backward(dout, cache) -> gradients``. Without: ``backward(dout, *inputs) -> gradients``,
        or, where the result is one number, ``loss(*inputs) -> (loss, gradients)``. Or what `verify.layer_object` or
        `verify.torch_layer` returns, a class with ``forward`` and ``backward``, a ``jax.custom_vjp``, a
        ``torch.autograd.Function``. The gradients are one array for each differentiated input, in order, or a
        dictionary; options are passed by name, or as one dictionary where the function has a parameter for it.
    forward
        ``forward(*inputs) -> (out, cache)``; its outputs are judged too.
    reference
        A JAX function of the inputs, in the order of ``shapes``, and of the options by name; or a name from
        ``verify.reference.layers.NAMES``. Not given: for a ``jax.custom_vjp``, the function without its rule.
    shapes
        For each input its shape, ``{"x": "n c h w"}``: symbols are drawn, numbers are fixed, and an axis may be a
        product or sum of them (``g*c``). A structure of shapes is an input of that structure. Not needed for a
        reference by name.
    options
        For each option the values to choose from, or an expression of symbols: ``{"stride": (1, 2), "groups": "g"}``.
        Those of a reference by name need not be repeated. What the reference has no parameter for, such as
        ``{"mode": ("train",)}``, is passed to the backward pass alone.
    integers
        Inputs of integers from 0 to below a bound, ``{"labels": "c"}``: they are not differentiated.
    choices
        Inputs whose entries are chosen from these numbers, ``{"mask": (0, 1)}``; not differentiated.
    constants, positive
        Inputs that are not differentiated; inputs of positive numbers.
    cases
        How many cases to judge. The search ends earlier where the backward pass fails.
    seed
        The same seed draws the same cases.
    dtypes, regimes, layouts
        What is drawn: see ``verify.case.layers.values.REGIMES`` and `verify.cases`.
    checks
        Which of ``verify.checks.table.LAYER_FOLLOW_UPS`` to make; each case is given one.
    xla, certified
        How many of the cases are also carried out by XLA, and in certified balls.
    database
        A Hypothesis example database that remembers failures; none is used when not given.
    progress
        Called with (judged, cases) after each case.
    diagnose
        Whether to look for the mistake that explains a failure.
    false_alarm
        The most, under the model of random rounding, that the probability may be that rounding alone takes any entry
        of the run beyond its band. 0: that model is not asked.
    seconds
        Judge no further case after about so many, as in `verify.check`.

    Returns
    -------
    Report
        ``report.ok``, ``report.verdict``, ``report.findings``, ``str(report)``, ``report.to_json()``.

    Raises
    ------
    TypeError, ValueError
        When an argument is not usable, or the reference uses a primitive without a rule.
    """
    given = as_reference(reference, backward, shapes, options, integers, choices, constants, positive)
    target = as_layer_target(backward, forward, given)
    drawn = {"dtypes": dtypes or DTYPES, "layouts": layouts}
    return LayerTrial(target, given, drawn, seed).report(
        cases=cases,
        regimes=regimes,
        checks=checks,
        xla=xla,
        certified=certified,
        database=database,
        progress=progress,
        diagnose=diagnose,
        false_alarm=false_alarm,
        seconds=seconds,
    )


def examine_backward(
    backward: Any,
    case: LayerCase,
    *,
    forward: Callable[..., Any] | None = None,
    check: str = "gradient",
    **reference: Any,
) -> Finding | Judgement:
    """Put one case to a backward pass: what a Finding's ``reproduce`` calls.

    Parameters
    ----------
    backward, forward
        As in `check_backward`.
    case
        The case.
    check
        One of ``verify.checks.table.LAYER_CHECKS``.
    **reference
        ``reference``, ``shapes``, ``options``, ... as in `check_backward`.

    Returns
    -------
    Finding or Judgement
        What failed; or, where nothing did, the entry that came closest to its bound.
    """
    given = as_reference(backward=backward, **reference)
    return LayerTrial(as_layer_target(backward, forward, given), given).examined(case, check)


class LayerTrial(Trial[LayerCase]):
    """A backward pass of any kind, and the reference that it is judged against."""

    follow_ups = LAYER_FOLLOW_UPS
    regimes = tuple(REGIMES)

    @property
    def judged_as(self) -> str:
        """The name of the reference."""
        return str(self.spec.name)

    @property
    def options(self) -> Mapping[str, Any]:
        """The options of the reference."""
        return dict(self.spec.options)

    def draw(self, regimes: Sequence[str]) -> st.SearchStrategy[LayerCase]:
        """Return the strategy that draws the cases of some regimes."""
        return layer_cases(self.spec, regimes=regimes, **self.drawn)

    def explained(self, findings: list[Finding], budget: Budget | None = None) -> list[Finding]:
        """Return the findings, the first wrong gradient with the mistake that explains it."""
        for i, finding in enumerate(findings):
            if finding.check == "gradient" and finding.verdict in ("wrong", "crashed"):
                assert isinstance(finding.case, LayerCase)
                found = explain_layer(self.target, self.spec, finding.case, self.seed, budget)
                explained = replace(finding, diagnosis=found.text, mistakes=found.mistakes)
                return [*findings[:i], explained, *findings[i + 1 :]]
        return findings

    def reproduction(self, finding: Finding) -> str:
        """Return the lines of Python that show a finding once more."""
        lines = ["import verify", *self.target.source.splitlines()]
        lines.append(f"case = verify.{finding.case!r}")
        known = self.spec.name in NAMES
        of_reference = f"reference={self.spec.name!r}" if known else "reference=reference"
        if not known or repr(self.spec.shapes) != repr(reference_in_table(self.spec.name).shapes):
            lines.append(
                f"# with the {'' if known else 'reference, the '}shapes and the options that you passed"
            )
            of_reference += ", shapes=shapes"
        parts = (self.target.name, "case", self.target.arguments, of_reference, f"check={finding.check!r}")
        arguments = ", ".join(part for part in parts if part)
        return "\n".join([*lines, f"print(verify.examine_backward({arguments}))"])
