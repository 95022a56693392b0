"""The options that say what a gradient is the gradient of, and on what it is judged: of a command and of pytest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from verify.case.case import DECLARED, FORMATS, REGIMES
from verify.evaluate.formats import NARROW
from verify.reference.spec import HIDDEN, LOSSES, OUTPUT_LOSSES, OUTPUTS, REDUCTIONS, WEIGHTS, Spec
from verify.reference.truth import SpecLike
from verify.subject.external_program import START_S, TIMEOUT_S, Program, program_time_limit
from verify.subject.load import Judged, as_target, load, load_object
from verify.subject.target import TargetError

OPTIONS: dict[str, dict[str, Any]] = {
    "--exec": {
        "metavar": "COMMAND",
        "help": "a program in any language in place of a target: it is started once, and asked over its standard "
        "input and output (docs/protocol.md)",
    },
    "--timeout": {
        "type": float,
        "metavar": "S",
        "help": f"seconds that the program may take to say hello and for each answer (default {START_S:g}, "
        f"and {TIMEOUT_S:g})",
    },
    "--signature": {
        "action": "append",
        "metavar": "PROTOTYPE",
        "help": "of a TARGET that is a C function, library.so:name; again for its twin of another format",
    },
    "--hidden": {"choices": HIDDEN, "help": "activation of the hidden layers (default sigmoid)"},
    "--output": {"choices": OUTPUTS, "help": "activation of the output layer (default softmax)"},
    "--loss": {"choices": LOSSES, "help": "loss of one row (default: the one that suits the output)"},
    "--reduction": {"choices": REDUCTIONS, "help": "from the rows' losses to one number (default mean)"},
    "--l2": {"type": float, "help": "adds 0.5 * l2 * sum(weight**2) (default 0)"},
    "--weights": {
        "choices": tuple(WEIGHTS),
        "help": "how much each row counts: gradient(params, x, y, sample_weight) unless none (default none)",
    },
    "--reference": {
        "metavar": "TARGET",
        "help": "a JAX function loss(params, x, y), in place of the six options above; or the name of a layer, "
        "such as conv2d: the target is then its backward pass (docs/layers.md)",
    },
    "--loss-function": {"metavar": "TARGET", "help": "your loss(params, x, y) -> float, judged too"},
    "--forward-function": {
        "metavar": "TARGET",
        "help": "your forward(params, x) -> outputs, or a layer's forward(*inputs) -> (out, cache), judged too",
    },
    "--options": {
        "metavar": "'NAME=VALUE,... NAME=...'",
        "help": "what a layer's options are drawn from, such as 'stride=1,2 mode=train'",
    },
    "--dtypes": {"help": f"comma-separated, from {', '.join(FORMATS)} (default: the first two)"},
    "--regimes": {"help": f"comma-separated, from {', '.join(REGIMES)} (default: all)"},
    "--labels": {
        "choices": DECLARED,
        "help": "y as rows (batch, n_out) of whatever suits the loss, as class labels (batch,), or one kind of rows "
        "alone (default rows)",
    },
    "--seed": {"type": int, "default": 0, "help": "the same seed draws the same cases (default 0)"},
}
"""Names, and what argparse and pytest want to know of each."""


def add_target_options(add: Callable[..., Any]) -> None:
    """Declare the options with ``add_argument`` of a parser, or with ``addoption`` of a group of pytest's."""
    for name, settings in OPTIONS.items():
        add(name, **settings)


def target_from_options(where: str | None, given: Mapping[str, Any]) -> tuple[Judged, dict[str, Any]]:
    """The target, and the arguments of `verify.check` that the options ask for.

    ``where`` is None where the target is a program, ``given["exec"]``. ``given`` maps the options' names
    (``loss_function``) to their values; None where an option was not given.

    Raises
    ------
    TargetError, ValueError
        When a target cannot be used, a name is unknown, or options contradict each other.
    """
    if given.get("options"):
        raise ValueError("--options is for layers: --reference must name one")
    target = _named(where, given)
    spec = spec_from_options(given, getattr(target, "spec", None))
    arguments: dict[str, Any] = {
        "spec": spec,
        "seed": given["seed"],
        "labels": given["labels"],
        "loss": _function(given["loss_function"], "--loss-function"),
        "forward": _function(given["forward_function"], "--forward-function"),
    }
    if isinstance(target, Program) and target.hello.checks is not None:
        arguments["checks"] = target.hello.checks
    for name, known in (("dtypes", FORMATS), ("regimes", REGIMES)):
        if given[name] is not None:
            arguments[name] = _listed(given[name], name, known)
    if isinstance(target, Program) and (narrow := set(arguments.get("dtypes", ())) & set(NARROW)):
        raise ValueError(f"--dtypes {min(narrow)}: a program is handed float64 and float32 alone")
    if arguments["forward"] is not None and not isinstance(spec, (Spec, type(None))):
        raise ValueError(
            "--forward-function cannot be judged with --reference: a JAX loss does not say its outputs"
        )
    return as_target(target, spec=spec), arguments


def _named(where: str | None, given: Mapping[str, Any]) -> Judged:
    """The one thing to judge that was named: a target, or a program."""
    command, timeout = given["exec"], given["timeout"]
    if (where is None) == (command is None):
        raise ValueError(
            f"name one of TARGET and --exec COMMAND; got {'neither' if where is None else 'both'}"
        )
    if where is None:
        return Program(command, timeout=timeout)
    target = load(where, given["signature"])
    if timeout is not None and not isinstance(target, Program):
        raise ValueError("--timeout is for --exec and C functions: one in this process cannot be stopped")
    if isinstance(target, Program) and timeout is not None:
        target.timeout = program_time_limit(timeout)
    return target


def _function(where: str | None, option: str) -> Callable[..., Any] | None:
    found = load_object(where) if where is not None else None
    if found is not None and not callable(found):
        raise TargetError(f"{option} {where} is of type {type(found).__name__}, not a function")
    return found


def _listed(text: str, name: str, known: Any) -> tuple[str, ...]:
    items = tuple(item.strip() for item in text.split(",") if item.strip())
    unknown = [item for item in items if item not in known]
    if unknown or not items:
        raise ValueError(f"--{name} takes names from {', '.join(known)}; got {text!r}")
    return items


def spec_from_options(given: Mapping[str, Any], own: SpecLike | None) -> SpecLike | None:
    """The spec that the options ask for, on top of the target's own; None where neither says anything."""
    parts = {
        name: given[name]
        for name in ("hidden", "output", "loss", "reduction", "l2", "weights")
        if given[name] is not None
    }
    if given["reference"] is not None:
        if parts:
            raise ValueError(f"--reference takes the place of --{', --'.join(parts)}: give one or the other")
        return _function(given["reference"], "--reference")
    if not parts:
        return own
    base = own if isinstance(own, Spec) else Spec()
    for name, other, i in (("output", "loss", 0), ("loss", "output", 1)):
        if name in parts and other not in parts and (base.output, base.loss)[i] != parts[name]:
            parts[other] = next(pair[1 - i] for pair in OUTPUT_LOSSES if pair[i] == parts[name])
    return replace(base, **parts)
