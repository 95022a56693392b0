"""Change the source in one place at a time, run its tests, and list the changes that no test notices.

    pip install -e '.[mutation]'
    python benchmarks/mutation.py mlp_ref            the network's mathematics
    python benchmarks/mutation.py verify             the oracle's bounds and judgement
    python benchmarks/mutation.py verify --again     only what was not noticed the last time, after new tests

mutmut makes the mutants and runs the tests. What is here brings within its reach what it leaves out by itself: it
does not mutate decorated functions (every rule of the bounds is one), nor NumPy's functions, and it chooses a mutant
too late for what runs when a module is imported. The constants and tables of modules stay beyond it. Exit status 0
when every mutant was noticed or is listed in docs/mutation.md, else 1.
"""

from __future__ import annotations

import argparse
import ast
import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import libcst

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "mutation.md"

PARTS: dict[str, dict[str, list[str]]] = {
    "mlp_ref": {
        "only_mutate": [
            "mlp_ref/activations.py",
            "mlp_ref/losses.py",
            "mlp_ref/softmax.py",
            "mlp_ref/backprop.py",
            "mlp_ref/products.py",
        ],
        "pytest_add_cli_args_test_selection": [
            "tests/mlp_ref/test_activations.py",
            "tests/mlp_ref/test_losses.py",
            "tests/mlp_ref/test_softmax.py",
            "tests/mlp_ref/test_backprop.py",
            "tests/mlp_ref/test_products.py",
            "tests/mlp_ref/test_network.py",
            "tests/mlp_ref/test_training.py",
            "tests/mlp_ref/test_mutants.py",
        ],
    },
    "verify": {
        "only_mutate": [
            "verify/judge.py",
            "verify/evaluate/arithmetic.py",
            "verify/evaluate/bounds.py",
            "verify/evaluate/structure.py",
            "verify/evaluate/program.py",
            "verify/evaluate/working.py",
        ],
        "pytest_add_cli_args_test_selection": [
            "tests/verify/test_bounds.py",
            "tests/verify/test_judge.py",
            "tests/verify/test_structure.py",
            "tests/verify/test_program.py",
            "tests/verify/test_working.py",
            "tests/verify/test_mutants.py",
        ],
    },
}

AT_IMPORT = ("*.x__comparison__*", "*.x__moved__*", "*.x__rounded__*", "*.x_rule__*")
"""Functions that make rules while a module is imported: their mutants import it anew."""

NEIGHBOURS = {
    "add": "subtract",
    "subtract": "add",
    "multiply": "divide",
    "divide": "multiply",
    "maximum": "minimum",
    "minimum": "maximum",
    "max": "min",
    "min": "max",
    "argmax": "argmin",
    "exp": "expm1",
    "expm1": "exp",
    "log": "log1p",
    "log1p": "log",
    "greater": "greater_equal",
    "sum": "max",
    "negative": "positive",
}
"""Functions and methods of NumPy, each with the one that takes its place."""


def neighbour(node: libcst.Attribute) -> Iterator[libcst.Attribute]:
    """The change of one function, as mutmut asks for it."""
    if node.attr.value in NEIGHBOURS:
        yield node.with_changes(attr=libcst.Name(NEIGHBOURS[node.attr.value]))


def undecorated(source: str) -> str:
    """The same module with ``f = decorator(f)`` after each function instead of ``@decorator`` before it."""
    lines = source.splitlines()
    for node in reversed(ast.parse(source).body):
        if isinstance(node, ast.FunctionDef) and node.decorator_list:
            calls = [f"{node.name} = {ast.unparse(d)}({node.name})" for d in reversed(node.decorator_list)]
            lines[node.end_lineno : node.end_lineno] = calls
            del lines[node.decorator_list[0].lineno - 1 : node.lineno - 1]
    return "\n".join(lines) + "\n"


