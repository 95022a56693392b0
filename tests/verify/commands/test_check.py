import json
import os
import select
import shlex
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import verify
from verify.__main__ import main
from verify.checks.html.page import page_templates

NET = """
import numpy as np
from mlp_ref import forward, loss_and_gradient, softmax

def gradient(params, x, y):
    return loss_and_gradient(params, x, y)[1]

def relu(params, x, y):
    return loss_and_gradient(params, x, y, hidden="relu")[1]

def summed(params, x, y):
    return [(w * len(x), b * len(x)) for w, b in gradient(params, x, y)]

def loss(params, x, y):
    return loss_and_gradient(params, x, y)[0]

def outputs(params, x):
    return softmax(forward(params, x))

def logits(params, x):
    return forward(params, x)

def squared(params, x, y):
    import jax.numpy as jnp
    (weight, bias), = params
    return jnp.sum((x @ weight + bias[None] - y) ** 2)

def in_numpy(params, x, y):
    return np.sum(np.exp(x)) + np.sum(params[0][0])

def backward(dout, cache):
    return dout

number = 3
"""


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    (tmp_path / "net.py").write_text(NET)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])

    def run(*arguments):
        status = main(["check", *arguments])
        out, err = capsys.readouterr()
        return status, out, err

    return run


FEW = ("--cases", "30", "--xla", "0", "--certified", "0")


def test_a_right_gradient(run):
    status, out, err = run(
        "net.py:gradient", "--loss-function", "net.py:loss", "--forward-function", "net.py:outputs", *FEW
    )
    assert (status, err) == (0, "")
    assert out.startswith(
        "VERIFIED: gradient as the gradient of sigmoid hidden, softmax with cross_entropy, mean\n"
    )
    assert "30 of 30 judged, and 4 of practical size, in " in out


def test_options_change_what_is_declared(run):
    assert run("net.py:relu", "--hidden", "relu", *FEW)[0] == 0
    assert run("net.py:summed", "--reduction", "sum", *FEW)[0] == 0
    status, out, _ = run("net.py:relu", *FEW)
    assert status == 1
    assert "this is exactly the gradient of relu hidden" in out


def test_the_output_alone_says_which_loss_suits_it(run):
    _, out, _ = run("net.py:gradient", "--output", "sigmoid", *FEW)
    assert "as the gradient of sigmoid hidden, sigmoid with binary_cross_entropy, mean" in out
    _, out, _ = run("net.py:gradient", "--loss", "squared_error", *FEW)
    assert "as the gradient of sigmoid hidden, softmax with squared_error, mean" in out


def test_a_wrong_loss_and_wrong_outputs(run):
    status, out, _ = run("net.py:gradient", "--forward-function", "net.py:logits", *FEW)
    assert status == 1
    assert "wrong: forward\n  the outputs equal those of JAX's forward pass" in out


def test_regimes_dtypes_labels_and_seed(run):
    status, out, _ = run(
        "net.py:gradient",
        "--regimes",
        "tiny, ties",
        "--dtypes",
        "float32",
        "--labels",
        "integer",
        "--seed",
        "5",
        *FEW,
    )
    assert status == 0
    assert "(seed 5)" in out
    regimes = out.partition("regimes")[2]
    assert "tiny" in regimes
    assert "ordinary" not in regimes


def test_json_to_a_file_and_to_the_output(run, tmp_path):
    status, out, _ = run("net.py:summed", "--json", "report.json", *FEW)
    report = json.loads((tmp_path / "report.json").read_text())
    assert (status, report["verdict"], report["ok"]) == (1, "wrong", False)
    assert report["findings"][0]["tensor"] == "weight of layer 1"
    assert out.startswith("WRONG: ")
    status, out, _ = run("net.py:gradient", "--json", "-", *FEW)
    assert json.loads(out)["verdict"] == "verified"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["net.py:backward"],
            "backward(dout, cache) cannot be called as gradient(params, x, y); ",
        ),
        (
            ["net.py:gradient", "--reference", "net.py:in_numpy"],
            "spec, which is --reference of the command: in_numpy calls NumPy; it must be written in jax.numpy",
        ),
        (["nowhere.py:gradient"], "there is no file nowhere.py in "),
        (["net.py:number"], "net.py:number is of type int; "),
        (
            ["net.py:gradient", "--loss-function", "net.py:number"],
            "--loss-function net.py:number is of type int, not a ",
        ),
        (["net.py:gradient", "--regimes", "easy"], "--regimes takes names from ordinary, batch_1, "),
        (
            ["net.py:gradient", "--dtypes", ""],
            "--dtypes takes names from float64, float32, bfloat16, float16; got ''",
        ),
        (
            ["net.py:gradient", "--output", "tanh", "--loss", "cross_entropy"],
            "output and loss must belong together: ",
        ),
        (
            ["net.py:gradient", "--reference", "net.py:squared", "--hidden", "relu"],
            "--reference takes the place of --",
        ),
        (
            ["net.py:gradient", "--reference", "net.py:squared", "--forward-function", "net.py:outputs"],
            "--forward-function cannot be judged with --reference: ",
        ),
        (
            ["net.py:gradient", "--labels", "real"],
            "labels='real' do not suit the loss, ",
        ),
        (["net.py:gradient", "--cases", "0"], "cases must be an integer, 1 or larger; got 0"),
        (["net.py:gradient", "--l2", "-1"], "l2 must be a finite number, 0 or larger; got -1.0"),
        (
            ["net.py:gradient", "--json", "no/such/directory"],
            "--json must name a file in a directory that exists; got no/such/directory",
        ),
    ],
)
def test_what_cannot_be_run_is_said_in_one_line(run, arguments, message):
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert err.startswith(f"python -m verify check: {message}")
    assert err.count("\n") == 1


