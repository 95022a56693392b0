"""For a person's own tests: an assertion whose message is the report."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from verify.oracle.check import check
from verify.oracle.report import Report
from verify.reference.truth import SpecLike
from verify.subject.load import Judged

VARIABLE = "VERIFY_REPORT"
"""The environment variable that names the directory for reports."""

_LONGEST = 150
"""Characters of a file's name: the end of a test's id, where it differs from others."""


def assert_gradient(gradient: Judged, spec: SpecLike | None = None, **options: Any) -> None:
    """Fail, with the report as the message, unless a gradient is verified.

    Parameters
    ----------
    gradient, spec
        As in `verify.check`.
    **options
        The other arguments of `verify.check`: ``cases``, ``seed``, ``dtypes``, ...

    With ``pytest --verify-report DIR``, or the environment variable ``VERIFY_REPORT`` elsewhere, a failure writes its
    report as an HTML page into that directory, and says where.

    Raises
    ------
    AssertionError
        When the verdict is anything but ``verified``: inconclusive is not verified.
    TypeError, ValueError
        When an argument is not usable.
    """
    __tracebackhide__ = True
    report = check(gradient, spec, **options)
    if not report.ok:
        raise AssertionError(f"{report}{write_page(report)}")


def write_page(report: Report, name: str = "") -> str:
    """Write a report as a page, where that is asked for; return a line that says where, or why not.

    ``name`` is that of the file; by default, it is the running test's.
    """
    directory = os.environ.get(VARIABLE)
    if not directory:
        return ""
    name = name or os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0] or report.target
    path = Path(directory) / (re.sub(r"[^\w.-]+", "_", name).strip("_.")[-_LONGEST:] + ".html")
    try:
        page = report.to_html()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page, encoding="utf-8")
    except (ImportError, OSError) as error:  # the failure of the gradient is what the test is about
        return f"\nno report was written: {error}"
    return f"\nreport: {path.resolve()}"
