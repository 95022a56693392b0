"""The plan of a sweep: shards, each named by what it computes.

A shard is the cases ``[start, stop)`` of those that one seed draws for one job. Its name is a digest of the job, the
seed, the options, and the code and versions that judge it: the same name, the same result, so a shard done twice counts
once.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import platform
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from verify.reference.spec import Spec

SHARD = 500
"""Cases of a shard: some two seconds of work, so that the ledger costs little and a lost shard too."""


@dataclass(frozen=True)
class Job:
    """A target and what it is judged as the gradient of.

    Parameters
    ----------
    where
        The target, as ``module:name`` or ``/absolute/path/to/file.py:name``.
    code
        A digest of the file, or of the module's package.
    spec
        The fields of a Spec; None where the target has its own.
    """

    where: str
    code: str
    spec: Spec | None


@dataclass(frozen=True)
class Shard:
    """Cases ``[start, stop)`` of the ``drawn`` ones that ``seed`` draws for a job.

    ``options`` are pairs (name, value) of `verify.cases`, and ``checks`` the follow-ups that cases are given.
    """

    job: Job
    seed: int
    drawn: int
    start: int
    stop: int
    options: tuple[tuple[str, Any], ...]
    checks: tuple[str, ...]

    def __len__(self) -> int:
        return self.stop - self.start

    def halves(self) -> tuple[Shard, Shard]:
        """Return the two halves of its cases."""
        middle = (self.start + self.stop) // 2
        return replace(self, stop=middle), replace(self, start=middle)

    def name(self, environment: dict[str, str]) -> str:
        """Return the digest that names it, for results judged by ``environment``."""
        text = json.dumps([asdict(self), environment], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()


def plan(job: Job, cases: int, seed: int, options: dict[str, Any], checks: Sequence[str]) -> Iterator[Shard]:
    """Yield the shards of a job: so many cases, in order, a seed for each shard."""
    fixed = tuple(sorted((name, value) for name, value in options.items() if value is not None))
    for step, start in enumerate(range(0, cases, SHARD)):
        size = min(SHARD, cases - start)
        yield Shard(job, seed + step, size, 0, size, fixed, tuple(checks))


def environment() -> dict[str, str]:
    """Return what a result depends on besides its shard: versions, and a digest of this project's own code."""
    packages = ("numpy", "jax", "jaxlib", "hypothesis", "python-flint")
    return {
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in packages},
        "mlp_ref": digest_of_package("mlp_ref"),
        "verify": digest_of_package("verify"),
    }


def digest_of(where: str) -> str:
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
