"""Networks and checkpoints in files: NumPy's .npz format, without pickle, replaced whole or not at all."""

from __future__ import annotations

import os
import secrets
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["CHECKPOINT", "NETWORK", "read_npz", "write_npz"]

NETWORK, CHECKPOINT = "mlp_ref network", "mlp_ref checkpoint"
"""What a file of this format may hold."""

CALLED = {NETWORK: "a network saved by mlp_ref", CHECKPOINT: "a checkpoint of mlp_ref"}

VERSION = 1


def write_npz(path: str | os.PathLike[str], arrays: Mapping[str, NDArray[Any]], kind: str = NETWORK) -> None:
    """Write `arrays` to `path`, exactly as named; what was there stays until all of it is written.

    Parameters
    ----------
    path : path
    arrays : mapping
    kind : {NETWORK, CHECKPOINT}

    Raises
    ------
    OSError
        Where the directory is missing or cannot be written to. What was there is as before.
    """
    # Through a link, so that the file it points to is replaced and not the link.
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise IsADirectoryError(f"path must name a file, but {target} is a directory")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"path must be in a directory that exists, but there is no {target.parent}")
    # In the same directory: a file is replaced in one operation only within one file system.
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        with draft.open("xb") as file:
            np.savez(file, allow_pickle=False, format=np.array(kind), version=np.array(VERSION), **arrays)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def _opened(path: str | os.PathLike[str]) -> BinaryIO:
    try:
        return Path(path).open("rb")
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no file {path}") from None
    except OSError as error:
        raise type(error)(f"{path} cannot be read: {error.strerror}") from error


def read_npz(
    path: str | os.PathLike[str], names: tuple[str, ...], kind: str = NETWORK
) -> dict[str, NDArray[Any]]:
    """Return the arrays called `names` of a file of this kind that `write_npz` wrote.

    Raises
    ------
    OSError
        Where the file cannot be opened, FileNotFoundError if there is none.
    ValueError
        Where it is not such a file, or is damaged.
    """
    with _opened(path) as file:
        if not zipfile.is_zipfile(file):
            raise ValueError(f"{path} is not {CALLED[kind]}, or is cut short: no .npz archive")
        file.seek(0)
        try:
            with np.load(file, allow_pickle=False) as archive:
                tag, version = str(archive["format"]), int(archive["version"])
                arrays = {name: archive[name] for name in names} if (tag, version) == (kind, VERSION) else {}
        except Exception as error:
            # A file of any other kind, or a torn one, can make the readers below raise nearly anything.
            reason = f"{type(error).__name__}: {error}"
            raise ValueError(f"{path} is not {CALLED[kind]}, or is damaged ({reason})") from error
    if tag != kind:
        raise ValueError(f"{path} is not {CALLED[kind]}: its format is {tag!r}, expected {kind!r}")
    if version != VERSION:
        raise ValueError(f"{path} has version {version} of the format, this mlp_ref reads version {VERSION}")
    return arrays
