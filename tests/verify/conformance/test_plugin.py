"""The conformance tests, run as a user runs them: in a pytest of their own."""

import os
import re
import subprocess
import sys
from importlib import metadata

import pytest

NET = """
from mlp_ref import forward, loss_and_gradient, softmax
import verify

def gradient(params, x, y):
    return loss_and_gradient(params, x, y)[1]

def bias_of_first_row(params, x, y):
    alone = loss_and_gradient(params, x[:1], y[:1])[1]
    return [(w, b) for (w, _), (_, b) in zip(gradient(params, x, y), alone)]

full = verify.Target(gradient, lambda *a: loss_and_gradient(*a)[0], forward=lambda *a: softmax(forward(*a)), layers=2)
"""

REGISTERED = any(point.name == "verify" for point in metadata.entry_points(group="pytest11"))


def pytest_run(directory, *arguments, plugin=True):
    """The exit status and the output of pytest in a directory, with the plugin as an installation registers it."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "COLUMNS": "160"}
    loaded = ["-p", "verify.conformance.plugin"] if plugin and not REGISTERED else []
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *loaded, *arguments]
    done = subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def directory(tmp_path):
    (tmp_path / "net.py").write_text(NET)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return tmp_path


def conformance(directory, *arguments):
    return pytest_run(directory, "--pyargs", "verify.conformance", "--cases", "3", *arguments)


def test_one_test_for_each_check_and_regime(directory):
    status, out = conformance(directory, "--target", "net.py:full", "--regimes", "ordinary,ties,deep", "-v")
    assert status == 0, out
    named = re.findall(r"test_conformance.py::test_conforms\[([\w-]+)\] PASSED", out)
    checks = ["runs", "result", "dtype", "inputs", "aliasing", "gradient", "rounding", "loss", "forward"]
    checks += ["repeat", "second_call", "batch_order", "split_batch"]
    assert named == [
        f"{check}-{regime}" for check in checks for regime in ("ordinary", "ties")
    ]  # two layers: not deep


def test_a_wrong_gradient_fails_where_it_is_wrong_and_what_follows_is_not_reached(directory):
    status, out = conformance(
        directory, "--target", "net.py:bias_of_first_row", "--regimes", "ordinary,batch_1", "-v"
    )
    assert status == 1
    assert "test_conforms[gradient-ordinary] FAILED" in out
    assert "test_conforms[gradient-batch_1] PASSED" in out
    assert "test_conforms[inputs-ordinary] PASSED" in out
    assert "test_conforms[repeat-ordinary] SKIPPED (not reached: gradient fails before it)" in out
    assert "wrong: gradient\n" in out
    assert "bias of layer 1[" in out
    assert f'verify.load("{directory / "net.py"}:bias_of_first_row")' in out


def test_options_say_what_it_is_the_gradient_of(directory):
    status, out = conformance(
        directory, "--target", "net.py:gradient", "--hidden", "relu", "--regimes", "deep", "-q"
    )
    assert status == 1
    assert "this is exactly the gradient of sigmoid hidden" in out


def test_skips_and_xfails_files(directory):
    (directory / "skips.txt").write_text(
        "# known\ntest_conformance.py::test_conforms[gradient-tie  # all of ties\n\n"
    )
    (directory / "xfails.txt").write_text(
        "verify/conformance/test_conformance.py::test_conforms[gradient-ordinary]\nno_such_test\n"
    )
    files = ("--skips-file", "skips.txt", "--xfails-file", "xfails.txt")
    target = ("--target", "net.py:bias_of_first_row", "--regimes", "ordinary,ties", "-k", "gradient")
    status, out = conformance(directory, *target, "-v", *files)
    assert status == 0, out
    assert "test_conforms[gradient-ties] SKIPPED (listed in skips.txt)" in out
    assert "test_conforms[gradient-ordinary] XFAIL (listed in xfails.txt)" in out
    assert "xfails.txt lists 'no_such_test', which is no test of this run" in out


def test_under_xdist(directory):
    status, out = conformance(directory, "--target", "net.py:full", "--regimes", "ordinary", "-n", "2", "-q")
    assert status == 0, out
    assert "13 passed" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--target", "nowhere.py:f"], "ERROR: there is no file nowhere.py in "),
        (["--target", "net.py:f"], "ERROR: net.py has no 'f'; it has gradient, bias_of_first_row"),
        (
            ["--target", "net.py:gradient", "--regimes", "easy"],
            "ERROR: --regimes takes names from ordinary, ",
        ),
        (["--target", "net.py:gradient", "--hidden", "relv"], "argument --hidden: invalid choice: 'relv'"),
        (
            ["--target", "net.py:gradient", "--cases", "none"],
            "argument --cases: must be a positive integer; got 'none'",
        ),
        (["--target", "net.py:gradient", "--xfails-file", "none.txt"], "ERROR: [Errno 2] No such file"),
        (
            [],
            "verify.conformance needs --target module:name, --target path/to/file.py:name or --exec COMMAND",
        ),
    ],
)
def test_what_cannot_be_run_is_said(directory, arguments, message):
    status, out = conformance(directory, *arguments)
    assert status != 0
    assert message in out
    assert "Traceback" not in out


def test_elsewhere_the_plugin_declares_nothing_and_imports_nothing(directory):
    (directory / "conftest.py").write_text(
        "def pytest_addoption(parser):\n    parser.addoption('--target')\n    parser.addoption('--hidden')\n"
    )
    (directory / "test_it.py").write_text(
        "import sys\n"
        "def test_it(pytestconfig):\n"
        "    assert 'verify.conformance.plugin' in sys.modules\n"
        "    assert not {'jax', 'verify.subject.target_options', 'verify.oracle', 'numpy'} & set(sys.modules)\n"
        "    assert pytestconfig.getoption('target') == 'mine'\n"
    )
    status, out = pytest_run(directory, "--target", "mine", "-q", "test_it.py", "-p", "no:hypothesispytest")
    assert status == 0, out
    assert "1 passed" in out


MINE = """
import os
import verify

