"""Products of matrices, in the way in which NumPy's BLAS is fastest: `fastest_product` chooses it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from mlp_ref import blas
from mlp_ref.arrays import Floats

__all__ = ["Multiply", "fastest_product", "is_large_product"]

Multiply = Callable[[Floats, Floats, "Floats | None"], Floats]
"""``multiply(a, b, out)`` returns ``a @ b``, in the memory of `out`, which is in C order; None allocates it."""

UNPACKED = 1_000_000
"""Multiplications up to which OpenBLAS takes matrices as they lie, whichever of them is transposed ..."""

UNPACKED_TRANSPOSED = 1_200
"""... but where it is the right one, the result may have no more numbers than this, ..."""

LONG = 32
"""... and its sums no fewer terms than this."""

FEW_ROWS = 64
"""Rows up to which the gradient of a weight is made of blocks also on processors where wide products are not ..."""

FEW_ROWS_OF_NARROW = {4: 256, 8: 1024}
"""... and those up to which it is where it has no more columns than `VECTOR`, by the bytes of a number."""

LARGE = 65_536
"""Numbers in a matrix from which the order in which BLAS reads it matters."""

HUGE = 1_048_576
"""Numbers in a matrix beyond which no cache holds it, and its copy in panels is worth its price."""

VECTOR = 16
"""Numbers of float32 in a register: the kernels are fastest on columns in multiples of it."""


def fastest_product(layer_sizes: Sequence[int], batch: int) -> Multiply:
    """Return the function that multiplies the matrices of a network fastest.

    OpenBLAS multiplies small matrices where they lie. Larger ones it first copies into panels, which layers as thin
    as a network's do not repay on AMD's processors. Where it has kernels for small matrices (AVX-512) and runs in one
    thread, a large product is there made of small ones, by `np.matmul` on stacks of blocks; with several threads it is
    one call, since OpenBLAS distributes only a large product among threads.

    Measured on an AMD EPYC with AVX-512, OpenBLAS 0.3.31, float32, one thread, as the time of a gradient with one call
    a product over that with blocks: 1.10 for layers 784-128-10 at 128 rows, 1.16 for nine layers of 256 at 256 rows,
    1.07 for 784-300-100-10 at 64 rows, 1.02 for 784-512-512-10 at 256 rows. On an Intel Xeon of the fourth generation
    it is 0.99, 0.81, 0.98 and 0.59, and 0.83 for 784-100-10 at 200 rows; there blocks pay only for the gradient of a
    weight over few rows (1024 x 1024: 1.99 at 16 rows, 1.73 at 32, 0.93 at 64; 784 x 300: 1.78, 1.44, 1.22) and for
    narrow results (1024 x 784 times 784 x 16: 1.12, and 1.66 in float64; of 10 columns 1.34 and 1.93; of 24 0.81; the
    gradient of that weight: 1.23 over 128 rows, 1.07 over 256, 0.90 over 512, and 1.72, 1.52 and 1.23 in float64). With
    OpenBLAS's kernels for processors without AVX-512 it would be 0.7 of AMD's, so that there every product is one call.
    """
    if not is_large_product(layer_sizes, batch):
        return np.ndarray.dot  # the method: np.dot takes twice as long to look at its arguments
    if not _has_small_kernels():
        return whole_product
    return product_in_blocks if blas.is_amd_processor() else product_of_few_rows_or_columns


def is_large_product(layer_sizes: Sequence[int], batch: int) -> bool:
    """Return True where a product of the network is so large that OpenBLAS does not multiply it where it lies."""
    return batch * max(n_in * n_out for n_in, n_out in pairwise(layer_sizes)) > UNPACKED


def whole_product(a: Floats, b: Floats, out: Floats | None) -> Floats:
    """Multiply by one call of BLAS."""
    if out is not None and b.size >= LARGE and not b.flags.c_contiguous and 4 * len(a) <= min(b.shape):
        # The same as (bᵀ @ aᵀ)ᵀ, for which BLAS need not transpose a matrix far larger than a:
        # for 32 rows and 1024 x 1024 weights, that takes two thirds of the time.
        return b.T.dot(a.T, out.reshape(b.shape[1], len(a))).T
    return a.dot(b, out)


def product_of_few_rows_or_columns(a: Floats, b: Floats, out: Floats | None) -> Floats:
    """Multiply in blocks for a narrow result, or for the gradient of a weight, ``x.T @ dz``, over few rows of x.

    By one call otherwise.
    """
    narrow = b.shape[1] <= VECTOR and b.flags.c_contiguous
    if a.flags.c_contiguous:
        in_blocks = narrow
    else:
        in_blocks = a.shape[1] <= (FEW_ROWS_OF_NARROW[a.itemsize] if narrow else FEW_ROWS)
    return product_in_blocks(a, b, out) if in_blocks else whole_product(a, b, out)


def product_in_blocks(a: Floats, b: Floats, out: Floats | None) -> Floats:
    """Multiply block by block, where the blocks are small enough for BLAS to take them as they lie."""
    (m, k), n = a.shape, b.shape[1]
    straight, b_straight = a.flags.c_contiguous and b.flags.c_contiguous, b.flags.c_contiguous
    block = _block(m, k, n, straight, b_straight)
    if block is None or out is None:
        return whole_product(a, b, out)
    rows, columns = block
    if straight:
        # The columns of b are far apart: those of one panel stay in the cache while they meet every block of a.
        blocks, results = a.reshape(m // rows, rows, k), out.reshape(m // rows, rows, n)
        for start in range(0, n, columns):
            panel = slice(start, start + columns)
            np.matmul(blocks, b[:, panel], out=results[:, :, panel])
    else:
        np.matmul(
            a.reshape(m // rows, 1, rows, k),
            b.reshape(k, n // columns, columns).swapaxes(0, 1),
            out=out.reshape(m // rows, rows, n // columns, columns).swapaxes(1, 2),
        )
    return out


@functools.cache
def _block(m: int, k: int, n: int, straight: bool, b_straight: bool) -> tuple[int, int] | None:
    """Return the rows and columns of a block of the result, (m, n); None where no block helps."""
    if m * k * n <= UNPACKED or max(m * k, k * n, m * n) > HUGE or not (b_straight or k >= LONG):
        return None
    if straight:
        widths = [n, 4 * VECTOR]  # the last panel may be narrower
    else:
        widest = 2 * VECTOR if b_straight else VECTOR
        widths = [next((width for width in range(widest, 0, -VECTOR) if n % width == 0), n)]
    for columns in widths:
        most = min(64, UNPACKED // (k * columns))
        if not b_straight:
            most = min(most, UNPACKED_TRANSPOSED // columns)
        for rows in range(most, 7, -1):
            if m % rows == 0:
                return rows, columns
    return None


def _has_small_kernels() -> bool:
    """Return True where OpenBLAS multiplies with AVX-512, in one thread."""
    return blas.blas_kernel() in blas.AVX512_KERNELS and blas.blas_threads() == 1
