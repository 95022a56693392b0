"""Messages about arguments of `verify.check` and `verify.check_backward` that cannot be used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def require_counts(*, cases: Any, seed: Any, xla: Any, certified: Any) -> None:
    """Raise ValueError unless these are integers, ``cases`` 1 or larger and the others 0 or larger."""
    given = (("cases", cases, 1), ("seed", seed, 0), ("xla", xla, 0), ("certified", certified, 0))
    for name, value, least in given:
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError(f"{name} must be an integer, {least} or larger; got {value!r}")


def require_false_alarm(value: Any) -> None:
    """Raise ValueError unless this is a probability, less than 1."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1:
        raise ValueError(f"false_alarm must be a probability, from 0 to less than 1; got {value!r}")


def require_seconds(value: Any) -> None:
    """Raise ValueError unless this is a positive number, or None."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if value is not None and not (number and value > 0):
        raise ValueError(f"seconds must be a positive number, or None; got {value!r}")


def require_checks(checks: Any, known: Sequence[str]) -> None:
    """Raise ValueError unless this is a list of some of the checks that are known."""
    if isinstance(checks, str) or not checks or any(name not in known for name in checks):
        raise ValueError(f"checks must be a non-empty list from {', '.join(known)}; got {checks!r}")