def test_a_jax_function_in_place_of_the_names(run):
    status, out, _ = run("net.py:gradient", "--reference", "net.py:squared", "--regimes", "no_hidden", *FEW)
    assert status == 1
    assert out.startswith("WRONG: gradient as the gradient of squared\n")


def fresh(code, tmp_path):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    ).stdout


def test_the_reproduction_shows_the_failure_in_a_fresh_interpreter(run, tmp_path):
    _, out, _ = run("net.py:summed", *FEW)
    code = textwrap.dedent(out.partition("  reproduce:\n")[2])
    [got] = [line for line in out.splitlines() if line.startswith("  where ")]
    found = fresh(code, tmp_path.parent)
    assert found.startswith("wrong: gradient\n")
    assert got in found


def test_a_failing_report_fits_on_one_screen(run):
    _, out, _ = run("net.py:summed", *FEW)
    lines = out.splitlines()
    assert len(lines) <= 40
    assert all(len(line) <= 100 or "verify.load(" in line for line in lines)  # a path may be long


@pytest.mark.skipif(
    not hasattr(signal, "SIGINT") or os.name == "nt", reason="signals are sent otherwise there"
)
def test_ctrl_c_gives_the_report_so_far(tmp_path):
    (tmp_path / "slow.py").write_text(
        NET + "import os, signal\ncalls = []\n"
        # A shell's background job ignores the signal, and what it starts does too.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "def gradient(params, x, y):\n"
        "    calls.append(1)\n"
        "    if len(calls) == 40:\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "    return loss_and_gradient(params, x, y)[1]\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "verify", "check", "slow.py:gradient"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "  interrupted      what follows is what was found until then\n" in done.stdout
    assert done.stderr == ""


def test_a_long_diagnosis_is_cut_on_the_screen_alone():
    case = verify.Case((2, 2), 2)
    diagnosis = "\n".join(f"line {i}" for i in range(50))
    finding = verify.Finding("wrong", "gradient", "detail", case, diagnosis=diagnosis)
    assert "  line 13\n  ... and 36 lines more: finding.diagnosis, or --json" in str(finding)
    assert "line 14" not in str(finding)
    assert finding.diagnosis == diagnosis


ANSWERING = Path(__file__).parents[1] / "subject" / "answering.py"


def exec_of(mode, **hello):
    return shlex.join([sys.executable, str(ANSWERING), mode, json.dumps(hello)])


def test_a_program_is_judged_as_what_it_says_first(run):
    status, out, err = run("--exec", exec_of("right", checks=["gradient", "repeat"]), *FEW)
    assert (status, err) == (0, "")
    assert " as the gradient of relu hidden, softmax with cross_entropy, mean\n" in out
    assert "  read as          the program answering 0.3, tensors in base64\n" in out
    assert run("--exec", exec_of("right"), "--hidden", "sigmoid", "--timeout", "60", *FEW)[0] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name one of TARGET and --exec COMMAND; got neither"),
        (["net.py:gradient", "--exec", "true"], "name one of TARGET and --exec COMMAND; got both"),
        (
            ["net.py:gradient", "--timeout", "1"],
            "--timeout is for --exec and C functions: one in this ",
        ),
        (["--exec", "true", "--timeout", "-1"], "timeout must be a positive number of seconds; got -1"),
        (["--exec", "./nowhere"], "./nowhere cannot be run: No such file or directory"),
        (["--exec", "true"], "true did not say hello: it ended with status 0"),
        (
            ["--exec", exec_of("right"), "--hidden", "tanh"],
            "answering does not take hidden tanh; it says that it ",
        ),
        (
            ["--exec", exec_of("right"), "--dtypes", "float32,bfloat16"],
            "--dtypes bfloat16: a program is handed float64 and float32 alone",
        ),
        (["--exec", exec_of("right", checks=["all"])], "checks must be a non-empty list from gradient, "),
    ],
)
def test_what_cannot_be_asked_of_a_program_is_said(run, arguments, message):
    status, out, err = run(*arguments, *FEW)
    assert (status, out) == (2, "")
    assert err.startswith(f"python -m verify check: {message}")


