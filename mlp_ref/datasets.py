"""Images of hand-written digits: one set that comes with the package, and MNIST from files that you have.

Both loaders return ``(x_train, y_train), (x_test, y_test)``. Each ``x`` is ``(images, pixels)``, in [0, 1],
one image a row; each ``y`` is ``(images,)``, the digit written, as an ``int64`` class label. The arrays are
the caller's: nobody else holds them, and they may be written to. Nothing is ever downloaded.
"""

from __future__ import annotations

import io
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mlp_ref.idx import read_idx

if TYPE_CHECKING:
    import os

    from numpy.typing import DTypeLike

__all__ = ["Split", "load_digits", "load_mnist"]

Split: TypeAlias = tuple[NDArray[Any], NDArray[np.int64]]

CLASSES = 10
MNIST_SIDE = 28
MNIST_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def load_digits(dtype: DTypeLike = np.float32) -> tuple[Split, Split]:
    """Return the 1,797 digits of 8 x 8 pixels that are part of the package.

    The images are the test set of *Optical Recognition of Handwritten Digits* (E. Alpaydin and C. Kaynak,
    1998, UCI Machine Learning Repository, https://doi.org/10.24432/C50P49, licensed CC BY 4.0), the same
    1,797 that scikit-learn distributes.

    The split is fixed and needs no random numbers: of the images of each digit, in their original order, the
    first of every five is for testing. That leaves 1,433 to train on and 364 to test on, balanced alike. The
    13 writers are in both parts, so the test measures new images, not new hands.

    Parameters
    ----------
    dtype
        ``float32`` or ``float64``, the type of the pixels.

    Returns
    -------
    (x_train, y_train), (x_test, y_test)
        ``x`` is ``(images, 64)``, the original's 0 to 16 divided by 16, which is exact; ``y`` is
        ``(images,)``.

    Raises
    ------
    TypeError
        Where ``dtype`` is neither ``float32`` nor ``float64``.
    """
    dtype = _floating(dtype)
    packed = (resources.files("mlp_ref") / "data" / "digits.npz").read_bytes()
    with np.load(io.BytesIO(packed), allow_pickle=False) as arrays:
        images, y = arrays["images"], arrays["labels"].astype(np.int64)
    x = _rows(images, 16, dtype)
    test = np.zeros(len(y), dtype=bool)
    for digit in range(CLASSES):
        test[np.flatnonzero(y == digit)[::5]] = True
    return (x[~test], y[~test]), (x[test], y[test])


def load_mnist(directory: str | os.PathLike[str], dtype: DTypeLike = np.float32) -> tuple[Split, Split]:
    """Return the digits in ``directory``, four files in the IDX format in which MNIST is published.

    The files are ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``, ``t10k-images-idx3-ubyte`` and
    ``t10k-labels-idx1-ubyte``. Each may be called ``.idx`` for ``-idx``, and may be compressed with gzip,
    with or without ``.gz`` after its name. Sets of the same format, with 28 x 28 pixels and ten classes, load
    as well (Fashion-MNIST, Kuzushiji-MNIST), and so does any number of images.

    Parameters
    ----------
    directory
        Where the four files are.
    dtype
        ``float32`` or ``float64``, the type of the pixels.

    Returns
    -------
    (x_train, y_train), (x_test, y_test)
        ``x`` is ``(images, 784)``, each image row after row, its bytes divided by 255; ``y`` is
        ``(images,)``.

    Raises
    ------
    FileNotFoundError
        Where the directory or any of the files is missing; it names all that are.
    ValueError
        Where a file is damaged or is not what its name says: wrong magic number, other than 28 x 28 pixels,
        fewer or more bytes than its header announces, labels outside 0 to 9, or not one label for each image.
    TypeError
        Where ``dtype`` is neither ``float32`` nor ``float64``.
    """
    dtype = _floating(dtype)
    train_images, train_labels, test_images, test_labels = _find_mnist(Path(directory))
    x_train, y_train = _read_pair(train_images, train_labels)
    x_test, y_test = _read_pair(test_images, test_labels)
    return (_rows(x_train, 255, dtype), y_train), (_rows(x_test, 255, dtype), y_test)


def _floating(dtype: DTypeLike) -> np.dtype[Any]:
    """Return ``dtype`` as NumPy's own, if networks can be trained on it."""
    found = np.dtype(dtype)
    if found not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise TypeError(f"dtype must be float32 or float64, got {found}")
    return found


def _rows(images: NDArray[np.uint8], full: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return one flat row an image, where ``full`` becomes 1."""
    rows: NDArray[Any] = np.divide(images.reshape(len(images), -1), full, dtype=dtype)
    return rows


def _find_mnist(directory: Path) -> list[Path]:
    """Return the path of each of ``MNIST_FILES``, whichever of its usual names it has."""
    if not directory.is_dir():
        raise FileNotFoundError(
            f"{str(directory)!r} is not a directory; expected one that has {', '.join(MNIST_FILES)}"
        )
    found, missing = [], []
    for name in MNIST_FILES:
        spellings = (name, f"{name}.gz", dotted := name.replace("-idx", ".idx"), f"{dotted}.gz")
        present = [path for path in map(directory.joinpath, spellings) if path.is_file()]
        found += present[:1]
        missing += [] if present else [name]
    if missing:
        raise FileNotFoundError(
            f"directory {str(directory)!r} lacks {', '.join(missing)}; put each there under that name, "
            "with '.idx' for '-idx' if you like, and with '.gz' after it if it is compressed"
        )
    return found


def _read_pair(images_path: Path, labels_path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return images (images, 28, 28) and their labels (images,), checked against each other."""
    images, labels = read_idx(images_path, 3), read_idx(labels_path, 1)
    _, height, width = images.shape
    if (height, width) != (MNIST_SIDE, MNIST_SIDE):
        raise ValueError(
            f"{images_path}: expected images of {MNIST_SIDE} x {MNIST_SIDE} pixels, got {height} x {width}"
        )
    if len(images) != len(labels):
        raise ValueError(
            f"{labels_path}: expected {len(images)} labels, one for each image in {images_path.name}, "
            f"got {len(labels)}"
        )
    wrong = np.flatnonzero(labels >= CLASSES)
    if wrong.size:
        raise ValueError(
            f"{labels_path}: expected labels from 0 to {CLASSES - 1}, got {labels[wrong[0]]} "
            f"at index {wrong[0]}, the first of {wrong.size} out of range"
        )
    return images, labels.astype(np.int64)
