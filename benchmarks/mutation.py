"""Change the oracle's source in one place at a time, run its tests, and list the changes that no test notices.

    python benchmarks/mutation.py
    python benchmarks/mutation.py --only judge.py
    python benchmarks/mutation.py --sample 50 --seed 1

This is for verify alone, where mutmut does not serve: it leaves decorated functions as they are, and every rule of
the bounds is one. A change is an operator or function replaced by its neighbour, a constant moved, a comparison or
condition turned round, or a statement left out. Each mutant lives in a copy of the packages and is tested by a process
of its own, forked from one that has loaded the libraries. Exit status 0 when every mutant was noticed or is listed in
docs/mutation.md, else 1.
"""

from __future__ import annotations

import argparse
import ast
import copy
import multiprocessing
import os
import random
import runpy
import shutil
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

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
    "tests/verify/checks/test_cross_check.py",
)
LIBRARIES = ["numpy", "jax", "jax.numpy", "jax.export", "flint", "pytest"]

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
    """What may take the place of one node."""
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


def mutants(path: Path) -> Iterator[tuple[str, str]]:
    """Every change of a file: what and where it is, and the changed source."""
    source = path.read_text(encoding="utf-8")
    lines, tree = source.splitlines(), ast.parse(source)
    silent = {id(inner) for node in ast.walk(tree) for part in _unread(node) for inner in ast.walk(part)}
    for parent in ast.walk(tree):
        for name, value in ast.iter_fields(parent):
            for i, node in enumerate(value if isinstance(value, list) else [value]):
                if not isinstance(node, ast.AST) or id(node) in silent:
                    continue
                for new in changed(node):
                    whole = parent if isinstance(parent, ast.expr) else None
                    before = ast.unparse(whole or node)
                    _put(parent, name, i, new)
                    line = lines[getattr(node, "lineno", 1) - 1].strip()
                    where = f"{path.relative_to(ROOT)}: `{line}`: `{before}` becomes `{ast.unparse(whole or new)}`"
                    yield where, ast.unparse(ast.fix_missing_locations(tree))
                    _put(parent, name, i, node)


def _put(parent: ast.AST, name: str, i: int, node: ast.AST) -> None:
    value = getattr(parent, name)
    if isinstance(value, list):
        value[i] = node
    else:
        setattr(parent, name, node)


def _unread(node: ast.AST) -> Iterator[ast.AST]:
    """Parts that decide nothing: annotations, the text of errors, how much a cache holds."""
    if isinstance(node, (ast.FunctionDef, ast.arg, ast.AnnAssign)):
        note = getattr(node, "annotation", None) or getattr(node, "returns", None)
        if note:
            yield note
    if isinstance(node, ast.keyword) and node.arg == "maxsize":
        yield node.value
    if isinstance(node, ast.Raise) and node.exc:
        yield node.exc
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
        yield node


def noticed(path: str, source: str, limit: float) -> bool:
    """Whether the tests fail on a copy of the packages in which one file is changed, or take longer than the limit."""
    with tempfile.TemporaryDirectory() as folder:
        for package in (*PACKAGES, "tests"):
            shutil.copytree(
                ROOT / package, Path(folder, package), ignore=shutil.ignore_patterns("__pycache__")
            )
        for name in ("pyproject.toml", "README.md"):
            shutil.copy(ROOT / name, folder)
        Path(folder, path).write_text(source, encoding="utf-8")
        own_first = sorted(TESTS, key=lambda test: Path(path).stem not in test)
        process = multiprocessing.get_context("forkserver").Process(target=test, args=(folder, own_first))
        process.start()
        process.join(limit)
        process.kill()  # if it still runs
        process.join()
        return process.exitcode != 0


def test(folder: str, tests: list[str]) -> None:
    """End the process with the status of the tests on the copy in a folder."""
    import pytest

    os.chdir(folder)
    sys.path.insert(0, folder)
    sys.dont_write_bytecode = True
    for stream in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    sys.exit(int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests])))


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
    parser.add_argument("--list", action="store_true", help="name the mutants and run none")
    args = parser.parse_args()
    files = [path for path in FILES if not args.only or Path(path).name in args.only]
    found = [(path, *mutant) for path in files for mutant in mutants(ROOT / path)]
    if args.sample:
        found = random.Random(args.seed).sample(found, min(args.sample, len(found)))
    if args.list:
        print("\n".join(where for _, where, _ in found))
        return 0
    known, survivors, unexplained = explained(), 0, 0
    runpy.run_path(str(ROOT / "tests" / "conftest.py"))  # the environment in which JAX is to be loaded
    os.environ["OMP_NUM_THREADS"] = "1"
    multiprocessing.get_context("forkserver").set_forkserver_preload(LIBRARIES)
    if noticed(FILES[0], (ROOT / FILES[0]).read_text(encoding="utf-8"), args.limit):
        print("the tests fail without any change", file=sys.stderr)
        return 2
    with ThreadPoolExecutor(args.jobs) as pool:
        outcomes = pool.map(lambda mutant: noticed(mutant[0], mutant[2], args.limit), found)
        for number, ((_, where, _), seen) in enumerate(zip(found, outcomes, strict=True), start=1):
            if not seen:
                survivors += 1
                reason = where in known
                unexplained += not reason
                print(f"survived: {where}{' (explained)' if reason else ''}", flush=True)
            if sys.stderr.isatty():
                print(f"\r{number} of {len(found)}", end="", file=sys.stderr, flush=True)
    killed = len(found) - survivors
    print(f"{killed} of {len(found)} mutants noticed ({killed / len(found):.1%}); {unexplained} unexplained")
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