def test_mine():
    verify.assert_gradient(lambda params, x, y: None, cases=5, diagnose=False)

def test_environment():
    assert os.environ.get("VERIFY_REPORT", "").endswith("reports")
"""


@pytest.mark.parametrize("arguments", [["--verify-report", "reports"], ["--verify-report=reports", "-n1"]])
def test_reports_of_a_persons_own_tests(tmp_path, arguments):
    pytest.importorskip("jinja2", reason="pages need Jinja2")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_mine.py").write_text(MINE)
    status, out = pytest_run(tmp_path, *arguments)
    assert status == 1
    assert "1 failed, 1 passed" in out
    path = tmp_path / "reports" / "test_mine.py_test_mine.html"
    assert f"report: {path}" in out
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_reports_of_the_conformance_tests(directory):
    pytest.importorskip("jinja2", reason="pages need Jinja2")
    options = ("--target", "net.py:bias_of_first_row", "--regimes", "ordinary", "--verify-report", "reports")
    status, out = conformance(directory, *options)
    assert status == 1
    (path,) = (directory / "reports").iterdir()
    assert path.name.endswith("test_conformance.py_test_conforms_gradient-ordinary.html")
    assert f"report: {path}" in out


LAYER = """
def backward(dout, x):
    return dout * (x > 0)

def wrong(dout, x):
    return dout * x
"""


@pytest.mark.parametrize(("name", "passes"), [("backward", True), ("wrong", False)])
def test_a_layer_has_a_test_for_each_check_and_regime(name, passes, tmp_path):
    (tmp_path / "my_layers.py").write_text(LAYER)
    target = ["--target", f"{tmp_path}/my_layers.py:{name}", "--reference", "relu", "--cases", "3"]
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--pyargs",
        "verify.conformance",
    ]
    done = subprocess.run(
        [*command, *target, "--regimes", "ordinary,ties"], capture_output=True, text=True, cwd=tmp_path
    )
    assert ("gradient-ordinary" in done.stdout) == (not passes), done.stdout
    assert (done.returncode == 0) == passes, done.stdout