def test_a_program_that_never_says_hello_is_ended_in_its_time(run, tmp_path):
    command = shlex.join(["sh", "-c", "echo $$ > pid; exec sleep 3600"])
    status, out, err = run("--exec", command, "--timeout", "2", *FEW)
    assert (status, out) == (2, "")
    assert err == f"python -m verify check: {command} did not say hello: it gave no answer within 2 s\n"
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_termination_ends_the_program_too(tmp_path):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [
        sys.executable,
        "-m",
        "verify",
        "check",
        "--exec",
        exec_of("tell_and_hang"),
        "--timeout",
        "3600",
    ]
    os.mkfifo(tmp_path / "pid")
    with subprocess.Popen(command, env=environment | {"TELL": str(tmp_path / "pid")}) as running:
        program = os.pidfd_open(int((tmp_path / "pid").read_text()))
        running.terminate()
        assert running.wait() == 128 + signal.SIGTERM
    ended = select.poll()
    ended.register(program, select.POLLIN)
    assert ended.poll(60_000)
    os.close(program)


def test_html_is_written_as_well(run, tmp_path):
    status, out, _ = run("net.py:summed", *FEW, "--html", "report.html")
    assert status == 1
    assert out.startswith("WRONG: summed")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert "Wrong: the right formula, rounded in float64, cannot give these numbers" in text


def test_a_place_for_html_that_cannot_be_written_is_refused_before_the_work(run, monkeypatch):
    status, out, err = run("net.py:gradient", "--html", "nowhere/report.html")
    assert (status, out) == (2, "")
    assert "--html must name a file in a directory that exists; got nowhere/report.html" in err
    monkeypatch.setitem(sys.modules, "jinja2", None)
    page_templates.cache_clear()
    status, out, err = run("net.py:gradient", "--html", "report.html")
    page_templates.cache_clear()
    assert (status, out) == (2, "")
    assert "--html: HTML needs Jinja2: pip install jinja2" in err


def test_one_file_for_two_reports_is_refused(run, tmp_path):
    status, out, err = run("net.py:gradient", "--json", "report", "--html", "./report")
    assert (status, out) == (2, "")
    assert (
        err == "python -m verify check: --json and --html name the same file, ./report: give each its own\n"
    )
    assert not (tmp_path / "report").exists()


def test_cases_can_be_written_as_1e1(run, capsys):
    status, out, _ = run("net.py:gradient", *FEW, "--cases", "1e1")
    assert status == 0
    assert "  cases            10 of 10 judged" in out
    with pytest.raises(SystemExit, match=r"^2$"):
        run("net.py:gradient", "--cases", "1.5")
    assert "argument --cases: must be an integer, such as 1000 or 1e6; got '1.5'" in capsys.readouterr().err


def test_the_model_of_random_rounding_can_be_left_out(run):
    status, out, _ = run("net.py:gradient", "--false-alarm", "0", *FEW)
    assert status == 0
    assert "random rounding" not in out
    assert "random rounding" in run("net.py:gradient", *FEW)[1]
    status, _, err = run("net.py:gradient", "--false-alarm", "1", *FEW)
    assert status == 2
    assert "false_alarm must be a probability" in err


def test_formats_of_16_bits_are_judged_where_they_are_asked_for(run, tmp_path):
    (tmp_path / "zeros.py").write_text(
        "import numpy as np\n\n"
        "def gradient(params, x, y):\n"
        "    return [[np.zeros_like(tensor) for tensor in layer] for layer in params]\n"
    )
    status, out, _ = run(
        "zeros.py:gradient", "--dtypes", "bfloat16,float16", "--cases", "20", "--regimes", "ordinary"
    )
    assert status == 1
    assert out.startswith("WRONG: ")
    assert ", bfloat16" in out or ", float16" in out
