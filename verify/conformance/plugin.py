"""The pytest plugin behind ``pytest --pyargs verify.conformance --target my_net.py:gradient``.

It is loaded by every pytest run of an environment that has this package, so it stands aside unless the command line
names ``verify.conformance``: no option is declared, and nothing is imported, before that. ``--verify-report DIR`` alone
is for every run: where the command line has it, a failing `verify.assert_gradient` writes its report into DIR.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

_OURS = re.compile(r"verify[./\\]conformance")
_REPORT = "--verify-report"
_VARIABLE = "VERIFY_REPORT"
"""As in `verify.oracle.assertion`, which is not imported here."""

_BEFORE = pytest.StashKey[str | None]()


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(parser: pytest.Parser, args: list[str]) -> None:
    """Declare the options, where the command line asks for the conformance tests or for reports."""
    if any(argument.partition("=")[0] == _REPORT for argument in args):
        words = (
            "write the report of each gradient that fails into this directory, as an HTML page (needs Jinja2)"
        )
        parser.getgroup("verify").addoption(_REPORT, metavar="DIR", help=words)
    if not any(_OURS.search(argument) for argument in args):
        return
    from verify.subject.target_options import add_target_options

    group = parser.getgroup("verify", "conformance of a gradient (verify.conformance)")
    group.addoption("--target", help="module:name or path/to/file.py:name; importing it runs its code")
    add_target_options(group.addoption)
    group.addoption("--cases", type=_positive, default=20, help="cases for each test (default 20)")
    for outcome, what in (("skips", "are skipped"), ("xfails", "are expected to fail")):
        words = f"tests that {what}: a prefix of an id a line, # for comments"
        group.addoption(f"--{outcome}-file", metavar="FILE", help=words)


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a positive integer; got {text!r}")
    return int(text)


def pytest_configure(config: pytest.Config) -> None:
    """Say where reports go; load the target before anything is collected, so that one line says what is wrong."""
    directory = config.getoption("verify_report", None)
    if directory is not None:
        # The environment, so that processes that a test or pytest-xdist begins write there too.
        config.stash[_BEFORE] = os.environ.get(_VARIABLE)
        os.environ[_VARIABLE] = str(Path(directory).resolve())
    if config.getoption("xfails_file", _ABSENT) is _ABSENT or not _named(config):
        return
    from verify.conformance.session import prepare_session

    try:
        prepare_session(config)
        for outcome in ("skips", "xfails"):
            _listed(config.getoption(f"{outcome}_file"))
    except (ValueError, TypeError, OSError) as error:
        raise pytest.UsageError(str(error)) from None


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave the environment as it was."""
    if _BEFORE in config.stash:
        before = config.stash[_BEFORE]
        os.environ.pop(_VARIABLE, None)
        if before is not None:
            os.environ[_VARIABLE] = before


_ABSENT = object()


def _named(config: pytest.Config) -> bool:
    """Tell whether the command line names something to judge."""
    return any(config.getoption(option, None) is not None for option in ("target", "exec"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the tests that the skips file and the xfails file name."""
    if config.getoption("xfails_file", _ABSENT) is _ABSENT:
        return
    for outcome, mark in (("skips", pytest.mark.skip), ("xfails", pytest.mark.xfail)):
        file = config.getoption(f"{outcome}_file")
        for prefix in _listed(file):
            named = [item for item in items if any(i.startswith(prefix) for i in _ids(item))]
            for item in named:
                item.add_marker(mark(reason=f"listed in {file}"))
            if not named:
                config.issue_config_time_warning(
                    pytest.PytestWarning(f"{file} lists {prefix!r}, which is no test of this run"),
                    stacklevel=2,
                )


def _listed(file: str | None) -> Sequence[str]:
    """The prefixes in a file of test ids: one a line; what follows # is a comment."""
    if file is None:
        return ()
    lines = Path(file).read_text(encoding="utf-8").splitlines()
    return tuple(prefix for line in lines if (prefix := line.partition("#")[0].strip()))


def _ids(item: pytest.Item) -> tuple[str, str, str]:
    """A test's id as pytest prints it, from ``verify/`` on, and from the file's name on."""
    name = item.nodeid.rpartition("::")[2]
    return item.nodeid, f"verify/conformance/{item.path.name}::{name}", f"{item.path.name}::{name}"
