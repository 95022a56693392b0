"""Columns of text in reports."""

from __future__ import annotations

_WIDTH = 80


def wrap_columns(items: list[str]) -> str:
    """Items separated by commas, wrapped to the width of a report's column, continued under the first."""
    lines = [""]
    for item in items:
        if lines[-1] and len(lines[-1]) + len(item) + 2 > _WIDTH:
            lines.append("")
        lines[-1] += (", " if lines[-1] else "") + item
    return (",\n" + " " * 19).join(lines)
