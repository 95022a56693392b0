"""``python -m verify check TARGET``, or ``--exec COMMAND``: judge a gradient of the user's."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from verify.checks.html.page import page_templates
from verify.checks.random_rounding import FALSE_ALARM
from verify.commands.integers import integer
from verify.commands.progress_bar import progress_bar
from verify.oracle.backward import check_backward
from verify.oracle.check import check
from verify.oracle.report import Report
from verify.subject.layers.layer_options import layer_from_options, options_name_layer
from verify.subject.target_options import add_target_options, target_from_options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The target and the options of ``python -m verify check``."""
    parser.add_argument(
        "target",
        metavar="TARGET",
        nargs="?",
        help="module:name or path/to/file.py:name, of a function gradient(params, x, y) or of an adapter; "
        "importing it runs its code",
    )
    add_target_options(parser.add_argument)
    parser.add_argument(
        "--cases", type=integer, default=1000, help="how many cases to judge, such as 1e4 (default 1000)"
    )
    parser.add_argument(
        "--seconds", type=float, metavar="S", help="end after about so many seconds, with what was found"
    )
    parser.add_argument("--xla", type=int, default=2, help="cases that XLA carries out too (default 2)")
    parser.add_argument("--certified", type=int, default=8, help="cases in certified balls too (default 8)")
    parser.add_argument(
        "--false-alarm",
        type=float,
        default=FALSE_ALARM,
        metavar="P",
        help="probability, under the model of random rounding, that a run of a right gradient has an entry beyond its "
        f"band (default {FALSE_ALARM:g}; 0: without that model)",
    )
    parser.add_argument(
        "--json", metavar="FILE", help="write the report to this file as well; - prints it instead"
    )
    parser.add_argument(
        "--html", metavar="FILE", help="write the report to this file as a page with pictures (needs Jinja2)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run ``verify check``: judge, print the report, and return 0 where the gradient is verified, else 1.

    Raises
    ------
    ValueError, TypeError, OSError
        When the command or its target cannot be used; the caller prints the message and exits with 2.
    """
    file = _writable("--json", None if arguments.json == "-" else arguments.json)
    html = _writable("--html", arguments.html)
    if html is not None:
        _require_templates()
        if file is not None and file.resolve() == html.resolve():
            raise ValueError(f"--json and --html name the same file, {arguments.html}: give each its own")
    with _ended_by_signals():
        return _judged(arguments, file, html)


def _layer_judged(arguments: argparse.Namespace) -> Report:
    backward, of_layer = layer_from_options(arguments.target, vars(arguments))
    counts = {
        name: getattr(arguments, name) for name in ("cases", "xla", "certified", "false_alarm", "seconds")
    }
    of_layer |= {name: count for name, count in counts.items() if count is not None}
    with progress_bar(arguments.target) as progress:
        return check_backward(backward, progress=progress, **of_layer)


def _judged(arguments: argparse.Namespace, file: Path | None, html: Path | None) -> int:
    if options_name_layer(arguments.reference):
        report = _layer_judged(arguments)
    else:
        target, options = target_from_options(arguments.target, vars(arguments))
        with progress_bar(arguments.target or arguments.exec) as progress:
            report = check(
                target,
                cases=arguments.cases,
                seconds=arguments.seconds,
                xla=arguments.xla,
                certified=arguments.certified,
                false_alarm=arguments.false_alarm,
                progress=progress,
                **options,
            )
    if file is not None:
        file.write_text(report.to_json() + "\n", encoding="utf-8")
    if html is not None:
        html.write_text(report.to_html(), encoding="utf-8")
    print(report.to_json() if arguments.json == "-" else report)
    return 0 if report.ok and not report.interrupted else 1


class _Signalled(BaseException):
    """A signal asked this process to end; Hypothesis would take a SystemExit for a failure of the target."""


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end this process as an exception would, so that a program it began is ended too."""

    def leave(number: int, _: object) -> None:
        raise _Signalled(number)

    signals = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():  # elsewhere no handler can be set
        signals = []
    before = [signal.signal(number, leave) for number in signals]
    try:
        yield
    except _Signalled as signalled:
        sys.exit(128 + int(signalled.args[0]))
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)


def _writable(option: str, name: str | None) -> Path | None:
    """The file for the report, found to be writable before the work is done."""
    if name is None:
        return None
    path = Path(name)
    if path.is_dir() or not path.parent.is_dir():
        raise ValueError(f"{option} must name a file in a directory that exists; got {name}")
    return path


def _require_templates() -> None:
    try:
        page_templates()
    except ModuleNotFoundError as error:
        raise ValueError(f"--html: {error}") from None
