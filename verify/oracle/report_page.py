"""A report as a page in the directory that pytest's option or the environment names."""

from __future__ import annotations

import os
import re
from pathlib import Path

from verify.oracle.report import Report

VARIABLE = "VERIFY_REPORT"
"""The environment variable that names the directory for reports."""


_LONGEST = 150
"""Characters of a file's name: the end of a test's id, where it differs from others."""


def write_report_page(report: Report) -> str:
    """Write a report as an HTML page, where that is asked for; return a line that says where, or why not.

    The file has the name of the running test; of the target, where none runs.
    """
    directory = os.environ.get(VARIABLE)
    if not directory:
        return ""
    name = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0] or report.target
    path = Path(directory) / (re.sub(r"[^\w.-]+", "_", name).strip("_.")[-_LONGEST:] + ".html")
    try:
        page = report.to_html()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page, encoding="utf-8")
    except (ImportError, OSError) as error:  # the failure of the gradient is what the test is about
        return f"\nno report was written: {error}"
    return f"\nreport: {path.resolve()}"
