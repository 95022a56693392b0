"""Change the oracle's source in one place at a time, run its tests, and list the changes that no test notices.

    python benchmarks/mutation.py
    python benchmarks/mutation.py --only judge.py
    python benchmarks/mutation.py --sample 50 --seed 1

This is for verify alone, where mutmut does not serve: it leaves decorated functions as they are, and every rule of
the bounds is one. A change is an operator or function replaced by its neighbour, a constant moved, a comparison or
condition turned round, or a statement left out. Each mutant lives in a copy of the packages and is tested by a process
of its own, forked from one that has loaded the libraries. It runs the tests that reach the changed line, as coverage.py
saw them do without any change and with empty caches. Exit status 0 when every mutant was noticed or
is listed in docs/mutation.md, else 1.
"""

from __future__ import annotations

import argparse
import ast
import collections
import compileall
import contextlib
import copy
import functools
import gc
import json
import multiprocessing
import os
import random
import runpy
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("mlp_ref", "verify")
FILES = (
    *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "verify" / "evaluate").rglob("*.py")),
    "verify/reference/derivative.py",
    "verify/reference/judge.py",
    "verify/reference/truth.py",
    "verify/checks/adjudicate.py",
)
TESTS = (
    "tests/verify/evaluate",
    "tests/verify/reference/test_judge.py",
    "tests/verify/checks/test_adjudicate.py",
    "tests/verify/checks/test_cross_check.py",
)
LIBRARIES = ["numpy", "jax", "jax.numpy", "jax.export", "flint", "pytest", "coverage"]
LIBRARIES += ["hypothesis.strategies", "hypothesis.extra.numpy", "ml_dtypes"]

_OPERATORS: dict[type, type] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.MatMult: ast.Mult,
    ast.Pow: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}

_FUNCTIONS = {
    "add": "subtract",
    "subtract": "add",
    "multiply": "divide",
    "divide": "multiply",
    "maximum": "minimum",
    "minimum": "maximum",
    "max": "min",
    "min": "max",
    "exp": "expm1",
    "expm1": "exp",
    "log": "log1p",
    "log1p": "log",
    "greater": "greater_equal",
    "greater_equal": "greater",
    "less": "less_equal",
    "sum": "max",
    "negative": "positive",
}
"""Functions and methods, each with its neighbour."""


