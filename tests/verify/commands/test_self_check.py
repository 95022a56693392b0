"""The main job: what it prints, what it returns, and what stops it."""

import argparse
import json
import re

import pytest

from verify.commands import self_check as main_job
from verify.commands.self_check import add_arguments, run
from verify.reference.spec import Spec
from verify.subject import mlp_ref_targets


def arguments(*given):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(["--cases", "12", "--xla", "0", "--epochs", "1", *given])


@pytest.fixture
def two_targets(monkeypatch):
    pairs = [
        (mlp_ref_targets.mlp_ref_target(hidden), mlp_ref_targets.SPECS[hidden, "cross_entropy"])
        for hidden in ("sigmoid", "relu")
    ]
    monkeypatch.setattr(main_job.mlp_ref_targets, "all_mlp_ref_targets", lambda: iter(pairs))
    return pairs


def test_all_verified(two_targets, tmp_path, capsys):
    file = tmp_path / "out.json"
    assert run(arguments("--json", str(file))) == 0
    printed = capsys.readouterr().out
    assert printed.rstrip().endswith("\nVERIFIED")
    for target, _ in two_targets:
        assert target.name in printed
    assert "evaluated by     NumPy with bounds 32, XLA 0" in printed
    assert re.search(
        r"random rounding  \d+ cases within their bands, \d+ in doubt, 0 unexplained; at most ", printed
    )
    for layers in ("64-16-16-10", "784-16-16-10"):
        [_, rows] = printed.split(f"digits {layers}")
        for line in rows.splitlines()[1:5]:
            assert line.split()[3:5] == ["44", "0"]  # cases, inconclusive
            assert " verified (" in line
    assert [entry["verdict"] for entry in json.loads(file.read_text())] == ["verified", "verified"]


def test_a_wrong_network_is_not_verified(monkeypatch, capsys):
    pairs = [(mlp_ref_targets.mlp_ref_target("tanh"), Spec("sigmoid"))]
    monkeypatch.setattr(main_job.mlp_ref_targets, "all_mlp_ref_targets", lambda: iter(pairs))
    monkeypatch.setattr(main_job, "judge_training", lambda *_: True)
    assert run(arguments()) == 1
    printed = capsys.readouterr().out
    assert printed.rstrip().endswith("\nNOT VERIFIED")
    assert "WRONG: mlp_ref tanh, cross_entropy as the gradient of sigmoid hidden" in printed


@pytest.mark.usefixtures("two_targets")
def test_wrong_digits_alone_are_enough(monkeypatch, capsys):
    monkeypatch.setattr(main_job, "judge_training", lambda *_: False)
    assert run(arguments()) == 1
    assert capsys.readouterr().out.rstrip().endswith("\nNOT VERIFIED")


def test_an_interruption_is_no_verification(monkeypatch, capsys):
    calls = []
    target = mlp_ref_targets.mlp_ref_target()

    def gradient(params, x, y):
        calls.append(1)
        if len(calls) > 8:
            raise KeyboardInterrupt
        return target.gradient(params, x, y)

    import dataclasses

    stopped = dataclasses.replace(target, gradient=gradient)
    pairs = [(stopped, Spec()), (stopped, Spec())]
    monkeypatch.setattr(main_job.mlp_ref_targets, "all_mlp_ref_targets", lambda: iter(pairs))
    assert run(arguments()) == 1
    printed = capsys.readouterr().out
    assert printed.rstrip().endswith("\nINTERRUPTED")
    assert "training" not in printed


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("--cases", "0"), "--cases must be 1 or larger, got 0"),
        (("--seed", "-1"), "--seed must be 0 or larger, got -1"),
        (("--xla", "-1"), "--xla must be 0 or larger, got -1"),
        (("--epochs", "0"), "--epochs must be 1 or larger, got 0"),
        (
            ("--json", "/no/such/place/out.json"),
            "--json must name a file in a directory that exists, got /no/such",
        ),
    ],
)
def test_arguments_that_cannot_be_used_stop_it_at_once(given, message, capsys):
    with pytest.raises(ValueError, match=message):
        run(arguments(*given))
    assert capsys.readouterr().out == ""
