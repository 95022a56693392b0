"""A C function in a shared library as what is judged, in a process of its own: one that crashes ends nothing else."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from verify.subject.c_prototype import c_prototype
from verify.subject.external_program import TIMEOUT_S, Program
from verify.subject.target import TargetError

SUFFIXES = (".so", ".dylib", ".dll")
"""How the name of a shared library ends."""

EXAMPLE = (
    "void gradient(int layers, const int *sizes, int batch, const double *params, const double *x, const double *y, "
    "double *gradient)"
)


class CLibrary(Program):
    """A function of a C library, called through ctypes in a process of its own.

    Parameters
    ----------
    path
        The shared library.
    name
        The function that the user named.
    signature
        Its prototype; or several, one for each float format, of which one is its own.

    Raises
    ------
    TargetError
        When there is no such file, a prototype cannot be read, or none is of the named function.
    """

    def __init__(self, path: str, name: str, signature: str | Sequence[str] | None) -> None:
        if not signature:
            raise TargetError(f"{path}:{name} is a C function, and needs its signature, such as {EXAMPLE!r}")
        texts = [signature] if isinstance(signature, str) else list(signature)
        try:
            found = [c_prototype(text) for text in texts]
        except ValueError as error:
            raise TargetError(str(error)) from None
        names = [each.name for each in found]
        if name not in names:
            raise TargetError(f"signature is of {', '.join(names)}, and {path}:{name} was asked for")
        for what, values in (
            ("formats", [each.dtype for each in found]),
            ("labels", [each.labels for each in found]),
        ):
            if what == "formats" and len(set(values)) < len(values):
                raise TargetError(
                    f"signature must have one prototype for each format; got two for {values[0]}"
                )
            if what == "labels" and len(set(values)) > 1:
                raise TargetError("signature must have y as floats in each prototype, or as integers in each")
        self.path = Path(path).resolve()
        if not self.path.is_file():
            raise TargetError(f"there is no file {path}")
        self.function, self.texts = name, texts
        super().__init__(
            [sys.executable, "-m", "verify.subject.c_function", str(self.path), *texts], timeout=TIMEOUT_S
        )

    def _named(self) -> tuple[str, str]:
        signature = self.texts[0] if len(self.texts) == 1 else self.texts
        source = f'{self.function} = verify.load("{self.path}:{self.function}", signature={signature!r})'
        return self.function, source
