"""The plan of a sweep: shards, each named by what it computes.

A shard is the cases ``[start, stop)`` of those that one seed draws for one job. Its name is a digest of the job, the
seed, the options, and the code and versions that judge it: the same name, the same result, so a shard done twice counts
once.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from typing import Any

from verify.oracle.sweep.digest import digest_of_package
from verify.reference.spec import Spec

SHARD = 500
"""Cases of a shard, where nothing else is asked: some two seconds of work, so that the ledger costs little and a
lost shard too.
"""


@dataclass(frozen=True)
class Job:
    """A job of a sweep's plan: a target and the Spec that it is judged by.

    Parameters
    ----------
    where
        The target, as ``module:name`` or ``/absolute/path/to/file.py:name``.
    code
        A digest of the file, or of the module's package.
    spec
        The fields of a Spec; None where the target has its own.
    program
        A digest of the files that a `verify.Program`'s command names; empty for a target in Python.
    """

    where: str
    code: str
    spec: Spec | None
    program: str = ""


@dataclass(frozen=True)
class Shard:
    """A shard of a sweep's plan: cases ``[start, stop)`` of the ``drawn`` ones that ``seed`` draws for a job.

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
        """Return the digest that names it, for results judged by ``plan_environment``."""
        text = json.dumps([asdict(self), environment], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Plan:
    """All that a sweep is to do: as plain data, so that a ledger can keep it.

    Parameters
    ----------
    target
        What the report calls the target.
    jobs
        Each with its options, pairs (name, value) of `verify.cases`; they share the cases.
    cases, seed
        How many, all jobs together; and what draws them.
    checks
        The follow-ups that cases are given.
    size
        The cases of a shard.
    environment
        What else the results depend on: see `plan_environment`.
    """

    target: str
    jobs: tuple[tuple[Job, tuple[tuple[str, Any], ...]], ...]
    cases: int
    seed: int
    checks: tuple[str, ...]
    size: int
    environment: dict[str, str]

    @property
    def shards(self) -> Iterator[Shard]:
        """The shards, in order: of each job as many cases as of the others, a seed for each shard."""
        for i, (job, options) in enumerate(self.jobs):
            cases = self.cases // len(self.jobs) + (i < self.cases % len(self.jobs))
            for step, start in enumerate(range(0, cases, self.size)):
                size = min(self.size, cases - start)
                yield Shard(job, self.seed + step, size, 0, size, options, self.checks)

    @property
    def spec(self) -> str:
        """The Spec of the target in words; where there are several, their number."""
        texts = list(dict.fromkeys(str(job.spec) for job, _ in self.jobs))
        return texts[0] if len(texts) == 1 else f"{len(texts)} specs"

    def to_json(self) -> str:
        """Return it as JSON."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """Return the plan that `to_json` wrote."""
        data = json.loads(text)
        jobs = [
            (Job(**{**job, "spec": Spec(**job["spec"])}), tuple((name, value) for name, value in options))
            for job, options in data["jobs"]
        ]
        return cls(**{**data, "jobs": tuple(jobs), "checks": tuple(data["checks"])})


def plan_options(options: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
    """Return the options of a plan that are given, as pairs in the order of their names."""
    return tuple(sorted((name, value) for name, value in options.items() if value is not None))


def plan_differences(here: dict[str, str], there: dict[str, str]) -> list[str]:
    """Return what differs between the environments of two plans, in words."""
    return [
        f"{name} is {here.get(name)!s:.12} here, {value!s:.12} there"
        for name, value in there.items()
        if here.get(name) != value
    ]


def plan_environment() -> dict[str, str]:
    """Return what a result depends on besides its shard: versions, and a digest of this project's own code."""
    packages = ("numpy", "jax", "jaxlib", "hypothesis", "python-flint")
    return {
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in packages},
        "mlp_ref": digest_of_package("mlp_ref"),
        "verify": digest_of_package("verify"),
    }
