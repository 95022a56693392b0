import io
import os
import subprocess
import sys

import numpy as np
import pytest

from mlp_ref import blas


@pytest.fixture(autouse=True)
def forget():
    """Forget what is found out about this machine once: it is found out anew for each test."""
    cached = (blas.blas_kernel, blas.has_avx512, blas.is_amd_processor, blas._function)
    for function in cached:
        function.cache_clear()
    yield
    for function in cached:
        function.cache_clear()


def numpys_openblas():
    controller = pytest.importorskip("threadpoolctl")
    found = [library for library in controller.threadpool_info() if library["internal_api"] == "openblas"]
    for library in found:
        if "numpy" in library["filepath"]:
            return library
    pytest.skip("NumPy has another BLAS here")


def test_the_kernel_and_the_threads_are_those_that_openblas_reports():
    library = numpys_openblas()
    assert blas.blas_kernel() == library["architecture"]
    assert blas.blas_threads() == library["num_threads"]


def test_an_environment_that_asks_for_older_kernels_is_seen():
    numpys_openblas()
    found = subprocess.run(
        [sys.executable, "-c", "from mlp_ref import blas; print(blas.blas_kernel(), blas.blas_threads())"],
        env={**os.environ, "OPENBLAS_CORETYPE": "Nehalem", "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.split() == ["Nehalem", "1"]


@pytest.mark.parametrize(
    ("variables", "threads"),
    [
        ({"OPENBLAS_NUM_THREADS": "3", "OMP_NUM_THREADS": "1"}, 3),
        ({"OMP_NUM_THREADS": "2"}, 2),
        ({"OMP_NUM_THREADS": "many"}, 5),
        ({}, 5),
    ],
)
def test_threads_of_another_blas_are_those_of_the_environment_or_one_a_core(monkeypatch, variables, threads):
    monkeypatch.setattr(blas, "_function", lambda name: None)
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(5)), raising=False)
    assert blas.blas_threads() == threads


@pytest.mark.parametrize(("cores", "threads"), [(7, 7), (None, 1)])
def test_where_a_process_cannot_be_bound_every_core_counts(monkeypatch, cores, threads):
    monkeypatch.setattr(blas, "_function", lambda name: None)
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delattr("os.sched_getaffinity", raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    assert blas.blas_threads() == threads


def test_another_blas_has_no_kernel(monkeypatch):
    monkeypatch.setattr(blas, "PREFIXES", ("no_such_library_",))
    assert blas.blas_kernel() == ""


@pytest.mark.parametrize(
    ("config", "has"),
    [
        ({"SIMD Extensions": {"baseline": [], "found": ["AVX512_SKX"]}}, True),
        ({"SIMD Extensions": {"baseline": ["X86_V4"], "found": []}}, True),
        ({"SIMD Extensions": {"baseline": ["X86_V2"], "found": ["X86_V3"]}}, False),
        ({}, False),
        (None, False),
    ],
)
def test_avx512_is_what_numpy_found(monkeypatch, config, has):
    monkeypatch.setattr(np, "show_config", lambda mode: config)
    assert blas.has_avx512() is has


@pytest.mark.parametrize(
    ("kernel", "avx512", "below"),
    [
        ("Haswell", True, True),
        ("SkylakeX", True, False),
        ("Haswell", False, False),
        ("", True, False),
    ],
)
def test_kernels_below_the_processor_are_those_that_leave_avx512_unused(monkeypatch, kernel, avx512, below):
    monkeypatch.setattr(blas, "blas_kernel", lambda: kernel)
    monkeypatch.setattr(blas, "has_avx512", lambda: avx512)
    assert blas.blas_runs_below_processor() is below


@pytest.mark.parametrize(
    ("text", "amds"),
    [(b"vendor_id\t: AuthenticAMD\n", True), (b"vendor_id\t: GenuineIntel\n", False), (None, False)],
)
def test_amds_processor_is_known_from_what_linux_says(monkeypatch, text, amds):
    def opened(path, mode):
        assert (str(path), mode) == ("/proc/cpuinfo", "rb")
        if text is None:
            raise FileNotFoundError(path)
        return io.BytesIO(text)

    monkeypatch.setattr("pathlib.Path.open", opened)
    assert blas.is_amd_processor() is amds
