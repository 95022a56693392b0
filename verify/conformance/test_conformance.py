"""One test for each check and regime, of the gradient that ``--target`` names."""

from __future__ import annotations

import pytest

from verify.conformance.plugin import _named
from verify.conformance.session import prepare_session
from verify.oracle.report_page import write_report_page


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test for each check that the target can be put to, in each regime that is possible for it."""
    if not _named(metafunc.config):
        raise pytest.UsageError(
            "verify.conformance needs --target module:name, --target path/to/file.py:name or --exec COMMAND"
        )
    conformance = prepare_session(metafunc.config)
    pairs = [(check, regime) for check in conformance.checks for regime in conformance.regimes]
    metafunc.parametrize(("check", "regime"), pairs)


def test_conforms(check: str, regime: str, pytestconfig: pytest.Config) -> None:
    """The target passes a check in every case of a regime; a check that comes before it and fails is said."""
    conformance = prepare_session(pytestconfig)
    findings = conformance.findings(check, regime)
    for finding in findings:
        if finding.check == check:
            pytest.fail(f"{finding}{write_report_page(conformance.report_of(finding))}", pytrace=False)
    order = conformance.order
    before = [finding.check for finding in findings if order.index(finding.check) < order.index(check)]
    if before:
        pytest.skip(f"not reached: {before[0]} fails before it")
