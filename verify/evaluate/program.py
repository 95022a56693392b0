"""JAX's derivative as a flat list of primitive operations, and how a table of rules carries it out.

`flattening` makes it of a jaxpr, `backward_program` of a JAX function. An evaluator is a table of rules, one an
operation, that gives these primitives a meaning: floats with error bounds (`bounds`), or certified balls (`balls`).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import CodeType
from typing import Any, NamedTuple

__all__ = [
    "NoRule",
    "Operation",
    "Program",
    "ProgramSize",
    "program_shape",
    "program_size",
    "rename_sizes",
    "require_rules",
    "run_program",
]


class ProgramSize:
    """A size that depends on the batch and the widths, such as ``b`` or ``b*n2``."""

    def __init__(self, dimension: Any) -> None:
        self.text = str(dimension)

    @functools.cached_property
    def code(self) -> CodeType:
        """The expression, compiled."""
        return compile(self.text, "<size>", "eval")

    def renamed(self, names: Mapping[str, str]) -> ProgramSize:
        """The same size by other names of what it depends on."""
        return ProgramSize(re.sub(r"\w+", lambda word: names.get(word[0], word[0]), self.text))

    def __repr__(self) -> str:
        return self.text


_SIZE_FUNCTIONS = {"floordiv": lambda a, b: a // b, "mod": lambda a, b: a % b, "max": max, "min": min}


def program_size(dimension: int | ProgramSize, sizes: Mapping[str, int]) -> int:
    """The number that a dimension stands for, where the batch is ``sizes["b"]`` and the widths ``n0, n1, ...``."""
    if isinstance(dimension, ProgramSize):
        known = sizes.get(dimension.text)  # most are a single name
        return known if known is not None else int(eval(dimension.code, _SIZE_FUNCTIONS, sizes))
    return dimension


def program_shape(dimensions: Sequence[int | ProgramSize], sizes: Mapping[str, int]) -> tuple[int, ...]:
    """The shape that dimensions stand for: see `program_size`."""
    return tuple([program_size(dimension, sizes) for dimension in dimensions])


class Operation(NamedTuple):
    """One primitive: its name and parameters, and the slots of its operands and results."""

    name: str
    parameters: dict[str, Any]
    operands: tuple[int, ...]
    results: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Program:
    """A function and its derivative as operations on numbered slots.

    ``inputs`` are the slots of the arguments: weight, bias, weight, bias, ..., x, y for a network's loss, and
    `verify.evaluate.backward_program.BackwardProgram` has the order for a function of any kind. ``outputs`` are those
    of the loss (of ``values`` tensors, the function's own) and of the gradient's tensors in the order of the
    parameters; ``constants`` are the slots that hold literals, ``differentiated`` those of the inputs that there is a
    gradient of.
    ``shifts_cancel`` says that what goes through ``stop_gradient`` is a shift on which, in exact arithmetic, the
    result does not depend: so it is in `verify.reference`, and so it need not be in a user's function.
    """

    operations: tuple[Operation, ...]
    constants: tuple[tuple[int, Any], ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    slots: int
    shifts_cancel: bool = False
    values: int = 1
    differentiated: tuple[int, ...] = ()

    @functools.cached_property
    def primitives(self) -> tuple[str, ...]:
        """The names of the primitives, each once, in the order of first use."""
        return tuple(dict.fromkeys(operation.name for operation in self.operations))


def rename_sizes(program: Program, names: Mapping[str, str]) -> Program:
    """The same program by other names of what its sizes depend on."""

    def renamed(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(map(renamed, value))
        return value.renamed(names) if isinstance(value, ProgramSize) else value

    operations = (
        operation._replace(parameters={key: renamed(value) for key, value in operation.parameters.items()})
        for operation in program.operations
    )
    return replace(program, operations=tuple(operations))


class NoRule(TypeError):
    """A primitive of the user's loss for which an evaluator has no rule."""


def require_rules(program: Program, rules: Mapping[str, object], evaluator: str) -> None:
    """Raise NoRule, naming every primitive of the program that the evaluator's table does not know."""
    missing = [name for name in program.primitives if name not in rules]
    if missing:
        raise NoRule(
            f"the gradient of this loss uses {', '.join(missing)}, for which {evaluator} has no rule; "
            f"write the loss with other operations (it knows {', '.join(sorted(rules))})"
        )


def run_program(
    program: Program, rules: Mapping[str, Callable[..., Any]], context: Any, values: list[Any]
) -> list[Any]:
    """Carry out a program: ``values`` holds inputs and constants by slot; returns the outputs.

    A rule is called as ``rule(context, parameters, *operands)`` and returns one result.
    """
    for name, parameters, operands, results in program.operations:
        values[results[0]] = rules[name](context, parameters, *[values[slot] for slot in operands])
    return [values[slot] for slot in program.outputs]
