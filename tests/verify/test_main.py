"""The command line: which command, which status, which message."""

import importlib
import os
import subprocess
import sys
import types

import pytest

from verify import __main__ as command_line
from verify.__main__ import main


@pytest.fixture
def stand_in(monkeypatch):
    """Every command is replaced by one that notes what it was asked, and does what it is told."""
    noted = types.SimpleNamespace(module="", arguments=None, outcome=0)

    def run(arguments):
        noted.arguments = arguments
        if isinstance(noted.outcome, BaseException):
            raise noted.outcome
        return noted.outcome

    def load(name):
        noted.module = name
        return types.SimpleNamespace(
            add_arguments=lambda parser: parser.add_argument("--cases", type=int, default=1), run=run
        )

    monkeypatch.setattr(command_line, "importlib", types.SimpleNamespace(import_module=load))
    return noted


@pytest.mark.parametrize(
    ("argv", "module"),
    [
        ([], "verify.commands.self_check"),
        (["--cases", "3"], "verify.commands.self_check"),
        (["mlp_ref", "--cases", "3"], "verify.commands.self_check"),
        *[([name, "--cases", "3"], module) for name, (module, _) in command_line.COMMANDS.items()],
    ],
)
def test_the_command_that_is_asked_for_runs(stand_in, argv, module):
    assert main(argv) == 0
    assert stand_in.module == module
    assert stand_in.arguments.cases == (3 if argv else 1)


@pytest.mark.parametrize("status", [0, 1, 2])
def test_the_status_is_the_commands(stand_in, status):
    stand_in.outcome = status
    assert main(["accuracy"]) == status


@pytest.mark.parametrize(
    "error", [ValueError("--cases must be more"), TypeError("a type"), OSError("no such file")]
)
def test_what_cannot_be_used_is_one_line_and_status_2(stand_in, error, capsys):
    stand_in.outcome = error
    assert main(["accuracy"]) == 2
    assert capsys.readouterr().err == f"python -m verify accuracy: {error}\n"


def test_an_interruption_is_no_traceback(stand_in, capsys):
    stand_in.outcome = KeyboardInterrupt()
    assert main([]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_a_package_that_is_missing_is_named(monkeypatch, capsys):
    def load(name):
        raise ModuleNotFoundError(f"No module named 'jax' from {name}", name="jax")

    monkeypatch.setattr(command_line, "importlib", types.SimpleNamespace(import_module=load))
    assert main([]) == 2
    assert capsys.readouterr().err == (
        "python -m verify needs jax: pip install '.[verify]' in a checkout of mlp-ref\n"
    )


@pytest.mark.parametrize("argv", [["cheque"], ["accuracy", "--odd"], ["--odd"], ["accuracy", "--cases", "x"]])
@pytest.mark.usefixtures("stand_in")
def test_what_is_unknown_has_status_2(argv, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(argv)
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("usage: python -m verify")
    assert any(word in error for word in ("cheque", "--odd", "invalid int value: 'x'"))


def test_help_lists_the_commands(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["--help"])
    assert stopped.value.code == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in ("mlp_ref", *command_line.COMMANDS))


@pytest.mark.parametrize("module", [module for module, _ in command_line.COMMANDS.values()])
def test_every_command_can_be_loaded(module):
    loaded = importlib.import_module(module)
    assert callable(loaded.add_arguments)
    assert callable(loaded.run)


def test_the_module_runs():
    done = subprocess.run(
        [sys.executable, "-m", "verify", "mlp_ref", "--cases", "0"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "python -m verify mlp_ref: --cases must be 1 or larger, got 0\n"


@pytest.mark.skipif(os.name == "nt", reason="a pipe is closed in another way on Windows")
def test_a_reader_that_leaves_is_no_error():
    """As in `python -m verify check net.py:gradient | head -n 1`."""
    reader, writer = os.pipe()
    os.close(reader)
    code = (
        "import sys, types; from verify import __main__ as command_line;"
        "module = types.SimpleNamespace(add_arguments=lambda parser: None, run=lambda _: print('report') or 0);"
        "command_line.importlib = types.SimpleNamespace(import_module=lambda name: module);"
        "sys.exit(command_line.main(['check']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=writer, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")