def changed(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what may take the place of one node."""
    if isinstance(node, (ast.BinOp, ast.AugAssign, ast.BoolOp)) and type(node.op) in _OPERATORS:
        new = copy.deepcopy(node)
        new.op = _OPERATORS[type(node.op)]()  # type: ignore[assignment]
        yield new
    elif isinstance(node, ast.Compare) and type(node.ops[0]) in _OPERATORS:
        new = copy.deepcopy(node)
        new.ops[0] = _OPERATORS[type(node.ops[0])]()
        yield new
    elif isinstance(node, ast.Attribute) and node.attr in _FUNCTIONS:
        yield ast.Attribute(node.value, _FUNCTIONS[node.attr], node.ctx)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.Not, ast.Invert)):
        yield node.operand
    elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
        yield ast.Constant(node.value + 1)
    elif isinstance(node, ast.Constant) and type(node.value) is bool:
        yield ast.Constant(not node.value)
    elif isinstance(node, ast.IfExp):
        yield ast.IfExp(node.test, node.orelse, node.body)
    elif isinstance(node, ast.AugAssign) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)):
        yield ast.Pass()


@dataclass(frozen=True)
class Mutant:
    """One change of a file."""

    path: str
    lines: frozenset[int]  # that run when the changed place does
    where: str  # what and where the change is
    source: str  # the whole changed file


def mutants(path: str) -> Iterator[Mutant]:
    """Make every change of a file."""
    source = (ROOT / path).read_text(encoding="utf-8")
    lines, tree = source.splitlines(), ast.parse(source)
    silent = {id(inner) for node in ast.walk(tree) for part in _unread(node) for inner in ast.walk(part)}
    statement_of = _statements(tree)
    for parent in ast.walk(tree):
        for name, value in ast.iter_fields(parent):
            for i, node in enumerate(value if isinstance(value, list) else [value]):
                if not isinstance(node, ast.AST) or id(node) in silent:
                    continue
                for new in changed(node):
                    whole = parent if isinstance(parent, ast.expr) else None
                    before = ast.unparse(whole or node)
                    _put(parent, name, i, new)
                    first = getattr(node, "lineno", 1)
                    reached = {statement_of[id(node)], *range(first, getattr(node, "end_lineno", first) + 1)}
                    change = f"`{before}` becomes `{ast.unparse(whole or new)}`"
                    where = f"{path}: `{lines[first - 1].strip()}`: {change}"
                    yield Mutant(
                        path, frozenset(reached), where, ast.unparse(ast.fix_missing_locations(tree))
                    )
                    _put(parent, name, i, node)


def _statements(tree: ast.Module) -> dict[int, int]:
    """Map each node to the line on which its statement begins."""
    line_of: dict[int, int] = {}
    for node in ast.walk(tree):  # an outer statement comes before the ones in it
        if isinstance(node, ast.stmt):
            line_of |= {id(inner): node.lineno for inner in ast.walk(node)}
    return line_of


def _put(parent: ast.AST, name: str, i: int, node: ast.AST) -> None:
    value = getattr(parent, name)
    if isinstance(value, list):
        value[i] = node
    else:
        setattr(parent, name, node)


def _unread(node: ast.AST) -> Iterator[ast.AST]:
    """Parts that decide no number: annotations, the text of errors, how much a cache holds, and guards.

    Guards are ``strict`` of a zip and how a dataclass is made: what they refuse, no caller does.
    """
    if isinstance(node, (ast.FunctionDef, ast.arg, ast.AnnAssign)):
        note = getattr(node, "annotation", None) or getattr(node, "returns", None)
        if note:
            yield note
    if isinstance(node, ast.keyword) and node.arg in ("maxsize", "strict"):
        yield node.value
    if isinstance(node, ast.ClassDef):
        yield from node.decorator_list
    if isinstance(node, ast.Raise) and node.exc:
        yield node.exc
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
        yield node


def noticed(mutant: Mutant, tests: list[str], limit: float) -> bool:
    """Tell whether one of the tests fails on the mutant, or they take longer than the limit."""
    with packages_copied() as folder:
        (folder / mutant.path).write_text(mutant.source, encoding="utf-8")
        return bool(tests) and run(folder, limit, fail, tests) != 0


@contextlib.contextmanager
def packages_copied() -> Iterator[Path]:
    """Copy the packages and their tests to a folder that is removed in the end."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        for package in (*PACKAGES, "tests"):
            shutil.copytree(ROOT / package, folder / package)
        for file in ("pyproject.toml", "README.md"):
            shutil.copy(ROOT / file, folder)
        yield folder


def run(folder: Path, limit: float | None, target: Any, *arguments: Any) -> int | None:
    """Call a function in a process of its own, in a folder whose packages it imports. Give its exit status."""
    process = multiprocessing.get_context("forkserver").Process(
        target=_in_folder, args=(folder, target, *arguments)
    )
    process.start()
    process.join(limit)
    process.kill()  # if it still runs
    process.join()
    return process.exitcode


def _in_folder(folder: Path, target: Any, *arguments: Any) -> None:
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    sys.dont_write_bytecode = True
    for stream in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    sys.exit(target(*arguments))


def fail(tests: list[str]) -> int:
    """Run tests until one fails."""
    import pytest

    files = dict.fromkeys(test.partition("::")[0] for test in tests)
    return int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *files], plugins=[_InOrder(tests)]))


class _InOrder:
    """Run the named tests alone, in the order of the names."""

    def __init__(self, tests: list[str]) -> None:
        self.place = {test: i for i, test in enumerate(tests)}

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        items[:] = sorted(
            (item for item in items if item.nodeid in self.place), key=lambda item: self.place[item.nodeid]
        )


def observe(output: Path) -> int:
    """Run all the tests, and write which lines each one reaches, and its seconds."""
    import coverage
    import pytest

    folder = Path.cwd()
    seen = coverage.Coverage(data_file=None, source=["verify"], config_file=False)
    observer = _Observer(seen)
    seen.start()
    status = int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *TESTS], plugins=[observer]))
    seen.stop()
    data = seen.get_data()
    reached = {
        path: data.contexts_by_lineno(str(folder / path))
        for path in FILES
        if str(folder / path) in data.measured_files()
    }
    output.write_text(json.dumps({"reached": reached, "seconds": observer.seconds}), encoding="utf-8")
    return status


