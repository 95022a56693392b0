"""``python -m verify check TARGET``: judge a gradient of the user's."""

from __future__ import annotations

import argparse
from pathlib import Path

from verify.commands.progress import progress_bar
from verify.oracle.check import check
from verify.subject.options import add_options, judged


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The target and the options of ``python -m verify check``."""
    parser.add_argument(
        "target",
        metavar="TARGET",
        help="module:name or path/to/file.py:name, of a function gradient(params, x, y) or of an adapter; "
        "importing it runs its code",
    )
    add_options(parser.add_argument)
    parser.add_argument("--cases", type=int, default=1000, help="how many cases to judge (default 1000)")
    parser.add_argument("--xla", type=int, default=2, help="cases that XLA carries out too (default 2)")
    parser.add_argument("--certified", type=int, default=8, help="cases in certified balls too (default 8)")
    parser.add_argument(
        "--json", metavar="FILE", help="write the report to this file as well; - prints it instead"
    )


def run(arguments: argparse.Namespace) -> int:
    """Judge, print the report, and return 0 where the gradient is verified, else 1.

    Raises
    ------
    ValueError, TypeError, OSError
        When the command or its target cannot be used; the caller prints the message and exits with 2.
    """
    file = _writable(arguments.json)
    target, options = judged(arguments.target, vars(arguments))
    with progress_bar(arguments.target) as progress:
        report = check(
            target,
            cases=arguments.cases,
            xla=arguments.xla,
            certified=arguments.certified,
            progress=progress,
            **options,
        )
    if file is not None:
        file.write_text(report.to_json() + "\n", encoding="utf-8")
    print(report.to_json() if arguments.json == "-" else report)
    return 0 if report.ok and not report.interrupted else 1


def _writable(name: str | None) -> Path | None:
    """The file for the report, found to be writable before the work is done."""
    if name in (None, "-"):
        return None
    path = Path(str(name))
    if path.is_dir() or not path.parent.is_dir():
        raise ValueError(f"--json {name}: not a file in a directory that exists")
    return path
