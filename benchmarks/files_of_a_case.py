"""The files of verify that one passing case visits, in the order of the first visit.

    python benchmarks/files_of_a_case.py

A network of other sizes is judged before, so that what is computed once a depth (JAX's derivative is traced) does not
count.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import FrameType
from typing import Any

import mlp_ref
import verify
from verify.checks.examine import examine_case
from verify.reference.spec import Spec
from verify.subject.target import Target

ROOT = Path(verify.__file__).parent
BEFORE, CASE = verify.Case((4, 5, 3), batch=6), verify.Case((6, 2, 4), batch=5, seed=1)


def gradient(params: list[mlp_ref.Layer], x: Any, y: Any) -> list[mlp_ref.Layer]:
    """Return the gradient of mlp_ref, which is right."""
    return mlp_ref.loss_and_gradient(params, x, y)[1]


def main() -> None:
    """Print the files."""
    target, spec = Target(gradient), Spec()
    assert examine_case(target, spec, BEFORE).verdict == "verified"
    visited: dict[str, str] = {}

    def note(frame: FrameType, event: str, _: object) -> None:
        path = Path(frame.f_code.co_filename)
        if event == "call" and path.is_relative_to(ROOT):
            visited.setdefault(str(path.relative_to(ROOT.parent)), frame.f_code.co_qualname)

    sys.setprofile(note)
    try:
        examine_case(target, spec, CASE)
    finally:
        sys.setprofile(None)
    for number, (path, name) in enumerate(visited.items(), start=1):
        print(f"{number:3} {path:42} {name}")


if __name__ == "__main__":
    main()
