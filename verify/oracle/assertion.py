"""An assertion for tests of your own, whose message is the report."""

from __future__ import annotations

from typing import Any

from verify.oracle.check import check
from verify.oracle.report_page import write_report_page
from verify.reference.truth import SpecLike
from verify.subject.load import Judged


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
        raise AssertionError(f"{report}{write_report_page(report)}")
