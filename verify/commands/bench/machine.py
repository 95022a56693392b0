"""The machine and the versions of a measurement."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
from pathlib import Path

from mlp_ref import blas

PACKAGES = ("numpy", "jax", "jaxlib", "torch", "autograd", "scikit-learn", "onnxruntime")


def describe_machine() -> dict[str, str]:
    """The date, the processor, the system and the versions of what is installed."""
    described = {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "Python": platform.python_version(),
        "BLAS": _blas(),
    }
    for package in PACKAGES:
        try:
            described[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            described[package] = "not installed"
    return described


def machine_below_processor(kernel: str) -> bool:
    """True for ``openblas Haswell, numpy's`` and others that leave AVX-512 unused, where the processor has it."""
    library, architecture = kernel.partition(",")[0].split(" ", 1)
    return (
        library == "openblas" and blas.has_avx512() and architecture not in ("unknown", *blas.AVX512_KERNELS)
    )


def _processor() -> str:
    """The model's name: Linux keeps it in a file, other systems tell `platform`."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _blas() -> str:
    """The library that does NumPy's matrix products."""
    import numpy as np

    config = np.show_config(mode="dicts")
    blas = config["Build Dependencies"]["blas"] if isinstance(config, dict) else {}
    return f"{blas.get('name', 'unknown')} {blas.get('version', '')}".strip()
