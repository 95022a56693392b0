"""A program in another process is judged like a function, whatever it does."""

import gc
import json
import os
import re
import select
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest

import verify
from verify.reference.spec import Spec
from verify.subject.external_program import PATIENCE, Program
from verify.subject.failed import Failed, NotCalled
from verify.subject.target import TargetError

ANSWERING = Path(__file__).with_name("answering.py")
CASE = verify.Case((3, 4, 2), 5)
RELU = Spec("relu")


def program(mode="right", timeout=60.0, **hello):
    """A program that has time to start; ``timeout`` is for its answers alone."""
    found = Program([sys.executable, str(ANSWERING), mode, json.dumps(hello)], timeout=60.0)
    found.timeout = timeout
    return found


def is_gone(pid):
    """Tell whether a process has ended: those that a kill has yet to reach are waited for."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    ended = select.poll()
    ended.register(descriptor, select.POLLIN)
    try:
        return bool(ended.poll(60_000))
    finally:
        os.close(descriptor)


def runs(pid):
    os.kill(pid, 0)
    return True


@pytest.fixture(scope="module")
def right():
    with program(calls=["gradient", "loss", "forward"]) as found:
        yield found


@pytest.mark.parametrize("encoding", ["base64", "hex"])
def test_a_right_program_is_verified(encoding):
    with program(encoding=encoding, calls=["gradient", "loss", "forward"]) as found:
        report = verify.check(found, cases=60)
    assert report.ok, report
    assert report.spec == str(RELU)
    assert report.notes == (f"the program answering 0.3, tensors in {encoding}",)
    assert {name: n for name, n in report.evaluators.items() if n < 10} == {"XLA": 2, "certified balls": 4}


def test_one_process_answers_every_call(right):
    verify.check(right, cases=20)
    pid, calls = right.pid, right.calls
    verify.check(right, Spec("sigmoid"), cases=20)
    assert (right.pid, right.calls - calls >= 20) == (pid, True)


def test_arrays_arrive_to_the_bit(right):
    arrays = CASE.arrays()
    again = right.target(RELU).gradient(*arrays)
    from mlp_ref import loss_and_gradient

    here = loss_and_gradient(*arrays, hidden="relu")[1]
    for layer, other in zip(again, here, strict=True):
        for tensor, same in zip(layer, other, strict=True):
            np.testing.assert_array_equal(tensor, same, strict=True)


def test_class_labels_arrive_as_integers():
    with program(labels="integer") as found:
        assert verify.check(found, cases=20).ok


@pytest.mark.parametrize(
    ("mode", "check", "verdict", "detail"),
    [
        ("rubbish", "runs", "crashed", "the program wrote a line that is no JSON: 'epoch 1: loss 0.3'"),
        ("nested", "runs", "crashed", r"the program wrote a line that is no JSON: '\[{57}\.\.\.'"),
        ("hello_again", "runs", "crashed", r"the program said hello again where call \d+ was asked"),
        ("one_behind", "runs", "crashed", r"the program answered call \d+ where call \d+ was asked"),
        ("no_answer", "runs", "crashed", r"the program answered call \d+ with neither an answer .* nor an error"),
        ("says_error", "runs", "crashed", "the program answered with an error: no rule for this"),
        ("odd", "result", "crashed", "the program returned 3 tensors, an odd number"),
        ("transposed", "result", "wrong", r"the dweight of layer 1 has shape \(4, 3\); the parameter has \(3, 4\)"),
        ("changes_x", "inputs", "wrong", "the call changed x that it was given"),
        ("flood_output", "runs", "crashed", r"in call 1 of its process the program wrote more than \d+ bytes .*"),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_a_finding(mode, check, verdict, detail):
    with program(mode) as found:
        finding = verify.examine(found, CASE, RELU)
    assert (finding.check, finding.verdict) == (check, verdict)
    assert re.fullmatch(detail, finding.detail), finding.detail


def test_a_layer_that_is_left_out_is_a_finding_and_explained():
    with program("layer_lost") as found:
        report = verify.check(found, cases=20, dtypes=["float64"])
    finding = report.findings[0]
    assert (finding.check, finding.verdict) == ("result", "crashed")
    assert "layers; the network has" in finding.diagnosis


def test_another_dtype_is_a_finding():
    with program("widened") as found:
        finding = verify.examine(found, verify.Case((3, 4, 2), 5, "float32"), RELU)
    assert (finding.check, finding.verdict) == ("dtype", "wrong")


def test_a_crash_is_a_finding_with_its_case_and_the_last_words():
    with program("crash_each_tenth") as found:
        report = verify.check(found, cases=200, regimes=["ordinary"], diagnose=False)
        pid = found.pid
    (finding,) = report.findings
    assert (finding.verdict, finding.check) == ("crashed", "runs")
    assert finding.detail == (
        "in call 10 of its process the program ended with status 7; its standard error ends: the tenth | is too much; "
        "a fresh process answers the same call"
    )
    assert pid is not None
    assert is_gone(pid)


def test_after_a_crash_a_fresh_process_answers():
    with program("crash_each_tenth") as found:
        target = found.target(RELU)
        answers = [tried(target, verify.Case((3, 2), 2, seed=i)) for i in range(35)]
    # A process answers nine calls, and the fresh one the tenth call again, which counts as its first.
    assert [i for i, answer in enumerate(answers) if isinstance(answer, Failed)] == [9, 18, 27]


def tried(target, case):
    try:
        return target.gradient(*case.arrays())
    except Failed as failure:
        return failure


def test_a_crash_is_simplified_and_reproduced(monkeypatch):
    monkeypatch.setattr("verify.oracle.search.SHRINKING", 300.0)  # a busy machine starts few processes in 4 s
    with program("crash_wide") as found:
        report = verify.check(found, cases=50, regimes=["ordinary"], dtypes=["float32"], diagnose=False)
    (finding,) = report.findings
    assert finding.verdict == "crashed"
    assert "was ended by SIGSEGV" in finding.detail
    assert max(finding.case.layer_sizes) == 4
    assert len(finding.case.layer_sizes) == 2
    lines = finding.reproduce.splitlines()
    assert lines[:2] == [
        "import verify",
        f"gradient = verify.Program({shlex.join(found.command)!r}, timeout=60)",
    ]
    scope: dict = {}
    exec("\n".join(lines[:-1]), scope)
    with scope["gradient"] as again:
        assert verify.examine(again, scope["case"], scope["spec"]).verdict == "crashed"


@pytest.mark.parametrize("mode", ["hang", "hang_deaf", "closes_output"])
def test_a_program_that_hangs_is_given_up(mode):
    with program(mode, timeout=0.5) as found:
        report = verify.check(found, cases=100)
        assert found.pid is None or is_gone(found.pid)
    (finding,) = report.findings
    assert (finding.verdict, finding.check) == ("crashed", "runs")
    assert "fails in" not in str(finding)  # it was called on no fresh case
    silent = "closed its standard output" if mode == "closes_output" else "gave no answer within 0.5 s"
    assert finding.detail.startswith(f"in call 1 of its process the program {silent}")


def test_the_limit_is_also_for_the_greeting():
    found = Program([sys.executable, "-c", "import time; time.sleep(3600)"], timeout=0.5)
    with pytest.raises(TargetError, match=r"did not say hello: it gave no answer within 0\.5 s$"):
        found.target()
    assert found.pid is None


def test_what_is_called_no_more_is_not_judged():
    with program("hang", timeout=0.5) as found:
        target = found.target(RELU)
        failures = [tried(target, CASE) for _ in range(PATIENCE + 1)]
        assert [type(failure) for failure in failures] == [Failed] * PATIENCE + [NotCalled]
        calls = found.calls
        assert calls == PATIENCE


def test_standard_error_is_read_and_no_fault():
    with program("flood_errors") as found:
        assert verify.check(found, cases=20).ok


def test_a_second_answer_is_found_out_in_the_next_call():
    with program("twice") as found:
        target = found.target(RELU)
        first, second = (tried(target, CASE) for _ in range(2))
    assert not isinstance(first, Failed)
    assert second.detail == "the program answered call 1 where call 2 was asked"


def test_what_it_began_ends_with_it():
    with program("leaves_child") as found:
        child = int(found.hello.version)
        assert runs(child)
        found.target(RELU).gradient(*CASE.arrays())
        pid = found.pid
    assert is_gone(child)
    assert is_gone(pid)


def test_it_ends_when_nobody_holds_it():
    found = program()
    found.target(RELU).gradient(*CASE.arrays())
    pid = found.pid
    del found
    gc.collect()
    assert is_gone(pid)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Program("/no/such/program"), "^/no/such/program cannot be run: No such file or directory$"),
        (lambda: Program("true"), "^true did not say hello: it ended with status 0$"),
        (lambda: Program("echo '{}'"), "^echo '{}' must answer hello with its own; it wrote '{}'$"),
        (lambda: Program("echo hello"), "^echo hello wrote a line that is no JSON: 'hello'$"),
        (lambda: program("dies_at_start"), "it ended with status 1; its standard error ends: no such device$"),
        (lambda: program(protocol=2), "speaks version 2 of the protocol; this is version 1$"),
        (lambda: program(name=""), "said hello without a name$"),
        (lambda: program(dtypes=["float16"]), r"with dtypes \['float16'\]; it must be a list from float64, float32$"),
        (lambda: program(hidden=[]), r"said hello with hidden \[\]; it must be a list from sigmoid, .*$"),
        (lambda: program(encoding="json"), "said hello with encoding 'json'; it must be one of base64, hex$"),
        (lambda: program(layers=0), "said hello with layers 0; it must be 1 or larger$"),
        (lambda: program(l2=1), "said hello with l2 1; it must be of type bool$"),
        (lambda: program(calls=["loss"]), "said hello without gradient among its calls$"),
        (lambda: Program([]), r"^command must name a program and its arguments; got \[\]$"),
        (lambda: Program("./net", timeout=0), "^timeout must be a positive number of seconds; got 0$"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_no_verdict(make, message):
    with pytest.raises(TargetError, match=message):
        verify.check(make(), cases=5)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (Spec("tanh"), "^answering does not take hidden tanh; it says that it takes relu, sigmoid$"),
        (Spec("relu", "identity", "squared_error"), "takes softmax with cross_entropy$"),
        (
            Spec("relu", reduction="sum"),
            "^answering does not take reduction sum; it says that it takes mean$",
        ),
        (Spec("relu", l2=0.1), "^answering does not take l2; got 0.1$"),
    ],
)
def test_a_spec_that_it_does_not_take_is_no_verdict(right, spec, message):
    with pytest.raises(TargetError, match=message):
        verify.check(right, spec, cases=5)


def test_a_jax_loss_can_be_its_reference(right):
    import jax
    import jax.numpy as jnp

    def loss(params, x, y):
        for weight, bias in params[:-1]:
            x = jax.nn.relu(x @ weight + bias)
        z = x @ params[-1].weight + params[-1].bias
        return -jnp.mean(jnp.sum(y * jax.nn.log_softmax(z), axis=1))

    # Without names, the program cannot know which activation is meant: it says so, and that is a finding.
    assert verify.examine(right, CASE, loss).verdict == "crashed"


def test_a_dtype_that_it_does_not_take_is_not_sent():
    with program(dtypes=["float32"]) as found:
        target = found.target(RELU)
        with pytest.raises(TypeError, match=r"^the program takes float32; it was not called with float64$"):
            target.gradient(*CASE.arrays())
        assert verify.check(found, cases=20).ok
