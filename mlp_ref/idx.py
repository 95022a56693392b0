"""Reads files in the IDX format, in which MNIST and the sets made after its pattern are published.

A file is a magic number, the length of each dimension, and the elements, first index slowest. The numbers of
that header are big-endian and four bytes each. The magic number's last two bytes are the type of the elements
(8: unsigned bytes, the only one read here) and the number of dimensions.
"""

from __future__ import annotations

import gzip
import math
import zlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["read_idx"]

UNSIGNED_BYTES = 0x0800
GZIP_MAGIC = b"\x1f\x8b"


def read_idx(path: Path, ndim: int) -> NDArray[np.uint8]:
    """Return the array of bytes in an IDX file.

    Parameters
    ----------
    path
        The file; it may be compressed with gzip, whatever it is called.
    ndim
        How many dimensions the array must have.

    Returns
    -------
    array
        Read-only, of the shape that the file's header gives.

    Raises
    ------
    OSError
        Where the file cannot be read.
    ValueError
        Where it is not an IDX file of that many dimensions, is empty, or has fewer or more bytes than its
        header announces.
    """
    content = _content(path)
    header = 4 + 4 * ndim
    if len(content) < header:
        raise ValueError(
            f"{path}: expected an IDX file, whose header is {header} bytes, got {len(content)} bytes"
        )
    magic, *shape = (int(number) for number in np.frombuffer(content, ">u4", 1 + ndim))
    if magic != UNSIGNED_BYTES + ndim:
        raise ValueError(
            f"{path}: expected the magic number {UNSIGNED_BYTES + ndim} (an IDX file of bytes in {ndim} "
            f"dimensions), got {magic}"
        )
    if 0 in shape:
        raise ValueError(f"{path}: expected at least one element, got the shape {tuple(shape)}")
    expected = header + math.prod(shape)
    if len(content) != expected:
        fault = "is truncated" if len(content) < expected else "is too long"
        raise ValueError(
            f"{path} {fault}: expected {expected} bytes, as its header gives the shape {tuple(shape)}, "
            f"got {len(content)}; put a complete copy in its place"
        )
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def _content(path: Path) -> bytes:
    """Return the bytes of a file, decompressed if they begin as gzip does."""
    content = path.read_bytes()
    if not content.startswith(GZIP_MAGIC):
        return content
    try:
        return gzip.decompress(content)
    except (EOFError, OSError, zlib.error) as error:
        raise ValueError(
            f"{path}: expected a complete gzip file, got a damaged one ({error}); "
            "put a complete copy in its place"
        ) from error
