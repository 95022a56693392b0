"""check_backward(): a search for a case that a backward pass fails, and a report of what it found."""

from __future__ import annotations

import functools
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hypothesis.database import ExampleDatabase

from verify.case.case import DTYPES, LAYOUTS
from verify.case.layers.case import LayerCase
from verify.case.layers.cases import layer_cases
from verify.case.layers.values import REGIMES
from verify.checks.finding import Finding, FindingExample, as_finding
from verify.checks.layer_cross_check import ADJUDICATED, adjudicate_layer, cross_check_layer
from verify.checks.layer_rounding import layer_examined_with
from verify.checks.layers import FOLLOW_UPS, Choices, layer_tensor_names
from verify.checks.random_rounding import FALSE_ALARM, RandomRounding
from verify.diagnosis.layer_diagnosis import explain_layer
from verify.oracle.arguments import require_checks, require_counts, require_false_alarm
from verify.oracle.error_histogram import ErrorCounter
from verify.oracle.report import Report
from verify.oracle.search import Progress, Search
from verify.reference.backward import Reference
from verify.reference.judge import VERDICTS, Judgement
from verify.reference.layers import NAMES
from verify.subject.call import Failed
from verify.subject.layers.load import as_layer_target, as_reference
from verify.subject.layers.target import LayerTarget

SURVEY = 15
"""Fresh cases a regime, in which a failing backward pass is tried once more."""


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
    checks: Sequence[str] = FOLLOW_UPS,
    xla: int = 2,
    certified: int = 4,
    database: ExampleDatabase | None = None,
    progress: Progress | None = None,
    diagnose: bool = True,
    false_alarm: float = FALSE_ALARM,
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
        Which of ``verify.checks.layers.FOLLOW_UPS`` to make; each case is given one.
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
    require_counts(cases=cases, seed=seed, xla=xla, certified=certified)
    require_false_alarm(false_alarm)
    require_checks(checks, FOLLOW_UPS)
    target = as_layer_target(backward, forward, given)
    draw = functools.partial(layer_cases, given, dtypes=dtypes or target.dtypes or DTYPES, layouts=layouts)
    strategy = draw(regimes=regimes)
    start = time.perf_counter()
    made: Choices = Counter()
    left: set[str] = set()
    tier = RandomRounding(false_alarm, cases) if false_alarm else None
    examine = functools.partial(layer_examined_with, tier, target, given, choices=made, left=left)
    drawn: dict[str, set[Any]] = {}

    def put(case: LayerCase, follow_up: str) -> Judgement:
        for name, value in case.options:
            drawn.setdefault(name, set()).add(value)
        return examine(case, follow_up)

    search: Search[LayerCase] = Search(put, cases, progress, checks, tensors=layer_tensor_names(given))
    interrupted = False
    try:
        search.run(strategy, seed, database)
        witnesses = cross_check_layer(given, search.sample(xla), search.sample(certified))
        findings: list[Finding] = []
        for finding in search.findings:  # the first one's fresh cases are counted with the others
            errors = ErrorCounter() if findings else search.errors
            findings.append(_completed(target, given, finding, draw, regimes, seed, errors))
        if diagnose:
            findings = _diagnosed(target, given, findings, seed)
    except KeyboardInterrupt:
        interrupted = True
        witnesses, findings = {}, search.findings
    findings.sort(key=lambda finding: -VERDICTS.index(finding.verdict))
    findings = list({(f.check, f.verdict): f for f in reversed(findings)}.values())[::-1]
    return Report(
        target=target.name,
        spec=given.name,
        cases=cases,
        seed=seed,
        judged={name: search.judged[name] for name in REGIMES if search.judged[name]},
        inconclusive=dict(search.inconclusive),
        evaluators={"NumPy with bounds": search.judged.total(), **witnesses},
        closest=search.closest,
        precision=search.precision.summary(),
        random_rounding=search.banded.summary(false_alarm),
        findings=tuple(findings),
        seconds=time.perf_counter() - start,
        interrupted=interrupted,
        notes=(
            *target.notes,
            *_options_drawn(given, drawn),
            *(f"at ties or kinks: {name} ({n} cases)" for name, n in made.most_common()),
        ),
        left=tuple(sorted(left)),
        errors=search.errors.histograms(),
        nearest=search.nearest and FindingExample.of(*search.nearest),
    )


