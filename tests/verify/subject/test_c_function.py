"""The program that calls C functions starts without JAX."""

import subprocess
import sys


def test_it_imports_neither_jax_nor_hypothesis():
    code = "import sys, verify.subject.c_function\nprint({'jax', 'hypothesis', 'flint'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_a_library_that_cannot_be_loaded_is_said(tmp_path):
    (tmp_path / "libnone.so").write_text("no library")
    prototype = "void f(double *params, double *x, double *y, double *gradient)"
    command = [sys.executable, "-m", "verify.subject.c_function", tmp_path / "libnone.so", prototype]
    done = subprocess.run(command, input="", capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "libnone.so: " in done.stderr
    assert done.stderr.count("\n") == 1
