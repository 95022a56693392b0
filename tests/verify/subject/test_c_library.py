"""A C function in a shared library is judged like any other, and may crash alone."""

import shutil
import subprocess
from pathlib import Path

import pytest

import verify
from verify.reference.spec import Spec
from verify.subject.c_library import CLibrary
from verify.subject.target import TargetError

EXAMPLE = Path(__file__).parents[3] / "examples" / "c" / "mlp.c"
ARGUMENTS = (
    "int layers, const int *sizes, int batch, const {0} *params, const {0} *x, const {0} *y, {0} *gradient"
)
CODE = """
#include "%s"
#define SIGNED(name, real) int name(int layers, const int *sizes, int batch, \\
    const real *params, const real *x, const real *y, real *gradient)
SIGNED(relu, double) { gradient_double(RELU, layers, sizes, batch, params, x, y, gradient); return 0; }
SIGNED(relu_f, float) { gradient_float(RELU, layers, sizes, batch, params, x, y, gradient); return 0; }
SIGNED(segfaults, double) { *(volatile int *)0 = layers; return 0; }
SIGNED(fails, double) { return 3; }
SIGNED(writes_nothing, double) { return 0; }
SIGNED(writes_on, double) { relu(layers, sizes, batch, params, x, y, gradient); gradient[-1] = 0; return 0; }
SIGNED(centres, double) { relu(layers, sizes, batch, params, x, y, gradient); ((double *)x)[0] += 1; return 0; }
double with_loss(const double *x, const long *y, const double *params, int batch, const int *sizes, int layers,
                 double *gradient) {
    double *rows = calloc((size_t)batch * sizes[layers], sizeof *rows);
    for (int r = 0; r < batch; r++) rows[r * sizes[layers] + y[r]] = 1;
    gradient_double(SIGMOID, layers, sizes, batch, params, x, rows, gradient);
    free(rows);
    return 0.25;
}
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if not compiler:
        pytest.skip("needs a C compiler, which is not installed")
    directory = tmp_path_factory.mktemp("library")
    (directory / "net.c").write_text(CODE % EXAMPLE)
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", directory / "libnet.so", directory / "net.c", "-lm"]
    subprocess.run(command, check=True)
    return directory / "libnet.so"


def signed(name, real="double"):
    return f"int {name}({ARGUMENTS.format(real)})"


def loaded(library, name):
    return verify.load(f"{library}:{name}", signature=signed(name))


def test_both_formats_are_verified(built):
    target = verify.load(f"{built}:relu", signature=[signed("relu"), signed("relu_f", "float")])
    assert isinstance(target, CLibrary)
    with target:
        report = verify.check(target, Spec("relu"), cases=60)
    assert report.ok, report
    assert report.target == "relu"
    assert report.notes == ("the program libnet.so:relu, tensors in base64",)


def test_one_format_is_judged_alone(built):
    with loaded(built, "relu") as target:
        assert target.target(Spec("relu")).dtypes == ("float64",)
        assert verify.check(target, Spec("relu"), cases=20).ok


@pytest.mark.parametrize(
    ("name", "check", "verdict", "detail"),
    [
        ("segfaults", "runs", "crashed", "in call 1 of its process the program was ended by SIGSEGV"),
        ("fails", "runs", "crashed", "the program answered with an error: fails returned 3"),
        ("writes_nothing", "gradient", "wrong", "equals JAX's gradient, every entry within its bound"),
        ("writes_on", "runs", "crashed", "an error: writes_on wrote outside the 20 numbers of gradient"),
        ("centres", "inputs", "wrong", "the call changed x that it was given"),
    ],
)
def test_a_function_that_misbehaves_is_a_finding(built, name, check, verdict, detail):
    with loaded(built, name) as target:
        finding = verify.examine(target, verify.Case((3, 3, 2), 5, seed=1), Spec("relu"))
    assert (finding.check, finding.verdict) == (check, verdict)
    assert detail in finding.detail


def test_class_labels_and_the_loss_that_it_returns(built):
    arguments = (
        "const double *x, const long *y, const double *params, int batch, const int *sizes, int layers"
    )
    signature = f"double with_loss({arguments}, double *gradient)"
    with verify.load(f"{built}:with_loss", signature=signature) as target:
        judged = target.target()
        case = verify.Case((3, 3, 2), 5, labels="integer", seed=1)
        assert (judged.labels, judged.loss(*case.arrays())) == ("integer", 0.25)
        assert verify.examine(target, case).check == "loss"


def test_its_reproduction_loads_it_again(built):
    with loaded(built, "fails") as target:
        report = verify.check(target, Spec("relu"), cases=5, regimes=["ordinary"], diagnose=False)
    source = report.findings[0].reproduce.splitlines()[1]
    assert source == f'fails = verify.load("{built}:fails", signature={signed("fails")!r})'


@pytest.mark.parametrize(
    ("name", "signature", "message"),
    [
        ("relu", None, r"libnet.so:relu is a C function, and needs its signature, such as 'void gradient\("),
        ("relu", "relu", "^signature must be a C prototype"),
        ("relu", signed("other"), r"^signature is of other, and .*libnet.so:relu was asked for$"),
        ("relu", [signed("relu"), signed("other")], "must have one prototype for each format; got two for float64$"),
        ("nowhere", signed("nowhere"), "^nowhere did not say hello: it ended with status 2; .*nowhere$"),
    ],
)  # fmt: skip
def test_what_cannot_be_loaded_is_said(built, name, signature, message):
    with pytest.raises(TargetError, match=message):
        verify.check(verify.load(f"{built}:{name}", signature=signature), cases=5)


def test_a_file_that_is_not_there_is_said():
    with pytest.raises(TargetError, match=r"^there is no file nowhere\.so$"):
        verify.load("nowhere.so:f", signature=signed("f"))
    with pytest.raises(
        TargetError, match=r"^signature is for a C function in a shared library; a:b is none$"
    ):
        verify.load("a:b", signature=signed("f"))
