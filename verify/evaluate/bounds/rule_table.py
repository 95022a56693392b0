"""A table of rules, one for each primitive: a rule takes operands as pairs, and returns the pair of its result."""

from __future__ import annotations

from collections.abc import Callable

from verify.evaluate.bounds.arithmetic import Pair

Rule = Callable[..., Pair]
"""``rule(at, parameters, *operands)``: the pair of the result."""


def enter_rule(table: dict[str, Rule]) -> Callable[..., Callable[[Rule], Rule]]:
    """A decorator that enters a rule into a table, under the names of its primitives."""

    def rule(*names: str) -> Callable[[Rule], Rule]:
        def enter(function: Rule) -> Rule:
            table.update(dict.fromkeys(names, function))
            return function

        return enter

    return rule
