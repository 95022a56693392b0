"""The packages of verify import one way: what each may import stands in its docstring, and no file is in a cycle."""

import ast
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import verify

ROOT = Path(verify.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
PUBLIC_FUNCTIONS = [name for name in verify.__all__ if name[0].islower()]


def module_of(path: Path) -> str:
    parts = ("verify", *path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in FILES}


def imported(path: Path) -> set[str]:
    """The modules of verify that a file imports: at its top, in functions, and for types alone."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "verify":
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                found.add(submodule if submodule in MODULES else node.module)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.split(".")[0] == "verify"}
    return {module for module in found if module in MODULES}


GRAPH = {module: imported(path) - {module} for module, path in MODULES.items() if module != "verify"}


def package_of(module: str) -> str:
    return module.split(".")[1]


PACKAGES = sorted(entry.name for entry in ROOT.iterdir() if (entry / "__init__.py").is_file())


def packages_imported(package: str) -> set[str]:
    return {
        package_of(other)
        for module, others in GRAPH.items()
        if package_of(module) == package
        for other in others
        if other != "verify" and package_of(other) != package
    }


def may_import(package: str) -> set[str]:
    docstring = ast.get_docstring(ast.parse((ROOT / package / "__init__.py").read_text(encoding="utf-8")))
    allowed = re.search(r"^May import: (.*?)\.", docstring or "", re.MULTILINE | re.DOTALL)
    assert allowed, f"the docstring of verify/{package}/__init__.py must have a line 'May import: ...'"
    return set() if allowed[1] == "nothing of verify" else set(re.split(r",\s+", allowed[1]))


def levels() -> dict[str, int]:
    """The level of each package: one above the highest that it may import."""
    found: dict[str, int] = {}
    while len(found) < len(PACKAGES):
        ready = [name for name in PACKAGES if name not in found and may_import(name) <= set(found)]
        assert ready, f"these packages may import each other in a cycle: {set(PACKAGES) - set(found)}"
        found.update(
            {name: 1 + max((found[other] for other in may_import(name)), default=0) for name in ready}
        )
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_imports_what_its_docstring_allows(package):
    assert packages_imported(package) <= may_import(package)


def test_packages_have_at_most_eight_levels():
    assert max(levels().values()) <= 8


def test_no_file_is_in_a_cycle():
    rest = dict(GRAPH)
    while leaves := [module for module, others in rest.items() if not others & set(rest)]:
        for module in leaves:
            del rest[module]
    assert not rest


def test_the_top_has_at_most_twelve_entries():
    assert len([entry for entry in ROOT.iterdir() if entry.name != "__pycache__"]) <= 12


def test_no_module_at_the_top_hides_a_public_function():
    assert not {entry.stem for entry in ROOT.iterdir()} & set(PUBLIC_FUNCTIONS)


def test_public_functions_stay_functions_after_every_import():
    for module in pkgutil.walk_packages(verify.__path__, "verify."):
        if not re.search(r"__main__|\.bench\.peers\.|\.test_|bench\.peer_worker|bench\.plot", module.name):
            try:
                importlib.import_module(module.name)
            except ModuleNotFoundError as error:  # a peer that is not installed
                if str(error.name).startswith(("mlp_ref", "verify")):
                    raise
    assert all(callable(getattr(verify, name)) for name in PUBLIC_FUNCTIONS)
