"""Write data in MNIST's format and size, made from the embedded digits, for where MNIST is not at hand.

    python benchmarks/mnist_format.py DIRECTORY
    python -m mlp_ref train --data mnist --data-dir DIRECTORY --learning-rate 0.01

The 8 x 8 digits are enlarged to 24 x 24, put at a random place in 28 x 28, made lighter or darker, and
speckled. Training images come from the digits' training part, test images from their test part, so a network
is tested on images whose originals it has not seen. It is a stand-in: an accuracy on it is not one on MNIST.
"""

from __future__ import annotations

import argparse
import gzip
import struct
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mlp_ref import datasets

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDE, ENLARGED = 28, 24
CHUNK = 5_000  # images made at a time, so that the intermediate arrays stay small


def interpolation(small: int, large: int) -> NDArray[np.float32]:
    """Return the matrix (large, small) of linear interpolation between the centres of ``small`` cells."""
    centres = np.clip((np.arange(large) + 0.5) * small / large - 0.5, 0, small - 1)
    distance = np.abs(centres[:, np.newaxis] - np.arange(small))
    return np.maximum(1 - distance, 0).astype(np.float32)


def render(x: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return an image (n, 28, 28) of bytes for each row of ``x`` (n, 64), at a random place and strength."""
    grow = interpolation(8, ENLARGED)
    enlarged = grow @ x.reshape(-1, 8, 8) @ grow.T
    enlarged *= rng.uniform(160, 255, (len(x), 1, 1)).astype(np.float32)
    images = np.zeros((len(x), SIDE, SIDE), np.float32)
    for image, digit, (top, left) in zip(images, enlarged, rng.integers(0, 5, (len(x), 2)), strict=True):
        image[top : top + ENLARGED, left : left + ENLARGED] = digit
    images += rng.normal(0, 12, images.shape).astype(np.float32)
    return np.clip(np.rint(images), 0, 255).astype(np.uint8)


def write_idx(path: Path, array: NDArray[np.uint8]) -> None:
    """Write an IDX file, compressed where its name ends with ``.gz``; the same array gives the same bytes."""
    content = struct.pack(f">{1 + array.ndim}I", 0x0800 + array.ndim, *array.shape) + array.tobytes()
    path.write_bytes(gzip.compress(content, compresslevel=4, mtime=0) if path.suffix == ".gz" else content)


def write(directory: Path, train: int, test: int, seed: int, suffix: str) -> None:
    """Write the four files, with ``train`` and ``test`` images."""
    directory.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    for name, count, (x, y) in zip(("train", "t10k"), (train, test), datasets.load_digits(), strict=True):
        chosen = rng.integers(0, len(x), count)
        images = [render(x[chosen[i : i + CHUNK]], rng) for i in range(0, count, CHUNK)]
        write_idx(directory / f"{name}-images-idx3-ubyte{suffix}", np.concatenate(images))
        write_idx(directory / f"{name}-labels-idx1-ubyte{suffix}", y[chosen].astype(np.uint8))
        print(f"{name}: {count} images of {SIDE} x {SIDE}")


def main() -> None:
    """Read the command line and write the files."""
    parser = argparse.ArgumentParser(description="Write data in MNIST's format and of MNIST's size.")
    parser.add_argument("directory", type=Path, help="where the four files go; made if it does not exist")
    parser.add_argument("--train", type=int, default=60_000, help="training images (default: %(default)s)")
    parser.add_argument("--test", type=int, default=10_000, help="test images (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same files (default: 0)")
    parser.add_argument("--gzip", action="store_true", help="compress the files")
    options = parser.parse_args()
    if min(options.train, options.test) < 1:
        parser.error(f"--train and --test must be at least 1, got {options.train} and {options.test}")
    write(options.directory, options.train, options.test, options.seed, ".gz" if options.gzip else "")


if __name__ == "__main__":
    main()