def prepare(room: Path, part: str) -> None:
    """Copy what the tests need, with functions that mutmut can take and its settings."""
    for package in ("mlp_ref", "verify", "tests"):
        shutil.copytree(
            ROOT / package,
            room / package,
            ignore=shutil.ignore_patterns("__pycache__", "*.pyc"),
            dirs_exist_ok=True,
        )
    for path in PARTS[part]["only_mutate"]:
        (room / path).write_text(undecorated((ROOT / path).read_text(encoding="utf-8")), encoding="utf-8")
    shutil.copy(ROOT / "README.md", room)
    settings = {
        "source_paths": ["mlp_ref", "verify"],
        "also_copy": ["README.md"],
        "do_not_mutate_patterns": [r"raise \w+"],  # what an error says is for its reader
        "process_isolation": "forkserver",  # a process in which JAX has run is not forked
        **PARTS[part],
    }
    table = "\n".join(f"{key} = {json.dumps(value)}" for key, value in settings.items())
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (room / "pyproject.toml").write_text(f"{project}\n[tool.mutmut]\n{table}\n", encoding="utf-8")


def mutmut(*arguments: str) -> None:
    """Run mutmut in the current directory, in a process that knows the neighbours."""
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "import libcst, mutation, mutmut.__main__, mutmut.mutation.mutators as mutators\n"
        "mutators.mutation_operators.append((libcst.Attribute, mutation.neighbour))\n"
        "mutmut.__main__.cli()\n"
    )
    subprocess.run([sys.executable, "-c", code, *arguments], check=True)


def without(setting: str) -> None:
    """Take ``setting`` to "none" in mutmut's settings."""
    path = Path("pyproject.toml")
    path.write_text(path.read_text(encoding="utf-8") + f'{setting} = "none"\n', encoding="utf-8")


def results() -> Iterator[tuple[str, bool, str]]:
    """Every mutant: its name, whether it was noticed, and (only where it was not) what it changes."""
    from mutmut.mutation.data import SourceFileMutationData
    from mutmut.mutation.diff_apply import get_diff_for_mutant
    from mutmut.stats import status_by_exit_code
    from mutmut.utils.file_utils import walk_mutatable_files

    for path in walk_mutatable_files():
        data = SourceFileMutationData(path=path)
        data.load()
        for name, code in data.exit_code_by_key.items():
            noticed = status_by_exit_code[code] in ("killed", "timeout", "segfault")
            yield name, noticed, "" if noticed else f"{path}: {change(get_diff_for_mutant(name, path=path))}"


def change(diff: str) -> str:
    """A diff in one line."""
    lines = [line for line in diff.splitlines() if not line.startswith(("---", "+++"))]
    old, new = (" ".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+")
    return f"`{old}` → `{new}`"


def asserts(what: str) -> bool:
    """Whether a change only takes ``strict=`` from a zip: that is an assertion, as `raise` is, not a computation."""
    old, new = (re.sub(r",\s*strict=\w+", "", side) for side in what.partition(": ")[2].split(" → "))
    return old == new


def main() -> int:
    """Run the mutants of a part, and print those that no test notices."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--again", action="store_true", help="only the mutants not noticed the last time")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many at a time")
    args = parser.parse_args()
    room = ROOT / "build" / "mutation" / args.part
    if not args.again:
        shutil.rmtree(room, ignore_errors=True)
        room.mkdir(parents=True)
    os.chdir(room)
    left = [name for name, noticed, _ in results() if not noticed] if args.again else []
    prepare(room, args.part)
    jobs = f"--max-children={args.jobs}"
    mutmut("run", jobs, *left)
    late = [name for name, *_ in results() if any(fnmatch.fnmatch(name, pattern) for pattern in AT_IMPORT)]
    if late:
        without("forkserver_warmup")
        mutmut("run", jobs, *late)
    known = PAGE.read_text(encoding="utf-8")
    found = [(noticed, what) for _, noticed, what in results() if noticed or not asserts(what)]
    survivors = [what for noticed, what in found if not noticed]
    for what in survivors:
        print(f"- {what}" + (" (listed)" if what in known else ""))
    unexplained = sum(what not in known for what in survivors)
    killed = len(found) - len(survivors)
    print(
        f"{args.part}: {killed} of {len(found)} mutants noticed ({killed / len(found):.1%}); {unexplained} not listed"
    )
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
