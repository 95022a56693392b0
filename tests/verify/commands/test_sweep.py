"""``python -m verify sweep``: what it shows, what its ledger says afterwards, and what it refuses."""

import json
import sys

import pytest

from verify.__main__ import main

NET = """
import mlp_ref

def gradient(params, x, y):
    return mlp_ref.loss_and_gradient(params, x, y)[1]
"""


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    (tmp_path / "net.py").write_text(NET)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])

    def run(*arguments):
        status = main(["sweep", *arguments])
        out, err = capsys.readouterr()
        return status, out, err

    return run


def test_a_sweep_shows_how_it_stands_and_its_ledger_says_so_afterwards(run, tmp_path):
    options = ("--ledger", "book", "--shard", "20", "--workers", "1", "--progress")
    status, out, err = run("net.py:gradient", "--cases", "40", "--json", "report.json", *options)
    assert status == 0, out + err
    assert out.startswith("VERIFIED: net.py:gradient as the gradient of sigmoid hidden")
    assert json.loads((tmp_path / "report.json").read_text())["ok"]
    first, *_, last = err.splitlines()
    assert first == "net.py:gradient: 0 of 40 cases, 1 worker; verified 0, inconclusive 0, failing 0"
    assert last.startswith("net.py:gradient: 40 of 40 cases, ")
    assert last.endswith("1 worker; verified 40, inconclusive 0, failing 0")

    status, out, err = run("--ledger", "book", "--status")
    assert (status, err) == (0, "")
    assert out.startswith("book/ledger.sqlite: 1 sweep, ")
    assert "net.py:gradient as the gradient of sigmoid hidden, softmax with cross_entropy, mean\n" in out
    assert "40 of 40 judged (100.0%), seed 0\n" in out
    assert out.split()[-4:] == ["all", "40", "0", "0"]
    assert "other code" not in out

    (tmp_path / "net.py").write_text(NET + "# changed\n")
    status, out, _ = run("--ledger", "book", "--status")
    assert "judged by    other code: " in out
    assert "net.py:gradient is " in out
    status, out, err = run("net.py:gradient", "--cases", "20", *options)
    assert "40 cases of net.py:gradient in book do not count, since they were judged by other code" in err
    assert "20 of 20 judged" in out


def test_an_option_that_a_sweep_cannot_serve_is_refused(run, tmp_path):
    book = ("--ledger", "book")
    for options, said in [
        (
            ("--exec", "./program"),
            "a sweep takes no --exec, --signature or --timeout: each process loads the target itself. Write ",
        ),
        (
            ("net.py:gradient", "--reference", "conv2d"),
            "a sweep takes no --reference: it judges the gradients of networks. python -m verify check takes it",
        ),
        (
            ("net.py:gradient", "--options", "stride=1"),
            "a sweep takes no --options: it judges the gradients of networks. python -m verify check takes it",
        ),
        (
            ("net.py:gradient", "--loss-function", "net.py:gradient"),
            "a sweep takes no --loss-function: it judges the gradients of networks. python -m verify check takes",
        ),
        (
            ("--hidden", "relu"),
            "--hidden: name a TARGET; without one, every activation and loss of mlp_ref is swept",
        ),
        (
            ("net.py:gradient", "--json", "none/report.json"),
            "--json must name a file in a directory that exists",
        ),
    ]:
        status, out, err = run(*options, *book)
        assert (status, out) == (2, "")
        assert err.startswith(f"python -m verify sweep: {said}")
    assert not (tmp_path / "book").exists()


def test_a_ledger_that_is_a_file_or_is_not_there_is_said_in_words(run, tmp_path):
    (tmp_path / "file").write_text("mine")
    assert run("net.py:gradient", "--ledger", "file") == (
        2,
        "",
        "python -m verify sweep: ledger must be a directory; file is a file\n",
    )
    status, _, err = run("--ledger", "none", "--status")
    assert status == 2
    assert err == "python -m verify sweep: there is no ledger in none: a sweep makes none/ledger.sqlite\n"


def test_a_worker_that_lacks_the_target_or_has_another_refuses_in_words(run, tmp_path, monkeypatch):
    from verify.oracle.sweep import worker

    for detail in ("it is not there: No such file or directory", "numpy is 1 here, 2 there"):
        monkeypatch.setattr(worker, "judge_shard", _Refusing(detail))
        status, out, err = run("net.py:gradient", "--ledger", "book", "--cases", "20", "--workers", "1")
        assert (status, out) == (2, "")
        assert err.endswith(
            f"python -m verify sweep: a worker refused {tmp_path}/net.py:gradient: {detail}\n"
        )


class _Refusing:
    """A `judge_shard` that other processes can load."""

    def __init__(self, detail):
        self.detail = detail

    def __call__(self, *_):
        return {"refused": self.detail}


@pytest.mark.parametrize("given", ["0", "1.5", "inf", "nan", "many"])
def test_a_number_of_cases_is_a_positive_integer(run, capsys, given):
    with pytest.raises(SystemExit) as raised:
        run("--ledger", "book", "--cases", given)
    assert raised.value.code == 2
    said = f"argument --cases: must be a positive integer, such as 1000 or 1e6; got '{given}'"
    assert said in capsys.readouterr().err
