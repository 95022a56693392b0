"""Docstrings begin with a verb or a noun of the field, and formulas keep their case."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = [package for package in ("mlp_ref", "verify") if (ROOT / package).is_dir()]
FILES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


@pytest.mark.skipif(not FILES, reason="the packages are installed, not beside the tests")
def test_no_docstring_begins_with_a_question():
    found = [
        f"{path.relative_to(ROOT)}: {docstring.splitlines()[0]}"
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and re.match(
            r"(What|Whether|How|Which|Where|When|Who|Whose|Why)\b", docstring := ast.get_docstring(node) or ""
        )
    ]
    assert not found, "\n".join(found)