def _options_drawn(reference: Reference, drawn: Mapping[str, set[Any]]) -> tuple[str, ...]:
    """The line of the report that says the options of the cases that were put: names and values."""
    parts = []
    for name, values in drawn.items():
        choice = reference.options[name]
        declared = sorted(values) if isinstance(choice, (str, int)) else choice
        ordered = [value for value in declared if value in values]
        shown = [*(repr(value) for value in ordered[:8]), *["..."] * (len(ordered) > 8)]
        parts.append(f"{name} {', '.join(shown)}")
    return (f"options drawn: {'; '.join(parts)}",) if parts else ()


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
        One of ``verify.checks.layers.CHECKS``.
    **reference
        ``reference``, ``shapes``, ``options``, ... as in `check_backward`.

    Returns
    -------
    Finding or Judgement
        What failed; or, where nothing did, the entry that came closest to its bound.
    """
    given = as_reference(backward=backward, **reference)
    target = as_layer_target(backward, forward, given)
    try:
        tier = RandomRounding() if check == "rounding" else None
        return layer_examined_with(tier, target, given, case, check if check in FOLLOW_UPS else "gradient")
    except Failed as failure:
        return _settled(target, given, as_finding(failure, case))


def _settled(target: LayerTarget, reference: Reference, finding: Finding) -> Finding:
    """A finding about numbers, with "wrong" and "imprecise" told apart by a higher precision."""
    if finding.check not in ADJUDICATED or finding.judgement is None:
        return finding
    assert isinstance(finding.case, LayerCase)
    judgement = adjudicate_layer(target, reference, finding.case, finding.check, finding.judgement)
    return replace(finding, verdict=judgement.verdict, judgement=judgement)


def _completed(
    target: LayerTarget,
    reference: Reference,
    finding: Finding,
    draw: Callable[..., Any],
    regimes: Sequence[str],
    seed: int,
    errors: ErrorCounter,
) -> Finding:
    """A finding with its verdict settled, the regimes that it fails in, and the lines that reproduce it."""
    follow_up = finding.check if finding.check in FOLLOW_UPS else "gradient"
    tier = RandomRounding() if finding.check == "rounding" else None
    failing, larger = {}, None
    for regime in regimes:
        put = functools.partial(layer_examined_with, tier, target, reference)
        fresh: Search[LayerCase] = Search(put, SURVEY, errors=errors, tensors=layer_tensor_names(reference))
        tried, failed = fresh.survey(draw(regimes=[regime]), seed, follow_up)
        failing[regime] = (failed, tried)
        larger = larger or fresh.largest
    return replace(
        _settled(target, reference, finding),
        regimes=failing,
        larger=larger and FindingExample.of(*larger),
        reproduce=_reproduction(target, reference, finding),
    )


def _diagnosed(
    target: LayerTarget, reference: Reference, findings: list[Finding], seed: int
) -> list[Finding]:
    """The findings, the first wrong gradient with the mistake that explains it."""
    for i, finding in enumerate(findings):
        if finding.check == "gradient" and finding.verdict in ("wrong", "crashed"):
            assert isinstance(finding.case, LayerCase)
            found = explain_layer(target, reference, finding.case, seed)
            explained = replace(finding, diagnosis=found.text, mistakes=found.mistakes)
            return [*findings[:i], explained, *findings[i + 1 :]]
    return findings


def _reproduction(target: LayerTarget, reference: Reference, finding: Finding) -> str:
    lines = ["import verify", *target.source.splitlines()]
    lines.append(f"case = verify.{finding.case!r}")
    of_reference = f"reference={reference.name!r}"
    if reference.name not in NAMES:
        lines.append("# with the reference, the shapes and the options that you passed")
        of_reference = "reference=reference, shapes=shapes"
    parts = (target.name, "case", target.arguments, of_reference, f"check={finding.check!r}")
    arguments = ", ".join(part for part in parts if part)
    return "\n".join([*lines, f"print(verify.examine_backward({arguments}))"])