class _Observer:
    """Tell coverage.py which test runs, and take each test's time, with nothing in the oracle's caches."""

    def __init__(self, seen: Any) -> None:
        self.seen, self.seconds = seen, {}
        self.caches: list[Any] = []

    def pytest_collection_finish(self) -> None:
        self.caches = [
            found
            for found in gc.get_objects()
            if isinstance(found, functools._lru_cache_wrapper) and found.__module__.startswith("verify")
        ]

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        for cache in self.caches:
            cache.cache_clear()
        self.seen.switch_context(nodeid)
        self.started = time.perf_counter()

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self.seconds[nodeid] = time.perf_counter() - self.started
        self.seen.switch_context("")


class Reach:
    """The tests that reach a line."""

    def __init__(self) -> None:
        with packages_copied() as folder:
            output = folder / "reached.json"
            status = run(folder, None, observe, output)
            if status != 0:
                raise SystemExit("the tests fail without any change")
            observed = json.loads(output.read_text(encoding="utf-8"))
        self.seconds: dict[str, float] = observed["seconds"]
        self.tests = {
            path: {int(line): set(tests) - {""} for line, tests in lines.items()}
            for path, lines in observed["reached"].items()
        }

    def of(self, mutant: Mutant) -> list[str]:
        """Give the tests that reach a mutant's lines; of lines that run at import, those that reach the file, or all.

        The quickest come first: of each test one set of its parameters, then of each another.
        """
        lines = self.tests.get(mutant.path, {})
        found = set().union(*(lines.get(line, set()) for line in mutant.lines))
        found = found or set().union(*lines.values()) or set(self.seconds)
        turns: collections.Counter[str] = collections.Counter()
        turn_of = {}
        for test in sorted(found, key=self.seconds.__getitem__):
            function = test.partition("[")[0]
            turn_of[test] = turns[function]
            turns[function] += 1
        return sorted(turn_of, key=turn_of.__getitem__)


def explained() -> str:
    """The survivors that docs/mutation.md gives a reason for."""
    page = ROOT / "docs" / "mutation.md"
    return page.read_text(encoding="utf-8") if page.exists() else ""


def main() -> int:
    """Run the mutants, and print those that no test notices."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    names = [Path(path).name for path in FILES]
    parser.add_argument("--only", nargs="+", choices=names, metavar="FILE", help="for example judge.py")
    parser.add_argument("--sample", type=int, metavar="N", help="N of the mutants, at random")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many at a time")
    parser.add_argument(
        "--limit",
        type=float,
        default=300,
        metavar="SECONDS",
        help="a mutant whose tests take longer loops for ever: it has been noticed (default: %(default)s)",
    )
    parser.add_argument(
        "--tests", type=int, metavar="N", help="run N tests on each at the most; the others may notice more"
    )
    parser.add_argument(
        "--again", metavar="FILE", help="only what survived a run whose output was written to the file"
    )
    parser.add_argument("--list", action="store_true", help="name the mutants and run none")
    args = parser.parse_args()
    files = [path for path in FILES if not args.only or Path(path).name in args.only]
    found = [mutant for path in files for mutant in mutants(path)]
    if args.again:
        output = Path(args.again).read_text(encoding="utf-8").splitlines()
        survived = {line.removeprefix("survived: ").removesuffix(" (explained)") for line in output}
        found = [mutant for mutant in found if mutant.where in survived]
    if args.sample:
        found = random.Random(args.seed).sample(found, min(args.sample, len(found)))
    if args.list:
        print("\n".join(mutant.where for mutant in found))
        return 0
    known, survivors, unexplained = explained(), 0, 0
    runpy.run_path(str(ROOT / "tests" / "conftest.py"))  # the environment in which JAX is to be loaded
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = (
        "1"  # to load Hypothesis's takes longer than most of the tests
    )
    for package in PACKAGES:
        compileall.compile_dir(ROOT / package, quiet=1)  # a copy keeps what its source is compiled to
    multiprocessing.get_context("forkserver").set_forkserver_preload(LIBRARIES)
    reach = Reach()
    with ThreadPoolExecutor(args.jobs) as pool:
        outcomes = pool.map(lambda mutant: noticed(mutant, reach.of(mutant)[: args.tests], args.limit), found)
        for number, (mutant, seen) in enumerate(zip(found, outcomes, strict=True), start=1):
            if not seen:
                survivors += 1
                reason = mutant.where in known
                unexplained += not reason
                print(f"survived: {mutant.where}{' (explained)' if reason else ''}", flush=True)
            if sys.stderr.isatty():
                print(f"\r{number} of {len(found)}", end="", file=sys.stderr, flush=True)
    killed = len(found) - survivors
    print(f"{killed} of {len(found)} mutants noticed ({killed / len(found):.1%}); {unexplained} unexplained")
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
