"""The library that multiplies NumPy's matrices: which of its kernels run, in how many threads."""

from __future__ import annotations

import functools
import importlib
import os
from typing import Any

import numpy as np

__all__ = ["blas_kernel", "blas_runs_below_processor", "blas_threads", "has_avx512", "is_amd_processor"]

AVX512_KERNELS = ("SkylakeX", "Cooperlake", "SapphireRapids")
"""OpenBLAS's names for its kernels with AVX-512; those for AMD's processors are among them."""

PREFIXES = ("scipy_openblas_", "openblas_")
SUFFIXES = ("64_", "")
"""How OpenBLAS's functions begin and end, in NumPy's wheels and in other builds."""


@functools.cache
def blas_kernel() -> str:
    """Return the name of the processor that OpenBLAS's kernels were written for, such as ``"SkylakeX"``.

    Empty where NumPy has another BLAS, or one that does not say.
    """
    import ctypes

    function = _function("get_corename")
    if function is None:
        return ""
    function.restype = ctypes.c_char_p
    return str((function() or b"").decode())


def blas_threads() -> int:
    """Return in how many threads OpenBLAS multiplies; where it does not say, what the environment says."""
    function = _function("get_num_threads")
    if function is not None:
        return int(function())
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        if os.environ.get(name, "").isdecimal():
            return int(os.environ[name])
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@functools.cache
def has_avx512() -> bool:
    """Return True on a processor that has AVX-512, as far as NumPy knows."""
    config: Any = np.show_config(mode="dicts") or {}
    simd = config.get("SIMD Extensions", {})
    # From NumPy 2.4 on, AVX-512 goes by the first name.
    return not {"X86_V4", "AVX512_SKX"}.isdisjoint([*simd.get("baseline", ()), *simd.get("found", ())])


@functools.cache
def is_amd_processor() -> bool:
    """Return True on a processor that Linux says is AMD's; False elsewhere."""
    from pathlib import Path

    try:
        with Path("/proc/cpuinfo").open("rb") as file:
            return b"AuthenticAMD" in file.read(4096)
    except OSError:
        return False


def blas_runs_below_processor() -> bool:
    """Return True where OpenBLAS leaves AVX-512 unused though the processor has it."""
    return has_avx512() and blas_kernel() not in ("", *AVX512_KERNELS)


@functools.cache
def _function(name: str) -> Any | None:
    """Return OpenBLAS's function of this name, from the library that NumPy has loaded."""
    try:
        import ctypes

        module = importlib.import_module("numpy._core._multiarray_umath")
        library = ctypes.CDLL(module.__file__)  # the libraries that it needs are searched too
    except (ImportError, OSError):
        return None
    names = (f"{prefix}{name}{suffix}" for prefix in PREFIXES for suffix in SUFFIXES)
    return next((getattr(library, full) for full in names if hasattr(library, full)), None)
