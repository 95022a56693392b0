"""Options that the reference does not know, and that are for the function under test alone."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from verify.reference.reference import Reference, parameters_of_function

_NO_OPTION = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def require_options_known(
    reference: Reference, reached: Sequence[tuple[str, Mapping[str, bool]]]
) -> tuple[str, ...]:
    """Refuse an option that is neither the reference's nor the function's: it would change nothing.

    Parameters
    ----------
    reference
        The reference, with the options that are drawn.
    reached
        For each function of the person's its name, the options that are passed to it, and whether it has a parameter
        of that name. It has none where they come in a dictionary; then it cannot be known what it reads.

    Returns
    -------
    tuple of str
        For the report: which options went to the functions alone.

    Raises
    ------
    ValueError
        When no function is passed the option, or it is passed in a dictionary and has nearly the name of one of the
        reference's.
    """
    notes = []
    known = [p.name for p in parameters_of_function(reference.function) if p.kind not in _NO_OPTION]
    known = known[len(reference.shapes) :]
    for option in reference.options:
        if option in reference.options_taken:
            continue
        takers = [name for name, options in reached if option in options]
        named = any(options.get(option) for _, options in reached)
        close = difflib.get_close_matches(option, known, 1)
        if not takers or (close and not named):
            what = f"{reference.name} has no option {option!r} (it has {', '.join(known) or 'none'})"
            lacking = f", and {' and '.join(name for name, _ in reached)} no parameter of that name"
            meant = f"; did you mean {close[0]!r}?" if close else ""
            raise ValueError(what + lacking + meant)
        notes.append(f"the option {option} went to {' and '.join(takers)} alone: {reference.name} has none")
    return tuple(notes)


def options_reaching(
    function: Callable[..., Any], passed: tuple[tuple[Any, ...], Mapping[str, Any]]
) -> dict[str, bool]:
    """Tell which options reach a function that is passed these arguments, and if it has a parameter for each."""
    dictionaries, keywords = passed
    own = {p.name for p in parameters_of_function(function) if p.kind not in _NO_OPTION}
    names = [name for given in (keywords, *dictionaries) for name in given]
    return {name: name in own and name in keywords for name in names}


def name_of_function(function: Callable[..., Any]) -> str:
    """The name of a function in messages about its options."""
    return str(getattr(function, "__name__", "the function"))
