"""Digests of what a result depends on: a target's file or package, and the files of a program's command."""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
from pathlib import Path
from typing import Any

from verify.subject.external_program import Program


def digest_of_target(where: str) -> str:
    """Return a digest of the bytes of a target: of its file, or of every Python file of its module's package.

    Raises
    ------
    FileNotFoundError
        Where there is no such file or module.
    """
    source, _, _ = where.rpartition(":")
    if source.endswith(".py"):
        return hashlib.sha256(Path(source).read_bytes()).hexdigest()
    return digest_of_package(source.partition(".")[0])


def digest_of_program(target: Any) -> str:
    """Return a digest of the files that a program's command names, the program itself first; empty if it is none."""
    program = getattr(target, "adapter", target)
    if not isinstance(program, Program):
        return ""
    digest = hashlib.sha256()
    for part in program.command:
        file = Path(shutil.which(part) or part)
        digest.update(part.encode() + b"\0" + (file.read_bytes() if file.is_file() else b""))
    return digest.hexdigest()


def digest_of_package(name: str) -> str:
    """Return a digest of every Python file of a package, or of a module that is one file."""
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise FileNotFoundError(f"there is no module {name} whose file could be read")
    origin = Path(found.origin)
    files = sorted(origin.parent.rglob("*.py")) if origin.name == "__init__.py" else [origin]
    digest = hashlib.sha256()
    for file in files:
        digest.update(str(file.relative_to(origin.parent)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()
