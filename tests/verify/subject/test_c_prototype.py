"""Prototypes of C functions are read by the names of their arguments."""

import ctypes

import pytest

from verify.subject.c_library import EXAMPLE
from verify.subject.c_prototype import c_prototype


def test_the_example_is_read():
    found = c_prototype(EXAMPLE)
    assert (found.name, found.dtype, found.returns, found.labels) == ("gradient", "float64", "void", "rows")
    assert [name for name, *_ in found.arguments] == [
        "layers",
        "sizes",
        "batch",
        "params",
        "x",
        "y",
        "gradient",
    ]
    of, number = ctypes.POINTER, ctypes.c_double
    numbers = [of(number)] * 4
    assert found.types() == [ctypes.c_int, of(ctypes.c_int), ctypes.c_int, *numbers]
    assert found.result() is None
    assert not found.gives_loss


def test_order_types_and_results_are_as_written():
    text = "float f(float *gradient, float const *restrict x, const int32_t y[], const float params[], size_t batch);"
    found = c_prototype(text)
    assert (found.dtype, found.returns, found.labels, found.gives_loss) == (
        "float32",
        "float",
        "integer",
        True,
    )
    assert found.result() is ctypes.c_float
    assert found.elements()["batch"] is ctypes.c_size_t
    assert c_prototype(
        "int f(double *params, double *x, double *y, double *gradient, double *loss)"
    ).gives_loss


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gradient", "signature must be a C prototype such as 'void gradient(...)'; got 'gradient'"),
        ("char f(double *x)", "signature must be a C prototype"),
        ("void f(double **x)", r"signature has an argument that cannot be read: 'double \*\*x'"),
        ("void f(double *weights)", "an array 'weights'; the names for an array are sizes, params, "),
        ("void f(int n)", "signature has a number 'n'; the names for a number are layers, batch"),
        ("void f(char *x)", "signature has x of type char; it must be one of double, float"),
        ("void f(double *sizes)", "signature has sizes of type double; it must be one of int, long, size_t, "),
        ("void f(int *x)", "signature has x of type int; it must be one of double, float"),
        ("void f(double *x, double *x)", "signature has x twice"),
        ("void f(double *x, double *params)", "signature has no y, gradient; it must have params, x, y and gradient"),
        ("void f(double *x, float *y, double *params, double *gradient)", "signature has both float and double"),
        ("float f(double *x, double *y, double *params, double *gradient)", "signature has both float and double"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said(text, message):
    with pytest.raises(ValueError, match=message.replace("(...)", r"\(\.\.\.\)")):
        c_prototype(text)
