import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from verify.__main__ import main

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]

OPTIONAL = {"matplotlib", "scipy", "sklearn"}
"""What a page may need that is not installed with the packages."""

PACKAGES = ("mlp_ref", "verify")

ALONE = "<!-- The blocks of this page run in a process of their own: they change tables. -->"

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def python_blocks(text):
    """Yield the source of each Python block, at the line it has in the page, for the sake of tracebacks."""
    for block in re.finditer(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        yield "\n" * text.count("\n", 0, block.start(1)) + block[1]


@each_page
def test_python_blocks_run(page, tmp_path, monkeypatch):
    """In order, each with what those above it have defined; a block that opens with a file's name becomes it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    text = page.read_text(encoding="utf-8")
    if ALONE in text:
        script = "".join(block.lstrip("\n") for block in python_blocks(text))
        subprocess.run([sys.executable, "-c", script], check=True)
        return
    namespace = {"__name__": "__main__"}
    for block in python_blocks(text):
        if file := re.match(r"# (\w+\.py)$", block.lstrip("\n"), re.MULTILINE):
            (tmp_path / file[1]).write_text(block, encoding="utf-8")
            continue
        try:
            exec(compile(block, page, "exec"), namespace)
        except ModuleNotFoundError as error:
            if error.name not in OPTIONAL:
                raise
            pytest.skip(f"{page.name} needs {error.name}, which is not installed")


@each_page
def test_tests_that_are_named_exist(page):
    """A name is `tests/file.py::test` or `tests/file.py::Class::test`."""
    for path, *names in re.findall(
        r"`(tests/[\w/]+\.py)::(\w+)(?:::(\w+))?`", page.read_text(encoding="utf-8")
    ):
        body = ast.parse((ROOT / path).read_text(encoding="utf-8")).body
        for name in filter(None, names):
            found = [node for node in body if getattr(node, "name", None) == name]
            assert found, f"{page.name} names {'::'.join([path, *names])}, but {name} is not there"
            body = found[0].body if isinstance(found[0], ast.ClassDef) else []


def test_readme_has_blocks_to_run():
    """Guards the test above against a pattern that no longer matches anything."""
    assert list(python_blocks((ROOT / "README.md").read_text(encoding="utf-8")))


@each_page
def test_links_lead_to_files_that_exist(page):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        path = (page.parent / target).resolve()
        package = path.relative_to(ROOT).parts[0] if path.is_relative_to(ROOT) else ""
        if target.startswith("https://") or (package in PACKAGES and not (ROOT / package).exists()):
            continue  # elsewhere; or the packages are installed, not beside the tests
        assert path.exists(), f"{page.name}: {target}"


def test_the_report_in_the_readme_is_what_the_command_prints(tmp_path, monkeypatch, capsys):
    """Word for word, but for the seconds and the place of the file."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = (block for block in python_blocks(text) if block.lstrip("\n").startswith("# my_net.py"))
    (tmp_path / "my_net.py").write_text(block.lstrip("\n"), encoding="utf-8")
    command, shown = re.search(
        r"^\$ python -m verify (check my_net\.py.*?)\n(.*?)^```$", text, re.M | re.S
    ).groups()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    assert main(command.split()) == 1
    printed = capsys.readouterr().out.replace(str(tmp_path), "/home/you")
    seconds = re.compile(r"in \d+\.\d s")
    assert seconds.sub("", printed) == seconds.sub("", shown)
